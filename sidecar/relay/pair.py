"""A client connection and its upstream connection: bytes of one go to the other, verbatim, in order.

There is no HTTP here. Back-pressure, half-close and reset are carried across; a copy of each chunk is
offered to the tee *after* it was handed to the other side. The trap: when a side cannot be written to,
it is its *peer* that must stop reading.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import cast

from sidecar import clock
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.relay.counters import Counters
from sidecar.relay.frames import Frames, begins
from sidecar.relay.tee import Tee

# With TLS: what may wait in user space for a slow reader, per direction. Without: plain.READ_BYTES.
HIGH_WATER_BYTES = 64 * 1024
_LINGER_NOTHING = struct.pack("ii", 1, 0)
# A reset overtakes what the kernel has not delivered yet; give the bytes before it this long.
_RESET_PATIENCE_SECONDS = 1.0
_RESET_POLL_SECONDS = 0.01
# Its beginning: nothing else starts so, and the first read has at least this much.
_HTTP2_PREFACE = b"PRI * HTTP/2.0"


def _nowhere(data: bytes) -> None:
    """Where bytes go while there is no other side."""


def _nothing() -> None:
    """What happens when nobody asked to be told."""


class Side(asyncio.Protocol):
    """One end of a pair: reads from its transport, writes to its peer's."""

    __slots__ = (
        "connection", "counters", "direction", "ended", "frames", "gap_first", "gap_last", "gap_length",
        "last_read", "lost", "offset", "on_made", "pair", "peer", "sink", "skip_until", "tee", "transport",
    )  # fmt: skip

    def __init__(self, pair: "Pair", direction: int) -> None:
        self.pair = pair
        self.connection = pair.connection
        self.direction = direction
        self.tee = pair.tee
        self.counters = pair.counters
        self.offset = self.skip_until = self.gap_length = 0
        self.gap_first = self.gap_last = 0.0
        self.last_read = pair.since
        self.ended = self.lost = False
        self.frames: Frames | None = None
        self.transport: asyncio.Transport | None = None
        self.peer: Side | None = None
        self.sink: Callable[[bytes], None] = _nowhere
        self.on_made: Callable[[], None] = _nothing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        made, self.on_made = self.on_made, _nothing  # ten thousand idle connections keep no closures
        made()

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on, then offer a copy."""
        self.sink(data)
        now = self.last_read = clock.monotonic()
        self.counters.bytes[self.direction] += len(data)
        if not self.offset:
            other = self.peer.frames if self.peer is not None else None
            self.frames = begins(data, self.direction == FROM_CLIENT, other)
        elif data.startswith(_HTTP2_PREFACE):  # after an Upgrade: where frames begin is not known
            self.pair.multiplexed = True
        self.tee.offer(self, data, now)

    def eof_received(self) -> bool:
        """This side sends no more; the other direction stays open until its own end."""
        self.ended = True
        self._tell(Kind.END)
        peer = self.peer
        if peer is None:
            return True  # its upstream does not stand yet, or never will: see Pair.join and Refusal
        if peer.lost or peer.transport is None:
            return False
        if peer.ended or not (self._half_closes() and peer._half_closes()):
            peer.transport.close()  # both directions are over; what is still being written goes first
            return False
        peer.transport.write_eof()
        return True

    def _half_closes(self) -> bool:
        """Plain connections do; TLS ends both ways at once."""
        return self.transport is not None and self.transport.can_write_eof()

    def pause_writing(self) -> None:
        """Our reader is slow: stop reading from the other side."""
        if self.peer is not None and self.peer.transport is not None and not self.peer.lost:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Our reader has caught up."""
        if self.peer is not None and self.peer.transport is not None and not self.peer.lost:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """This connection is gone, and so is the pair. A cut is passed on as a cut, an end as an end."""
        self.lost = True
        if exc is not None:
            self._tell(Kind.RESET)
        peer = self.peer
        if peer is not None and not peer.lost and peer.transport is not None:
            peer.sink = _nowhere
            if exc is not None or not self.ended:
                reset(peer.transport)
            else:
                peer.transport.close()
        self.pair.on_lost(self.pair)

    def _tell(self, kind: Kind) -> None:
        chunk = Chunk(kind, self.connection, self.direction, clock.monotonic(), self.offset)
        self.tee.event(chunk, self)


