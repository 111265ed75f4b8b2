"""Protobuf messages written by hand: an encoder that shares nothing with the reader it tests."""

import struct
from collections.abc import Iterable
from typing import Any

_LETTERS = {"float": "f", "double": "d"}


def varint(value: int) -> bytes:
    """A number of up to 64 bits; a negative one takes ten bytes."""
    value &= 2**64 - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def key(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def varint_field(number: int, value: int) -> bytes:
    return key(number, 0) + varint(value)


def bytes_field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return key(number, 2) + varint(len(data)) + data


def float_field(number: int, value: float) -> bytes:
    return key(number, 5) + struct.pack("<f", value)


def double_field(number: int, value: float) -> bytes:
    return key(number, 1) + struct.pack("<d", value)


def packed(number: int, scalar: str, values: Iterable[Any]) -> bytes:
    values = list(values)
    if scalar in _LETTERS:
        return bytes_field(number, struct.pack(f"<{len(values)}{_LETTERS[scalar]}", *values))
    return bytes_field(number, b"".join(varint(int(value)) for value in values))


def unpacked(number: int, scalar: str, values: Iterable[Any]) -> bytes:
    writers = {"float": float_field, "double": double_field}
    write = writers.get(scalar, lambda n, value: varint_field(n, int(value)))
    return b"".join(write(number, value) for value in values)


def framed(*messages: bytes, flag: int = 0) -> bytes:
    """A gRPC body."""
    return b"".join(bytes([flag]) + len(message).to_bytes(4, "big") + message for message in messages)
