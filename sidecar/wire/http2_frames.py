"""One direction of an HTTP/2 connection, cut into frames (RFC 9113, 4), from bytes that come in any cut.

A frame says how long it is, so bytes lost inside its payload cost that payload and not the place; lost
bytes anywhere else cost the place, and nothing in the bytes that follow proves where a frame begins.
The trap is memory: DATA passes through as it comes, only short frames that must be read whole are kept.
"""

import struct

from sidecar.wire.head import Unreadable
from sidecar.wire.limits import Budget

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 7, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

# Length (16 + 8 bits), type, flags, stream identifier: RFC 9113, 4.1.
_HEADER = struct.Struct(">HBBBL")
_HEADER_BYTES = _HEADER.size
_STREAM_BITS = 0x7FFF_FFFF
_READ_WHOLE = frozenset((HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, GOAWAY, CONTINUATION))
# The kind of a frame nobody reads; no type of the protocol.
_IGNORED = -1
_UNKNOWN_PADDING = -1
_NOTHING = bytearray()


class FrameReader:
    """Cuts a stream into frames. Subclasses say what they mean.

    `feed` raises Unreadable when this is no HTTP/2, or none that both sides would go on with; the reader
    is of no use afterwards.
    """

    __slots__ = (
        "_budget", "_flags", "_head", "_kind", "_limit", "_padding", "_preface", "_rest", "_started",
        "_stopped", "_stream", "first", "remaining",
    )  # fmt: skip

    def __init__(self, preface: bytes, limit: int, budget: Budget) -> None:
        self._preface = preface
        """What must still come before the first frame."""
        self._limit = limit
        self._budget = budget
        self._head = b""
        self._rest = _NOTHING
        self._started = self._stopped = False
        self._kind, self._flags, self._stream, self._padding = _IGNORED, 0, 0, 0
        self.remaining = 0
        """Bytes of the payload being read that have not come yet."""
        self.first = 0.0
        """When the first byte of the frame being read came."""

    # What a subclass gives.
    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes | None, time: float) -> None:
        """Take a frame that is not DATA; `payload` is None if it was lost, or longer than anybody reads."""
        raise NotImplementedError

    def _on_data_frame(self, stream: int) -> None:
        """A DATA frame begins."""
        raise NotImplementedError

    def _on_data(self, stream: int, data: bytes, time: float) -> None:
        raise NotImplementedError

    def _on_lost_data(self, stream: int, length: int, until: float) -> None:
        raise NotImplementedError

    def _on_end(self, stream: int, time: float) -> None:
        """The last DATA frame of a stream has ended."""
        raise NotImplementedError

    @property
    def inside_data(self) -> bool:
        """Whether the payload being read is DATA."""
        return self.remaining > 0 and self._kind == DATA

    def feed(self, data: bytes, time: float) -> None:
        """Read the next bytes. Raises Unreadable."""
        at, end = 0, len(data)
        if self._preface:
            at = self._read_preface(data)
        while at < end and not self._stopped:
            if self.remaining:
                at = self._read_payload(data, at, time)
            elif self._head or end - at < _HEADER_BYTES:
                at = self._read_header(data, at, time)
            else:  # nearly always; a call less is felt
                self.first = time
                self._begin(data, at, time)
                at += _HEADER_BYTES

    def skip(self, length: int, until: float) -> bool:
        """Step over `length` bytes that were not copied; False if that loses the place."""
        if self._stopped:
            return True
        if length > self.remaining:
            return False
        self.remaining -= length
        if self._kind == DATA:
            self._lose_data(length, until)
        elif self._kind != _IGNORED:
            self._lose_frame(until)
        return True

    def join(self, skip: int) -> None:
        """Begin in the middle: the next frame begins after `skip` bytes."""
        self._preface = b""
        self._started = True
        self.remaining = skip

    def stop(self) -> None:
        """Read nothing any more."""
        self._release()
        self._stopped = True
        self.remaining = 0

    def _read_preface(self, data: bytes) -> int:
        taken = min(len(self._preface), len(data))
        if data[:taken] != self._preface[:taken]:
            raise Unreadable
        self._preface = self._preface[taken:]
        return taken

    def _read_header(self, data: bytes, at: int, time: float) -> int:
        """A header that comes in pieces."""
        if not self._head:
            self.first = time
        known = len(self._head)
        self._head += data[at : at + _HEADER_BYTES - known]
        if len(self._head) < _HEADER_BYTES:
            return len(data)
        head, self._head = self._head, b""
        self._begin(head, 0, time)
        return at + _HEADER_BYTES - known

    def _begin(self, data: bytes, at: int, time: float) -> None:
        high, low, kind, flags, stream = _HEADER.unpack_from(data, at)
        self.remaining = high << 8 | low
        self._flags, self._stream = flags, stream & _STREAM_BITS
        if not self._started:
            self._start(kind, flags)
        if kind == DATA:
            self._kind = DATA
            self._padding = _UNKNOWN_PADDING if flags & PADDED else 0
            self._on_data_frame(self._stream)
            if not self.remaining:
                self._end_data(time)
        elif kind not in _READ_WHOLE:
            self._kind = _IGNORED
        else:
            self._kind = kind
            if self.remaining > self._limit:
                self._lose_frame(time)
            elif not self.remaining:
                self._on_frame(kind, flags, self._stream, b"", time)

    def _start(self, kind: int, flags: int) -> None:
        """Both sides begin with their settings (RFC 9113, 3.4): a check that this is HTTP/2 at all."""
        if kind != SETTINGS or flags & ACK or self._stream:
            raise Unreadable
        self._started = True

    def _read_payload(self, data: bytes, at: int, time: float) -> int:
        end = at + self.remaining
        if end > len(data):
            end = len(data)
        self.remaining -= end - at
        kind = self._kind
        if kind == DATA:
            self._take_data(data[at:end], time)
        elif kind != _IGNORED:
            if self._rest or self.remaining:
                self._take_piece(data[at:end], time)
            else:
                self._on_frame(kind, self._flags, self._stream, data[at:end], time)
        return end

    def _take_piece(self, piece: bytes, time: float) -> None:
        """Keep a part of a frame that is read whole, and read it with its last."""
        if not self._budget.take(len(piece)):
            self._lose_frame(time)
            return
        self._rest = self._rest or bytearray()
        self._rest += piece
        if not self.remaining:
            payload = bytes(self._rest)
            self._release()
            self._on_frame(self._kind, self._flags, self._stream, payload, time)

    def _lose_frame(self, time: float) -> None:
        self._release()
        kind, self._kind = self._kind, _IGNORED
        self._on_frame(kind, self._flags, self._stream, None, time)

    def _take_data(self, piece: bytes, time: float) -> None:
        if self._padding == _UNKNOWN_PADDING:
            self._padding, piece = piece[0], piece[1:]
            if self._padding > self.remaining + len(piece):
                raise Unreadable
        if self._padding:
            piece = piece[: len(piece) - self._padding_in(len(piece))]
        if piece:
            self._on_data(self._stream, piece, time)
        if not self.remaining:
            self._end_data(time)

    def _lose_data(self, length: int, until: float) -> None:
        # How much of it was padding is lost with it: peers that pad are rare, and a lost body is lost.
        self._padding = max(self._padding, 0)
        self._on_lost_data(self._stream, length - self._padding_in(length), until)
        if not self.remaining:
            self._end_data(until)

    def _padding_in(self, length: int) -> int:
        """How many of the last `length` bytes were padding, which is what a frame ends with."""
        return min(max(self._padding - self.remaining, 0), length)

    def _end_data(self, time: float) -> None:
        if self._padding == _UNKNOWN_PADDING:
            raise Unreadable
        if self._flags & END_STREAM:
            self._on_end(self._stream, time)

    def _release(self) -> None:
        self._budget.give_back(len(self._rest))
        self._rest = _NOTHING
