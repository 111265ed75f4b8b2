"""A plain TCP or unix connection as a transport: the part of asyncio.Transport that a pair uses, and no more.

A transport of asyncio's, uvloop's too, costs a relay twice the processor time for each new connection: a
task, names looked up, options set again. The trap: a write that fails ends the connection, but what the
peer said before it cut is still in the kernel, and is passed on first.
"""

import asyncio
import contextlib
import socket
from typing import Any

from sidecar.relay.readiness import READABLE, WRITABLE, Readiness

# One read. What the kernel does not take of it at once waits here, and its sender is read no further: so
# this is also what may wait in user space for a slow reader, per direction.
READ_BYTES = 256 * 1024
# Read into, then copied from: what is read would else keep the room that was held ready for more.
_ROOM = memoryview(bytearray(READ_BYTES))


class PlainTransport(asyncio.Transport):
    """A connected, non-blocking socket, read on behalf of `protocol` until it is closed."""

    __slots__ = (
        "_closing", "_heard_all", "_over", "_protocol", "_ready", "_said_all", "_sock",
        "_waiting", "_wants",
    )  # fmt: skip

    def __init__(self, ready: Readiness, sock: socket.socket, protocol: asyncio.Protocol) -> None:
        self._ready = ready
        self._sock = sock
        self._protocol = protocol
        self._waiting = b""  # written, and not yet taken by the kernel
        self._wants = 0  # READABLE, WRITABLE
        self._heard_all = self._said_all = self._closing = self._over = False
        protocol.connection_made(self)
        self.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The socket; nothing else is known."""
        return self._sock if name == "socket" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Not heeded: whoever writes is paused as soon as anything waits."""

    def get_write_buffer_size(self) -> int:
        """How many bytes wait for the kernel to take them."""
        return len(self._waiting)

    def is_closing(self) -> bool:
        """True from `close`, `abort` or a failure on."""
        return self._closing

    def _want(self, events: int) -> None:
        if events != self._wants:
            self._wants = events
            self._ready.watch(self._sock.fileno(), events, self._happened)

    def _happened(self, events: int) -> None:
        # A cut is neither readable nor writable: whoever waits for one of them finds out by trying.
        if self._wants & READABLE and events != WRITABLE:
            self._read()
        if self._wants & WRITABLE and events != READABLE:
            self._flush()

    # --- reading ---------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """Leave what comes in the kernel, which stops the sender when it has enough of it."""
        self._want(self._wants & ~READABLE)

    def resume_reading(self) -> None:
        """Read, until the peer has said all."""
        if not (self._heard_all or self._closing):
            self._want(self._wants | READABLE)

    def _read(self) -> None:
        try:
            size = self._sock.recv_into(_ROOM)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if size:
            self._protocol.data_received(bytes(_ROOM[:size]))
            return
        self._heard_all = True
        self.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    # --- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Give it to the kernel; what it does not take waits, and the protocol is told to pause."""
        if self._closing or self._said_all:
            return
        sent = 0
        if not self._waiting:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._end(error)
                return
            if sent == len(data):
                return
            self._want(self._wants | WRITABLE)
        self._waiting += data[sent:]
        self._protocol.pause_writing()

    def _flush(self) -> None:
        try:
            self._waiting = self._waiting[self._sock.send(self._waiting) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if self._waiting:
            return
        self._want(self._wants & ~WRITABLE)
        if self._closing:
            self._end(None)
            return
        if self._said_all:
            self._shut()
        self._protocol.resume_writing()

    def can_write_eof(self) -> bool:
        """Each direction has an end of its own."""
        return True

    def write_eof(self) -> None:
        """Say, after what waits, that this was all."""
        if not self._said_all and not self._closing:
            self._said_all = True
            if not self._waiting:
                self._shut()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):  # it was cut: reading will tell
            self._sock.shutdown(socket.SHUT_WR)

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Read no more, and leave once everything is written."""
        if not self._closing:
            self._closing = True
            self.pause_reading()
            if not self._waiting:
                self._end(None)

    def abort(self) -> None:
        """Leave now."""
        self._end(None)

    def _end(self, error: OSError | None) -> None:
        if self._over:
            return
        self._over = self._closing = True
        self._want(0)
        self._waiting = b""
        self._ready.loop.call_soon(self._leave, error)

    def _leave(self, error: OSError | None) -> None:
        """Not at once: whoever noticed the end is in the middle of something else."""
        if error is not None:
            with contextlib.suppress(OSError):
                while size := self._sock.recv_into(_ROOM):
                    self._protocol.data_received(bytes(_ROOM[:size]))
        self._protocol.connection_lost(error)
        self._sock.close()
