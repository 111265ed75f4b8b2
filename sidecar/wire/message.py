"""One direction of an HTTP/1 connection: where messages begin and end, from bytes that come in any cut.

It knows at every moment how many bytes of body must still come, which is what lets it step over a gap:
a gap inside a body or chunk of known length loses bytes, not the place. Anything else loses the place.
"""

import re

from sidecar.wire.head import CHUNKED, UNTIL_CLOSE, Unreadable
from sidecar.wire.limits import Budget, Limits

# A chunk's extensions and the fields of a trailer: nobody reads them, nobody needs many.
MAX_LINE_BYTES = 8 * 1024
MAX_TRAILER_BYTES = 16 * 1024
# What a head may say besides a length: it was an interim one, the message is still to come.
INTERIM = -3
_NOTHING = bytearray()
_END_OF_HEAD = b"\r\n\r\n"
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n\x00]*)?\r\n")

# What is read next.
HEAD, LENGTH, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, CLOSE, NOTHING = range(8)
_KNOWN = (LENGTH, CHUNK)


class MessageReader:
    """Cuts a stream into messages. Subclasses say what a head means and take the body.

    `feed` raises Unreadable when the place is lost; the reader is of no use afterwards.
    """

    __slots__ = ("_budget", "_head_bytes", "_rest", "_state", "_trailer", "first", "remaining")

    def __init__(self, limits: Limits, heads: Budget) -> None:
        self._budget = heads
        self._head_bytes = limits.head_bytes
        self._rest = _NOTHING
        self._state = HEAD
        self._trailer = 0
        self.remaining = 0
        """Bytes of the body or chunk being read that have not come yet."""
        self.first = 0.0
        """When the first byte of the message being read came."""

    # What a subclass gives.
    def _on_head(self, head: bytes, time: float) -> int:
        """Take a head, without its empty line; return the length of its body, or INTERIM."""
        raise NotImplementedError

    def _on_body(self, data: bytes, time: float) -> None:
        raise NotImplementedError

    def _on_lost_body(self, length: int, until: float) -> None:
        raise NotImplementedError

    def _on_end(self, time: float) -> None:
        raise NotImplementedError

    @property
    def inside_head(self) -> bool:
        """Whether a head has begun and not ended."""
        return self._state == HEAD and bool(self._rest)

    @property
    def held(self) -> bytes:
        """The beginning of a head or line whose end has not come."""
        return bytes(self._rest)

    @property
    def between(self) -> bool:
        """Whether the last message has ended and no next one has begun."""
        return self._state == HEAD and not self._rest

    @property
    def stopped(self) -> bool:
        """Whether nothing is read any more."""
        return self._state == NOTHING

    def feed(self, data: bytes, time: float) -> None:
        """Read the next bytes. Raises Unreadable."""
        at, end = 0, len(data)
        while at < end:
            state = self._state
            if state == HEAD:
                at = self._read_head(data, at, time)
            elif state in _KNOWN:
                at = self._read_known(data, at, time)
            elif state == CLOSE:
                self._on_body(data[at:], time)
                return
            elif state == NOTHING:
                return
            else:
                at = self._read_line(data, at, time)

    def skip(self, length: int, until: float) -> bool:
        """Step over `length` bytes that were not copied; False if that loses the place."""
        if self._state == NOTHING:
            return True
        if self._state == CLOSE:
            self._on_lost_body(length, until)
            return True
        if self._state not in (LENGTH, CHUNK) or length > self.remaining:
            return False
        self.remaining -= length
        self._on_lost_body(length, until)
        if not self.remaining:
            self._end_known(until)
        return True

    def end_of_stream(self, time: float) -> None:
        """The sender ended its side: the proper end of a body that has no other."""
        if self._state == CLOSE:
            self._state = HEAD
            self._on_end(time)

    def stop(self) -> None:
        """Read nothing any more."""
        self._budget.give_back(len(self._rest))
        self._rest = _NOTHING
        self._state = NOTHING
        self.remaining = 0

    def _read_head(self, data: bytes, at: int, time: float) -> int:
        if self._rest:
            return self._read_more_head(data, at, time)
        # Empty lines before a head are to be ignored: RFC 9112, 2.2.
        while data[at] == 0x0D or data[at] == 0x0A:
            at += 1
            if at == len(data):
                return at
        self.first = time
        end = data.find(_END_OF_HEAD, at)
        if end < 0:
            return self._keep_head(data, at)
        if end - at > self._head_bytes:
            raise Unreadable
        self._begin(self._on_head(data[at:end], time), time)
        return end + 4

    def _keep_head(self, data: bytes, at: int) -> int:
        """Keep the beginning of a head, unless no head begins so: TLS, gRPC, somebody's own protocol."""
        self._check_start(data[at])
        self._hold(data[at:], self._head_bytes)
        return len(data)

    def _check_start(self, byte: int) -> None:
        raise NotImplementedError

    def _read_more_head(self, data: bytes, at: int, time: float) -> int:
        known = len(self._rest)
        self._hold(data[at : at + self._head_bytes], 2 * self._head_bytes)
        end = self._rest.find(_END_OF_HEAD, max(known - 3, 0))
        if end > self._head_bytes or (end < 0 and len(self._rest) > self._head_bytes):
            raise Unreadable
        if end < 0:
            return len(data)
        head = bytes(self._rest[:end])
        self._release()
        self._begin(self._on_head(head, time), time)
        return at + end + 4 - known

    def _begin(self, length: int, time: float) -> None:
        if self._state == NOTHING:
            return
        if length > 0:
            self._state, self.remaining = LENGTH, length
        elif length == 0:
            self._on_end(time)
        elif length == CHUNKED:
            self._state = CHUNK_SIZE
        elif length == UNTIL_CLOSE:
            self._state = CLOSE

    def _read_known(self, data: bytes, at: int, time: float) -> int:
        end = at + self.remaining
        if end > len(data):
            end = len(data)
        self.remaining -= end - at
        self._on_body(data[at:end], time)
        if not self.remaining:
            self._end_known(time)
        return end

    def _end_known(self, time: float) -> None:
        if self._state == LENGTH:
            self._state = HEAD
            self._on_end(time)
        else:
            self._state = CHUNK_END

    def _read_line(self, data: bytes, at: int, time: float) -> int:
        """Chunked framing: its lines end with CRLF and nothing else, or the place is lost."""
        end = data.find(b"\n", at) + 1
        if not end:
            self._hold(data[at:], MAX_LINE_BYTES)
            return len(data)
        line = data[at:end]
        if self._rest:
            line = bytes(self._rest) + line
            self._release()
        if len(line) > MAX_LINE_BYTES or not line.endswith(b"\r\n"):
            raise Unreadable
        self._take_line(line, time)
        return end

    def _take_line(self, line: bytes, time: float) -> None:
        if self._state == CHUNK_SIZE:
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                raise Unreadable
            self.remaining = int(match[1], 16)
            self._state = CHUNK if self.remaining else TRAILER
            self._trailer = 0
        elif self._state == CHUNK_END:
            if line != b"\r\n":
                raise Unreadable
            self._state = CHUNK_SIZE
        elif line == b"\r\n":
            self._state = HEAD
            self._on_end(time)
        else:
            self._trailer += len(line)
            if self._trailer > MAX_TRAILER_BYTES or b"\r" in line[:-2]:
                raise Unreadable

    def _hold(self, data: bytes, limit: int) -> None:
        """Keep the beginning of a head or line until the rest comes."""
        if len(self._rest) + len(data) > limit or not self._budget.take(len(data)):
            raise Unreadable
        if self._rest:
            self._rest += data
        else:
            self._rest = bytearray(data)

    def _release(self) -> None:
        self._budget.give_back(len(self._rest))
        self._rest = _NOTHING
