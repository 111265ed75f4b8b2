"""Builds RecordIO-protobuf bodies, byte by byte: no encoder of ours reads its own mistakes."""

import struct

MAGIC = bytes.fromhex("0a23d7ce")


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def floats(*values: float) -> bytes:
    """A Value with a dense Float32Tensor."""
    return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))


def doubles(*values: float) -> bytes:
    return field(3, field(1, struct.pack(f"<{len(values)}d", *values)))


def integers(*values: int) -> bytes:
    return field(7, field(1, b"".join(map(varint, values))))


def sparse(values: dict[int, float], width: int | None) -> bytes:
    """A Value with a sparse Float32Tensor."""
    packed = field(1, struct.pack(f"<{len(values)}f", *values.values()))
    packed += field(2, b"".join(map(varint, values)))
    return field(2, packed + (b"" if width is None else field(3, varint(width))))


def record(label: dict[str, bytes] | None = None, **features: bytes) -> bytes:
    """A Record of features and labels by name."""
    maps = [(1, features), (2, label or {})]
    return b"".join(field(n, field(1, k.encode()) + field(2, v)) for n, m in maps for k, v in m.items())


def framed(*records: bytes) -> bytes:
    return b"".join(frame(0, content) for content in records)


def frame(flag: int, content: bytes) -> bytes:
    word = struct.pack("<I", flag << 29 | len(content))
    return MAGIC + word + content + b"\x00" * (-len(content) % 4)
