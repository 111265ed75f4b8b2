"""One end of a relayed connection: what it reads, it gives to its peer, and the tee gets a copy after that.

There is no HTTP here. Back-pressure, half-close and reset are carried across. Two traps: when a side
cannot be written to, it is its *peer* that must stop reading; and a write that fails ends the connection,
but what was said before the cut is still in the kernel, and is passed on first.
"""

import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar import clock
from sidecar.chunk import FROM_CLIENT, Chunk, Kind
from sidecar.relay.frames import Frames, begins
from sidecar.relay.loop import READABLE, WRITABLE

if TYPE_CHECKING:
    from sidecar.relay.pair import Pair

# One read. What the kernel does not take of it at once waits here, and its sender is read no further: so
# this is also what may wait in user space for a slow reader, per direction.
READ_BYTES = 256 * 1024
# Read into, then copied from: what is read would else keep the room that was held ready for more.
_ROOM = memoryview(bytearray(READ_BYTES))
# Its beginning: nothing else starts so, and the first read has at least this much.
HTTP2_PREFACE = b"PRI * HTTP/2.0"
_LINGER_NOTHING = struct.pack("ii", 1, 0)
# A reset overtakes what the kernel has not delivered yet; give the bytes before it this long.
_RESET_PATIENCE_SECONDS = 1.0
_RESET_POLL_SECONDS = 0.01


def nowhere(data: bytes) -> None:
    """Where bytes go while there is no other side."""


