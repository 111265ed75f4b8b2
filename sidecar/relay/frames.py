"""Where the frames of one direction of an HTTP/2 connection begin, so that a gap need not cost the place.

The only thing of HTTP that the relay knows, and only for the copy: nine bytes say how long a frame is
(RFC 9113, 4.1), of which stream it is, and whether that stream ends. Short of room, the tee drops the
payload of DATA frames and keeps everything else, so that the reader stays in step; an observer that comes
later is told where the next frame begins; and a drain lets connections go that carry no stream.
"""

from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADER_BYTES = 9
_DATA, _HEADERS, _RESET, _SETTINGS = 0, 1, 3, 4
_END_STREAM = 0x1
# Of a DATA frame's payload: the pad length and the length of a gRPC message stand there.
_KEPT_BYTES = 6


class Streams:
    """The streams of one connection that were opened and not answered to their end.

    Bounded by what the server allows at once, 100 or so (SETTINGS_MAX_CONCURRENT_STREAMS).
    """

    __slots__ = ("_newest", "open")

    def __init__(self) -> None:
        self.open: set[int] = set()
        self._newest = 0

    def frame(self, from_client: bool, kind: int, flags: int, stream: int) -> None:
        """A frame of this stream begins."""
        if kind == _RESET or (not from_client and kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.open.discard(stream)
        elif from_client and kind == _HEADERS and stream > self._newest:  # else they are trailers
            self._newest = stream
            self.open.add(stream)


class Frames:
    """Follows one direction from its beginning; its first frame begins at `first`."""

    __slots__ = ("_from_client", "_kind", "_offset", "_part", "next", "streams")

    def __init__(self, first: int, streams: Streams | None = None) -> None:
        self._from_client = first > 0  # only a client says something before its first frame
        self.streams = streams or Streams()
        self._offset = 0
        self.next = first
        self._kind = _SETTINGS  # what comes before the first frame is kept like it
        self._part = b""

    def pass_over(self, data: bytes) -> None:
        """These bytes went by."""
        for _ in self._cut(data):
            pass

    def without_payloads(self, data: bytes) -> list[tuple[int, int]]:
        """What to keep of these bytes when there is no room for all: begin and end of each piece."""
        kept: list[tuple[int, int]] = []
        for begin, end, payload in self._cut(data):
            end = min(end, begin + _KEPT_BYTES) if payload else end
            if kept and kept[-1][1] == begin:
                kept[-1] = (kept[-1][0], end)
            elif end > begin:
                kept.append((begin, end))
        return kept

    @property
    def between(self) -> bool:
        """No frame is half said."""
        return not self._part and self._offset == self.next

    @property
    def place(self) -> int | None:
        """The offset at which the next frame begins; None while its header is half read."""
        return None if self._part else self.next

    def _cut(self, data: bytes) -> Iterator[tuple[int, int, bool]]:
        """Begin, end, and whether it is the payload of DATA: for headers and payloads in turn."""
        at, size, base = 0, len(data), self._offset
        self._offset = base + size
        while at < size:
            if base + at < self.next:
                end = min(self.next - base, size)
                yield at, end, self._kind == _DATA
                at = end
                continue
            end = min(at + _HEADER_BYTES - len(self._part), size)
            self._part += data[at:end]
            yield at, end, False
            at = end
            if len(self._part) == _HEADER_BYTES:
                self._kind = self._part[3]
                stream = int.from_bytes(self._part[5:9], "big")
                self.streams.frame(self._from_client, self._kind, self._part[4], stream)
                self.next = base + at + int.from_bytes(self._part[:3], "big")
                self._part = b""


def begins(data: bytes, from_client: bool, other: Frames | None = None) -> Frames | None:
    """What follows the first bytes of a direction, if they begin HTTP/2; `other` is the other direction."""
    streams = other.streams if other is not None else None
    if from_client:
        return Frames(len(PREFACE), streams) if data.startswith(PREFACE) else None
    # A server begins with its settings (RFC 9113, 3.4), which no answer of HTTP/1 looks like.
    settings = len(data) >= _HEADER_BYTES and data[0] == 0 and data[3] == _SETTINGS and data[5:9] == bytes(4)
    return Frames(0, streams) if settings else None
