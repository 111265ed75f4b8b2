"""Repeated scalars of protobuf by the million, whether they came packed or one by one.

Source: protobuf.dev, "Encoding". Knows no messages: `protobuf` finds the bytes. Regular expressions and numpy
do what a loop in Python would take fifty times as long for. The trap: a varint may be longer than any number.
"""

import re
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded

Array = npt.NDArray[Any]

VARINT, FIXED64, FIXED32 = 0, 1, 5
SIZES = {FIXED64: 8, FIXED32: 4}
# Ten bytes of seven bits make 64.
MAX_VARINT_BYTES = 10
# A million float32 are the largest decoded body.
MAX_NUMBERS = 1_048_576
_RUNNING = {
    VARINT: rb"(?:%s[\x80-\xff]{0,9}+[\x00-\x7f])++",
    FIXED64: rb"(?s:%s.{8})++",
    FIXED32: rb"(?s:%s.{4})++",
}


@lru_cache(maxsize=128)
def _run_of(tag: int) -> re.Pattern[bytes]:
    """Fields with this tag of one byte, one after another. Possessive: nothing is remembered of each."""
    return re.compile(_RUNNING[tag & 7] % re.escape(bytes([tag])))


def end_of_run(data: bytes, start: int, end: int) -> int:
    """Where fields with the tag at `start` end; 0 if there is not one."""
    found = _run_of(data[start]).match(data, start, end)
    return found.end() if found else 0


def without_tags(run: memoryview, wire_type: int) -> memoryview:
    """The values of a run, one after another."""
    octets = np.frombuffer(run, np.uint8)
    if wire_type == VARINT:
        # A tag below 0x80 is a varint itself: every second one is a tag.
        ends = np.flatnonzero(octets < 0x80)
        values = np.delete(octets, np.concatenate(([0], ends[1:-1:2] + 1)))
    else:
        values = octets.reshape(-1, 1 + SIZES[wire_type])[:, 1:]
    return memoryview(values.tobytes())


def varints(data: bytes | memoryview) -> Array:
    """All numbers of a packed field, unsigned. Raises Undecodable."""
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets < 0x80)
    if len(ends) > MAX_NUMBERS:
        raise Undecodable(Undecoded.TOO_WIDE, f"{len(ends)} numbers are more than {MAX_NUMBERS}")
    if len(ends) == len(octets):
        return octets.astype(np.uint64)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1 if len(ends) else np.zeros(1)
    if octets[-1] >= 0x80 or lengths.max() > MAX_VARINT_BYTES:
        raise Undecodable(Undecoded.NOT_PROTOBUF, "a packed number does not end")
    numbers = (octets[starts] & 0x7F).astype(np.uint64)
    for more in range(1, int(lengths.max())):
        longer = np.flatnonzero(lengths > more)
        bits = (octets[starts[longer] + more] & 0x7F).astype(np.uint64)
        numbers[longer] |= bits << np.uint64(7 * more)
    return numbers


def as_scalar(values: Array, scalar: str) -> Array:
    """Unsigned 64 bits as what the schema says they are: the lower bits count."""
    if scalar == "bool":
        return values.astype(np.bool_)
    if scalar.endswith("32"):
        values = values.astype(np.uint32)
    typed: Array = values.view(np.dtype(scalar))
    return typed
