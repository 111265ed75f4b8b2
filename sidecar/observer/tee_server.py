"""The observer's end of the tee: accepts the links of relay workers and feeds what they carry.

Reading is bounded by the kernel's buffer, so a busy moment here is the relay's to shed, never ours to
hoard. Only processes of the same user may connect.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from sidecar import clock, sockets
from sidecar.address import Address
from sidecar.chunk import Chunk, FrameError, FrameReader, Kind, encode
from sidecar.observer.observer import Observer

log = logging.getLogger("sidecar")


class TeeServer:
    """All links of relay workers."""

    def __init__(self, observer: Observer, path: str, now: Callable[[], float] = clock.monotonic) -> None:
        self.now = now
        self._observer = observer
        self._path = path
        self._server: asyncio.Server | None = None
        self._links: dict[int, Link] = {}
        self.open: set[Link] = set()
        """Those that have not introduced themselves, too."""
        self.before_batch: Callable[[], None] = _nothing
        """Called before each read is worked off."""

    @property
    def lag(self) -> float:
        """How old chunks are when they are read, in seconds, on the link that is furthest behind."""
        return max((link.lag for link in self._links.values()), default=0.0)

    @property
    def workers(self) -> int:
        """How many relay workers are connected and have introduced themselves."""
        return len(self._links)

    def processes(self) -> set[int]:
        """The relay workers that can be seen from here, as process ids."""
        return {link.process for link in self._links.values() if link.process}

    async def start(self) -> None:
        """Listen. Raises SidecarError when the path cannot be used."""
        sock = sockets.listen(Address(path=self._path))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Link(self), sock=sock)

    def close(self) -> None:
        """Stop listening and let all links go; what was still open on them is nobody's any more."""
        if self._server is None:
            return
        self._server.close()
        self._links = {}
        for link in self.open:
            link.drop()
        if not self._path.startswith("@"):
            sockets.remove(self._path)

    def joined(self, worker: int, link: "Link") -> None:
        """A worker introduced itself."""
        self._links[worker] = link

    def take(self, chunks: Iterable[Chunk]) -> None:
        """The chunks of one read of any link."""
        self._observer.feed(chunks)

    def batch_begins(self, now: float) -> None:
        """A read is about to be worked off: when we are behind, payloads are left unread."""
        self.before_batch()
        self._observer.shedding.late(self.lag, now)

    def batch_done(self) -> None:
        """A read was worked off: pass on hints."""
        for skip in self._observer.wanted():
            link = self._links.get(skip.connection >> 40)
            if link is not None:
                link.say(Chunk(Kind.SKIP, skip.connection, skip.direction, offset=skip.offset))

    def left(self, worker: int, link: "Link") -> None:
        """A link broke."""
        if self._links.get(worker) is link:
            del self._links[worker]
            self._observer.link_lost(worker, self.now())


def _nothing() -> None:
    """What happens when nobody asked to be told."""


class Link(asyncio.Protocol):
    """One relay worker's connection."""

    def __init__(self, server: TeeServer) -> None:
        self._server = server
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._worker: int | None = None
        # How old the first chunk of the last read was. Workers say something every second.
        self.lag = 0.0
        self.process = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected: only our own user may."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.open.add(self)
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None and not sockets.peer_is_ours(sock):
            log.error("refused a connection to the tee from another user")
            self._transport.abort()
        elif sock is not None:
            self.process = sockets.peer_process(sock)

    def data_received(self, data: bytes) -> None:
        """Feed every complete frame."""
        try:
            self._server.take(self._chunks(data))
        except (FrameError, ValueError, TypeError) as error:
            log.error("the tee carried something that is no frame; the link is dropped: %s", error)
            self.drop()
        self._server.batch_done()

    def _chunks(self, data: bytes) -> Iterator[Chunk]:
        """What was read, but for what is said to us: who speaks, and how late we are."""
        begun = False
        for chunk in self._reader.feed(data):
            if chunk.kind is Kind.HELLO:
                self._worker = int(chunk.meta.get("worker", 0))
                self._server.joined(self._worker, self)
                continue
            if not begun and chunk.kind is not Kind.GAP:  # a gap is as old as its first byte
                begun, now = True, self._server.now()
                self.lag = max(now - chunk.time, 0.0)
                self._server.batch_begins(now)
            yield chunk

    def say(self, chunk: Chunk) -> None:
        """Send a hint to the worker; lost if it does not listen."""
        if self._transport is not None and self._transport.get_write_buffer_size() < 65536:
            with contextlib.suppress(OSError):
                self._transport.write(encode(chunk))

    def drop(self) -> None:
        """Cut it; the worker will look for another observer."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker left, or will come back."""
        self._server.open.discard(self)
        if self._worker is not None:
            self._server.left(self._worker, self)
