"""The messages in a gRPC body: five bytes before each, a flag and a length (grpc/grpc, PROTOCOL-HTTP2.md).

Compression is a matter of each message: the flag says whether, `grpc-encoding` of that direction says how.
The trap: a body compressed by half is legal, and a short one may stand for gigabytes.
"""

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from sidecar.decoders import body
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import CapturedBody
from sidecar.inference import Undecoded

_PREFIX_BYTES = 5
# A long stream of tokens has some 2,000.
MAX_MESSAGES = 4_096
# What the bodies of HTTP are allowed as well: four times the largest that is captured; and past one of those
# no more than a hundred times what came, since rows of measurements compress 1:3 to 1:20.
MAX_DECODED_BYTES = 4 * 1024 * 1024
_FREE_BYTES = 1024 * 1024
_MAX_EXPANSION = 100
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Part(NamedTuple):
    """Where a message is: in the body itself, if it was not compressed."""

    data: bytes
    start: int
    end: int


class Messages(NamedTuple):
    """The messages of one direction, and what ended them early. The last may be a beginning only."""

    parts: list[Part]
    problem: Undecodable | None = None


def split(captured: CapturedBody, headers: Mapping[str, str]) -> Messages:
    """The messages of a body, uncompressed. Never raises."""
    parts: list[Part] = []
    try:
        data = body.data_of(captured)
        if data[0] == 0 and int.from_bytes(data[1:_PREFIX_BYTES], "big") == len(data) - _PREFIX_BYTES:
            return Messages([Part(data, _PREFIX_BYTES, len(data))])  # one, as it is: nearly always
        _split(parts, data, headers.get("grpc-encoding", ""))
    except Undecodable as error:
        return Messages(parts, error)
    return Messages(parts)


def _split(parts: list[Part], data: bytes, encoding: str) -> None:
    room = min(MAX_DECODED_BYTES, max(_FREE_BYTES, len(data) * _MAX_EXPANSION))
    at, size = 0, len(data)
    while at < size:
        if len(parts) >= MAX_MESSAGES:
            raise Undecodable(Undecoded.STREAM, f"more than {MAX_MESSAGES} messages")
        start = at + _PREFIX_BYTES
        compressed, at = data[at], start + int.from_bytes(data[at + 1 : start], "big")
        if compressed > 1:
            raise Undecodable(Undecoded.NOT_PROTOBUF, "a message has a flag that no message has")
        if not compressed:
            parts.append(Part(data, min(start, size), min(at, size)))
        elif at <= size:
            room -= _inflate(parts, data[start:at], encoding, room)
        if at > size or start > size:
            raise Undecodable(Undecoded.BODY_CUT, "the last message is not whole")


def _inflate(parts: list[Part], data: bytes, encoding: str, room: int) -> int:
    """Add one message that was compressed; returns its length. Raises Undecodable."""
    window = _WINDOWS.get(encoding)
    if window is None:
        raise Undecodable(Undecoded.BODY_ENCODING, "a message is compressed in a way that is not read")
    inflating = zlib.decompressobj(window)
    try:
        # One more than there is room for; none at all would mean no limit.
        message = inflating.decompress(data, room + 1)
    except zlib.error as error:
        raise Undecodable(Undecoded.BODY_ENCODING, f"a message is no {encoding}") from error
    parts.append(Part(message, 0, len(message)))
    if len(message) > room:
        raise Undecodable(Undecoded.BODY_ENCODING, "messages become larger than there is room for")
    if not inflating.eof:
        raise Undecodable(Undecoded.BODY_ENCODING, f"a message is no whole {encoding}")
    return len(message)
