"""Bodies: captured within bounds, and freed of their content coding.

A body is counted whatever its size; its bytes are kept only while they are of use, so the first problem
(a gap, the capture limit, no memory left) drops what was kept.
"""

import zlib

from sidecar.exchange import BodyProblem, CapturedBody
from sidecar.wire.limits import Budget, Limits

# gzip or deflate with a header, told apart by zlib itself; deflate without one is what some servers send.
_ANY_HEADER = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_READABLE = frozenset(("gzip", "x-gzip", "deflate"))
# One coding is normal, two are a mistake somewhere, more are an attack on the reader.
_MAX_CODINGS = 2
# Concatenated gzip members are legal (RFC 1952, 2.2); thousands of empty ones are not meant well.
_MAX_MEMBERS = 64


class Capture:
    """One body as its pieces come."""

    __slots__ = ("_budget", "_data", "_limit", "problem", "size")

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._budget = budget
        self._data: bytes | bytearray = b""
        self.size = 0
        self.problem: BodyProblem | None = None

    def add(self, data: bytes) -> None:
        """Take the next piece."""
        self.size += len(data)
        if self.problem is not None:
            return
        if self.size > self._limit or not self._budget.take(len(data)):
            self.fail(BodyProblem.TOO_LARGE)
        elif not self._data:
            self._data = data
        else:
            # Thousands of small pieces are no thousands of objects.
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += data

    def miss(self, length: int) -> None:
        """Count `length` bytes that were not copied."""
        self.size += length
        self.fail(BodyProblem.GAP)

    def fail(self, problem: BodyProblem) -> None:
        """The body will not be whole: keep nothing of it. The first problem stays."""
        if self.problem is None:
            self.problem = problem
            self.drop()

    def drop(self) -> None:
        """Give the memory back."""
        self._budget.give_back(len(self._data))
        self._data = b""

    def finish(self, coding: str | None, limits: Limits) -> CapturedBody:
        """The body as decoders see it; the memory is no longer ours."""
        data = self._data
        if not data:
            return CapturedBody(b"", self.size, self.problem)
        self.drop()
        if coding is None:
            return CapturedBody(bytes(data), self.size)
        decoded, problem = decode(data, coding, limits)
        return CapturedBody(decoded, self.size, problem)


def codings_of(value: str) -> list[str]:
    """The content codings of a Content-Encoding field, outermost last, without those that do nothing."""
    names = (name.strip(" \t").lower() for name in value.split(","))
    return [name for name in names if name not in ("", "identity")]


def decode(data: bytes | bytearray, coding: str, limits: Limits) -> tuple[bytes, BodyProblem | None]:
    """Undo the content codings of a whole body; (b"", why) when that cannot be done within bounds."""
    codings = codings_of(coding)
    if len(codings) > _MAX_CODINGS or not _READABLE.issuperset(codings):
        return b"", BodyProblem.UNKNOWN_ENCODING
    for _ in codings:
        room = output_room(len(data), limits)
        try:
            data = _inflate_all(data, room + 1)
        except zlib.error:
            return b"", BodyProblem.BAD_ENCODING
        if len(data) > room:
            return b"", BodyProblem.EXPANDS_TOO_MUCH
    return bytes(data), None


def output_room(compressed: int, limits: Limits) -> int:
    """How many bytes `compressed` bytes may become."""
    return min(limits.decoded_bytes, max(limits.capture_bytes, compressed * limits.expansion_ratio))


def _inflate_all(data: bytes | bytearray, room: int) -> bytes:
    """Every member of `data`, up to `room` bytes of output. Raises zlib.error if it is not whole."""
    try:
        return _inflate_members(data, _ANY_HEADER, room)
    except zlib.error:
        if data[:2] == b"\x1f\x8b":
            raise
        return _inflate_members(data, _RAW, room)


def _inflate_members(data: bytes | bytearray, header: int, room: int) -> bytes:
    output = b""
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(header)
        output += member.decompress(data, room - len(output))
        if len(output) >= room:
            return output
        if not member.eof:
            raise zlib.error("incomplete")
        data = member.unused_data
        # Padding with zeros after the last member is common practice, and gzip(1) ignores it.
        if not data.strip(b"\0"):
            return output
    raise zlib.error("too many members")


class Inflater:
    """Undoes one content coding as the pieces come, for streams.

    `failed` once nothing more can be had: the bytes do not decode, or became too many.
    """

    __slots__ = ("_in", "_inflate", "_limits", "_out", "failed")

    def __init__(self, coding: str | None, limits: Limits) -> None:
        codings = codings_of(coding or "")
        self._inflate = zlib.decompressobj(_ANY_HEADER) if codings else None
        self._limits = limits
        self._in = self._out = 0
        self.failed = len(codings) > 1 or not _READABLE.issuperset(codings)

    def feed(self, data: bytes) -> bytes:
        """What these bytes become; b"" once `failed`."""
        if self._inflate is None or self.failed:
            return b"" if self.failed else data
        self._in += len(data)
        room = max(output_room(self._in, self._limits) - self._out, 0)
        try:
            output = self._inflate.decompress(data, room + 1)
        except zlib.error:
            self.failed = True
            return b""
        self._out += len(output)
        self.failed = len(output) > room
        return output
