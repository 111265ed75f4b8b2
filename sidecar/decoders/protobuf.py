"""The fields of a protobuf message by their numbers, without its schema.

Not a parser of messages: no descriptors, so no generated code that another copy of the same schema in the
process could collide with. What is malformed or cut ends the reading; what came before it stands.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Ten bytes of seven bits make 64 (protobuf.dev, "Encoding").
_MAX_VARINT_BYTES = 10


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field of `data` in order: its number, and an integer for a varint, else its bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == VARINT:
            value, at = _varint(data, at)
            if at > len(data):
                return
        else:
            length, at = _varint(data, at) if kind == BYTES else (_FIXED.get(kind, len(data) + 1), at)
            if length > len(data) - at:
                return
            value, at = data[at : at + length], at + length
        yield number, value


_FIXED = {FIXED64: 8, FIXED32: 4}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends: past the end of `data` if it does not end."""
    number = 0
    for index, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    return 0, len(data) + 1
