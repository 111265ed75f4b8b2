"""A client connection and its upstream connection, and what is said of both to the observer."""

from collections.abc import Callable

from sidecar import clock
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.relay.counters import Counters
from sidecar.relay.loop import Loop
from sidecar.relay.side import HTTP2_PREFACE, Side, nowhere
from sidecar.relay.tee import Tee


class Pair:
    """Both sides of one relayed connection."""

    __slots__ = (
        "client", "closed", "connection", "counters", "early", "loop", "meta", "multiplexed", "on_lost",
        "our_end", "server", "since", "tee",
    )  # fmt: skip

    def __init__(
        self,
        loop: Loop,
        connection: int,
        meta: dict[str, str],
        tee: Tee,
        counters: Counters,
        on_lost: Callable[["Pair"], None],
    ) -> None:
        self.loop = loop
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
        self.client.pause()

    def join(self) -> None:
        """The upstream connection stands: let bytes flow both ways."""
        client, server = self.client, self.server
        client.peer, server.peer = server, client
        client.sink, server.sink = self._first, client.write
        if self.early:
            self._first(self.early)
            self.early = b""
        client.resume()
        server.resume()
        if client.lost:  # it was cut before its upstream stood
            server.sink = nowhere
            server.reset()
        elif client.ended:
            server.write_end()

    def _first(self, data: bytes) -> None:
        """Note of what kind the connection is, by its first bytes, and get out of the way."""
        self.multiplexed = data.startswith(HTTP2_PREFACE)
        self.client.sink = self.server.write
        self.server.write(data)

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
            side.close()

    def abort(self) -> None:
        """Cut both sides now."""
        self.client.abort()
        self.server.abort()

    def closed_now(self) -> bool:
        """True exactly once, when no side is left; says so to the observer and frees the bookkeeping."""
        server_gone = self.server.sock is None or self.server.lost
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
