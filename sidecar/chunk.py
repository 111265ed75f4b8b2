"""A chunk of observed traffic, and how chunks travel from the relay to the observer.

One frame is a fixed header and a payload. A frame never says what was *not* seen by leaving it out:
missing bytes are a GAP that carries how many and when, so that the reader can resynchronise or
declare itself blind. Offsets count the bytes of one direction from the start of its connection.

Imported by the relay: standard library only.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

FROM_CLIENT = 0
FROM_SERVER = 1


class Kind(IntEnum):
    """What a frame says. Values are the wire format between two processes of one version."""

    HELLO = 1  # a relay worker introduces itself: {"version", "worker", "pid"}
    OPEN = 2  # a connection began, or is announced anew: {"peer", "route", "upstream"}, offsets in `meta`
    DATA = 3  # bytes of one direction
    GAP = 4  # `length` bytes of one direction were not copied, between `time` and `until`
    END = 5  # this side will send no more (half-close)
    RESET = 6  # this side cut the connection
    CLOSE = 7  # both directions are over; nothing more comes for this connection
    REFUSED = 8  # the upstream could not be reached: {"reason", "upstream"}
    STATS = 9  # the worker's own counters, absolute since its start
    SKIP = 10  # observer -> relay: nothing of this direction before `offset` is of interest


@dataclass(slots=True)
class Chunk:
    """One thing that happened on one connection.

    `time` is monotonic, in seconds, taken by the relay when it had the bytes in hand. For a GAP it is
    the time of the first missing byte and `until` that of the last; `length` is the number of bytes.
    """

    kind: Kind
    connection: int
    direction: int = FROM_CLIENT
    time: float = 0.0
    offset: int = 0
    data: bytes = b""
    length: int = 0
    until: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)


# kind, direction, payload length, connection, offset, time: 32 bytes, little endian.
_HEADER = struct.Struct("<BBxxIQQd")
_GAP = struct.Struct("<Qd")
HEADER_BYTES = _HEADER.size
# A frame longer than this is no frame of ours: the peer is confused, and the link is dropped.
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024

pack_header = _HEADER.pack
_json = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time
_KINDS = {int(kind): kind for kind in Kind}
_DATA = Kind.DATA
_WITH_META = frozenset({Kind.HELLO, Kind.OPEN, Kind.REFUSED, Kind.STATS, Kind.CLOSE})


def encode(chunk: Chunk) -> bytes:
    """The frame of a chunk."""
    payload = chunk.data
    if chunk.kind is Kind.GAP:
        payload = _GAP.pack(chunk.length, chunk.until)
    elif chunk.meta:
        payload = _json(chunk.meta).encode()
    header = pack_header(
        chunk.kind, chunk.direction, len(payload), chunk.connection, chunk.offset, chunk.time
    )
    return header + payload


class FrameError(ValueError):
    """Bytes on the tee that are no frame: the link cannot be trusted any more."""


class FrameReader:
    """Turns the bytes of a tee link back into chunks, whatever the cuts between reads."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Yield every chunk completed by `data`. Raises FrameError on bytes that are no frame.

        Must be consumed to the end before the next call.
        """
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= HEADER_BYTES:
            kind, direction, length, connection, offset, time = _HEADER.unpack_from(data, at)
            if kind not in _KINDS or direction > 1 or length > MAX_PAYLOAD_BYTES:
                raise FrameError(f"not a frame at byte {at}: kind {kind}, payload of {length} bytes")
            start = at + HEADER_BYTES
            if end - start < length:
                break
            at = start + length
            payload = data[start:at]
            if kind == _DATA:  # nearly always
                yield Chunk(_DATA, connection, direction, time, offset, payload)
            else:
                yield _chunk(_KINDS[kind], connection, direction, time, offset, payload)
        self._rest = data[at:]


def _chunk(kind: Kind, connection: int, direction: int, time: float, offset: int, payload: bytes) -> Chunk:
    if kind is Kind.GAP:
        if len(payload) != _GAP.size:
            raise FrameError(f"a gap carries {_GAP.size} bytes, not {len(payload)}")
        length, until = _GAP.unpack(payload)
        return Chunk(kind, connection, direction, time, offset, b"", length, until)
    meta = _meta(payload) if kind in _WITH_META and payload else {}
    return Chunk(kind, connection, direction, time, offset, meta=meta)


def _meta(payload: bytes) -> dict[str, Any]:
    try:
        meta = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise FrameError("the details of a frame are not JSON") from error
    if not isinstance(meta, dict):
        raise FrameError("the details of a frame are not an object")
    return meta
