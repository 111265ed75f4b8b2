"""google.protobuf.Value, Struct and ListValue as what they stand for: JSON.

Source: google/protobuf/struct.proto. Numbers are always float64, so a class 1 comes as 1.0. The trap: these
are the only messages we read that nest as deep as the sender likes.
"""

import struct
from typing import Any

from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf import Message
from sidecar.decoders.protobuf_scalars import FIXED64
from sidecar.inference import Undecoded

# Protobuf's own parsers stop at 100 messages, of which each level here takes two or three.
MAX_DEPTH = 40

_NUMBER, _TEXT, _BOOLEAN, _STRUCT, _LIST = 2, 3, 4, 5, 6
# An element of a ListValue that is a number: a Value of nine bytes that holds one.
_NUMBER_ELEMENT = struct.Struct("<3sd")
_NUMBER_TAGS = b"\x0a\x09" + bytes([_NUMBER << 3 | FIXED64])


def value_of(value: Message, depth: int = 0) -> Any:
    """What a Value stands for. Raises Undecodable(too_deep)."""
    if depth > MAX_DEPTH:
        raise Undecodable(Undecoded.TOO_DEEP, "values are nested too deeply")
    if value.has(_LIST):
        numbers = _numbers(value.span(_LIST))
        return list_of(value.message(_LIST), depth + 1) if numbers is None else numbers
    if value.has(_STRUCT):
        entries = value.message(_STRUCT).entries(1)
        return {name: value_of(entry.message(2), depth + 1) for name, entry in entries}
    if value.has(_NUMBER):
        return next(iter(value.numbers(_NUMBER, "double").tolist()[-1:]), None)
    if value.has(_TEXT):
        return value.text(_TEXT)
    return bool(value.integer(_BOOLEAN)) if value.has(_BOOLEAN) else None


def list_of(values: Message, depth: int = 0) -> list[Any]:
    """What a ListValue stands for. Raises Undecodable(too_deep)."""
    return [value_of(value, depth + 1) for value in values.messages(1)]


def _numbers(data: memoryview) -> list[float] | None:
    """The numbers of a ListValue that holds nothing else; None if it does."""
    if not data or len(data) % _NUMBER_ELEMENT.size or data[:3] != _NUMBER_TAGS:
        return None
    pairs = list(_NUMBER_ELEMENT.iter_unpack(data))
    return [number for _, number in pairs] if {tags for tags, _ in pairs} == {_NUMBER_TAGS} else None