class Side:
    """A connected, non-blocking socket (plain, or `tls.TlsSocket`), and what the tee remembers of it."""

    __slots__ = (
        "_cut", "_leaving", "_said_all", "_wants", "closing", "connection", "counters", "direction", "ended",
        "frames", "gap_first", "gap_last", "gap_length", "half_closes", "last_read", "loop", "lost", "offset",
        "pair", "peer", "sink", "skip_until", "sock", "tee", "waiting",
    )  # fmt: skip

    def __init__(self, pair: "Pair", direction: int) -> None:
        self.pair = pair
        self.loop = pair.loop
        self.connection = pair.connection
        self.direction = direction
        self.tee = pair.tee
        self.counters = pair.counters
        self.offset = self.skip_until = self.gap_length = 0
        self.gap_first = self.gap_last = 0.0
        self.last_read = pair.since
        self.frames: Frames | None = None
        self.peer: Side | None = None
        self.sink: Callable[[bytes], None] = nowhere
        self.sock: socket.socket | None = None
        self.half_closes = True  # plain connections do; TLS ends both ways at once
        self.waiting = b""  # written, and not yet taken by the kernel
        self.ended = False  # it said all
        self.closing = False  # nothing is read or written any more, but what waits
        self.lost = False  # it is gone
        self._cut = False  # it will be, and sees no end before
        self._leaving = False  # and will be gone after this turn
        self._said_all = False  # to it
        self._wants = 0  # READABLE, WRITABLE

    # --- reading ---------------------------------------------------------------------------------

    def happened(self, events: int) -> None:
        """The socket is ready. A cut is neither readable nor writable: who waits finds out by trying."""
        try:
            if self._wants & READABLE and events != WRITABLE:
                self._read()
            if self._wants & WRITABLE and events != READABLE:
                self._flush()
        except Exception:  # a fault of ours costs this connection, and no other
            self.pair.abort()
            raise

    def _want(self, events: int) -> None:
        if events != self._wants:
            assert self.sock is not None
            self._wants = events
            self.loop.watch(self.sock.fileno(), events, self.happened)

    def pause(self) -> None:
        """Leave what comes in the kernel, which stops the sender when it has enough of it."""
        self._want(self._wants & ~READABLE)

    def resume(self) -> None:
        """Read, until all is said."""
        if not (self.ended or self.closing):
            self._want(self._wants | READABLE)

    def _read(self) -> None:
        assert self.sock is not None
        try:
            size = self.sock.recv_into(_ROOM)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if size:
            self._heard(bytes(_ROOM[:size]))
        else:
            self._heard_all()

    def _heard(self, data: bytes) -> None:
        """Pass the bytes on, then offer a copy."""
        self.sink(data)
        now = self.last_read = clock.monotonic()
        self.counters.bytes[self.direction] += len(data)
        if not self.offset:
            other = self.peer.frames if self.peer is not None else None
            self.frames = begins(data, self.direction == FROM_CLIENT, other)
        elif data.startswith(HTTP2_PREFACE):  # after an Upgrade: where frames begin is not known
            self.pair.multiplexed = True
        self.tee.offer(self, data, now)

    def _heard_all(self) -> None:
        """This side sends no more; the other direction stays open until its own end."""
        self.ended = True
        self._tell(Kind.END)
        peer = self.peer
        if peer is None:  # its upstream does not stand yet, or never will: see Pair.join and Refusal
            self.pause()
        elif not peer.lost and not peer.ended and self.half_closes and peer.half_closes:
            self.pause()
            peer.write_end()
        else:
            peer.close()  # both directions are over; what is still being written goes first
            self.close()

    # --- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Give it to the kernel; what it does not take waits, and whoever sent it is read no further."""
        if self.closing or self._said_all:
            return
        sent = 0
        if not self.waiting:
            assert self.sock is not None
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                pass
            except OSError as error:
                self._end(error)
                return
            if sent == len(data):
                return
            self._want(self._wants | WRITABLE)
        self.waiting += data[sent:]
        if self.peer is not None:
            self.peer.pause()

    def _flush(self) -> None:
        assert self.sock is not None
        try:
            self.waiting = self.waiting[self.sock.send(self.waiting) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if self.waiting:
            return
        self._want(self._wants & ~WRITABLE)
        if self.closing:
            self._finish()
            return
        if self._said_all:
            self._shut()
        if self.peer is not None:
            self.peer.resume()

    def write_end(self) -> None:
        """Say, after what waits, that this was all."""
        if not self._said_all and not self.closing:
            self._said_all = True
            if not self.waiting:
                self._shut()

    def _shut(self) -> None:
        assert self.sock is not None
        with contextlib.suppress(OSError):  # it was cut: reading will tell
            self.sock.shutdown(socket.SHUT_WR)

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Read no more, and leave once everything is written."""
        if self.sock is not None and not self.closing:
            self.closing = True
            if self.waiting:
                self.pause()
            else:
                self._finish()

    def _finish(self) -> None:
        if self._cut:
            return
        if not self.half_closes and not getattr(self.peer and self.peer.sock, "ragged", False):
            self._shut()  # TLS announces its end; not one that nobody announced to us
        self._end(None)

    def abort(self) -> None:
        """Leave now, and never with what looks like an end: something may be missing before it."""
        if self.sock is not None and not self._leaving:
            with contextlib.suppress(OSError):  # a unix socket knows no reset
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
            self._end(None)

    def reset(self) -> None:
        """Cut the connection so that who is there sees a reset, after the bytes that came before it."""
        self._cut = True
        self.pause()
        deadline = clock.monotonic() + _RESET_PATIENCE_SECONDS
        self.loop.soon(lambda: self._reset_when_flushed(deadline))

    def _reset_when_flushed(self, deadline: float) -> None:
        if self.sock is None or self._leaving:
            return
        if self._undelivered() and clock.monotonic() < deadline:
            self.loop.later(_RESET_POLL_SECONDS, lambda: self._reset_when_flushed(deadline))
        else:
            self.abort()

    def _undelivered(self) -> bool:
        if self.waiting or self.sock is None:
            return bool(self.waiting)
        try:
            waiting = fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        except OSError:
            return False
        return bool(struct.unpack("i", waiting)[0])

    def _end(self, error: OSError | None) -> None:
        """Leave; not at once: whoever noticed the end is in the middle of something else."""
        if self._leaving or self.sock is None:
            return
        self._leaving = self.closing = True
        self._wants = 0
        self.loop.forget(self.sock.fileno())
        self.waiting = b""
        self.loop.soon(lambda: self._leave(error))

    def _leave(self, error: OSError | None) -> None:
        """Whatever fails on the way out: a socket that stayed, unwatched, would wake the loop for ever."""
        try:
            if error is not None:
                self._hear_last_words()
        finally:
            self._gone(cut=error is not None or not self.ended)

    def _hear_last_words(self) -> None:
        assert self.sock is not None
        with contextlib.suppress(OSError):
            while size := self.sock.recv_into(_ROOM):
                self._heard(bytes(_ROOM[:size]))
        self._tell(Kind.RESET)

    def _gone(self, *, cut: bool) -> None:
        """A cut is passed on as a cut, an end as an end."""
        assert self.sock is not None
        self.lost = True
        with contextlib.suppress(OSError):  # it is closed all the same
            self.sock.close()
        peer = self.peer
        try:
            if peer is not None and not peer.lost:
                peer.sink = nowhere
                if cut:
                    peer.reset()
                else:
                    peer.close()
        finally:
            self.pair.on_lost(self.pair)

    def _tell(self, kind: Kind) -> None:
        chunk = Chunk(kind, self.connection, self.direction, clock.monotonic(), self.offset)
        self.tee.event(chunk, self)