class Pair:
    """Both sides of one relayed connection, and what is said of it to the observer."""

    __slots__ = (
        "client", "closed", "connection", "counters", "early", "meta", "multiplexed", "on_lost", "our_end",
        "server", "since", "tee",
    )  # fmt: skip

    def __init__(
        self,
        connection: int,
        meta: dict[str, str],
        tee: Tee,
        counters: Counters,
        on_lost: Callable[["Pair"], None],
    ) -> None:
        self.connection = connection
        self.meta = meta
        self.tee = tee
        self.counters = counters
        self.on_lost = on_lost  # told whenever a side is gone
        # Nobody is quiet since before: what a newcomer said first may lie in the kernel when a drain begins.
        self.since = clock.monotonic()
        self.closed = False
        self.our_end: object = None
        self.multiplexed = False
        self.early = b""
        self.client = Side(self, FROM_CLIENT)
        self.server = Side(self, FROM_SERVER)
        self.client.sink = self._wait

    def _wait(self, data: bytes) -> None:
        """Keep what a client says before its upstream stands, and listen no further."""
        self.early += data
        assert self.client.transport is not None
        self.client.transport.pause_reading()

    def join(self) -> None:
        """The upstream connection stands: let bytes flow both ways."""
        client, server = self.client, self.server
        assert client.transport is not None
        assert server.transport is not None
        client.peer, server.peer = server, client
        client.sink, server.sink = self._first, client.transport.write
        if self.early:
            self._first(self.early)
            self.early = b""
            if not client.lost:
                client.transport.resume_reading()
        if client.lost:  # it was cut before its upstream stood
            server.sink = _nowhere
            reset(server.transport)
        elif client.ended:
            server.transport.write_eof()

    def _first(self, data: bytes) -> None:
        """Note of what kind the connection is, by its first bytes, and get out of the way."""
        assert self.server.transport is not None
        self.multiplexed = data.startswith(_HTTP2_PREFACE)
        self.client.sink = self.server.transport.write
        self.client.sink(data)

    def opened(self, *, new: bool) -> Chunk:
        """The frame that introduces this connection, or announces it to an observer that came later."""
        offsets = [self.client.offset, self.server.offset]
        meta = {**self.meta, "offsets": offsets, "new": new}
        frames = [side.frames.place if side.frames else None for side in (self.client, self.server)]
        if None not in frames:
            meta["frames"] = frames
        return Chunk(Kind.OPEN, self.connection, time=clock.monotonic(), meta=meta)

    def finish(self) -> None:
        """End both sides in order, as if both had ended by themselves."""
        for side in (self.client, self.server):
            side.ended = True
            if side.transport is not None and not side.lost:
                side.transport.close()

    def abort(self) -> None:
        """Cut both sides now."""
        for side in (self.client, self.server):
            if side.transport is not None and not side.lost:
                side.transport.abort()

    def closed_now(self) -> bool:
        """True exactly once, when no side is left; says so to the observer and frees the bookkeeping."""
        server_gone = self.server.transport is None or self.server.lost
        if self.closed or not (self.client.lost and server_gone):
            return False
        self.closed = True
        for side in (self.client, self.server):
            self.tee.settle(side)
        self.tee.event(Chunk(Kind.CLOSE, self.connection, time=clock.monotonic()))
        return True

    def quiet_since(self) -> float | None:
        """Since when nothing was said and the client waits for no answer; None while it may.

        Closing such a connection cuts no request that is under way. Of HTTP/2 the streams are known, unless
        it began in the middle of a frame: then the last word proves nothing.
        """
        client, server = self.client, self.server
        if self.multiplexed:
            return max(client.last_read, server.last_read) if self._no_stream() else None
        return None if client.last_read > server.last_read else server.last_read

    def _no_stream(self) -> bool:
        client, server = self.client.frames, self.server.frames
        if client is None or server is None or client.streams is not server.streams:
            return False
        return not client.streams.open and client.between and server.between


def reset(transport: asyncio.Transport) -> None:
    """Cut a connection so that its peer sees a reset, after the bytes that came before it."""
    transport.pause_reading()
    loop = asyncio.get_running_loop()
    loop.call_soon(_reset_when_flushed, transport, loop, loop.time() + _RESET_PATIENCE_SECONDS)


def _reset_when_flushed(
    transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, deadline: float
) -> None:
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or transport.is_closing():
        transport.abort()
    elif _undelivered(transport, sock) and loop.time() < deadline:
        loop.call_later(_RESET_POLL_SECONDS, _reset_when_flushed, transport, loop, deadline)
    else:
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
        transport.abort()


def _undelivered(transport: asyncio.Transport, sock: socket.socket) -> bool:
    if transport.get_write_buffer_size():
        return True
    try:
        waiting = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    except OSError:
        return False
    return bool(struct.unpack("i", waiting)[0])
