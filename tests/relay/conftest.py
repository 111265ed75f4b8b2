"""A relay whose loop is turned by the test's, and an observer that listens."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.chunk import Chunk, FrameReader, Kind, encode
from sidecar.relay.counters import Counters
from sidecar.relay.listener import Listener
from sidecar.relay.loop import Cancellable, Loop
from sidecar.relay.tee import Tee
from sidecar.relay.upstream import Upstream

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Nested(Loop):
    """The relay's loop inside asyncio's, which waits for it and has its timers."""

    def __init__(self) -> None:
        super().__init__(self.faults_are_told)
        self._outer = asyncio.get_running_loop()
        self._outer.add_reader(self._epoll.fileno(), self.turn, 0)
        self.faults: list[Exception] = []

    def faults_are_told(self, fault: Exception) -> None:
        self.faults.append(fault)

    def soon(self, callback: Callable[[], object]) -> None:
        self._outer.call_soon(self.attempt, callback)

    def later(self, seconds: float, callback: Callable[[], object]) -> Cancellable:
        return self._outer.call_later(seconds, self.attempt, callback)


class Observer:
    """Listens for the tee and keeps every chunk."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.chunks: list[Chunk] = []
        self.changed = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            Path(self.path).unlink()
        self._server = await asyncio.start_unix_server(self._read, self.path)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def say(self, chunk: Chunk) -> None:
        for writer in self._writers:
            writer.write(encode(chunk))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        frames = FrameReader()
        while True:
            await self.reading.wait()
            data = await reader.read(65536)
            if not data:
                return
            self.chunks.extend(frames.feed(data))
            self.changed.set()

    async def until(self, wanted: Callable[[list[Chunk]], Any]) -> Any:
        """Wait for the chunks to satisfy `wanted`; returns what it returned."""
        async with asyncio.timeout(10):
            while not (found := wanted(self.chunks)):
                self.changed.clear()
                await self.changed.wait()
        return found

    def bytes_of(self, direction: int) -> bytes:
        return b"".join(c.data for c in self.chunks if c.kind is Kind.DATA and c.direction == direction)

    def kinds(self) -> list[Kind]:
        return [c.kind for c in self.chunks if c.kind not in (Kind.HELLO, Kind.STATS)]


class Relay:
    """One worker's listener and tee."""

    def __init__(self, tmp_path: Path, budget: int) -> None:
        self.counters = Counters()
        self.observer = Observer(tmp_path / "tee.sock")
        self.loop = Nested()
        self.tee = Tee(self.loop, self.observer.path, 1, self.counters, budget)
        self.listener = Listener(self.loop, 1, self.tee, self.counters, connect_timeout=2.0)
        self._servers: list[asyncio.Server] = []
        self.address = ("", 0)

    async def in_front_of(self, upstream: Upstream) -> tuple[str, int]:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        self.listener.listen(sock, "route", upstream)
        self.address = sock.getsockname()
        return self.address

    async def in_front_of_handler(self, handler: Handler) -> tuple[str, int]:
        """Start an upstream that runs `handler` for each connection, and relay to it."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                await handler(reader, writer)

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()
        return await self.in_front_of(Upstream(f"{host}:{port}", host, port))

    async def stop(self) -> None:
        self.listener.stop_accepting()
        for pair in list(self.listener.pairs.values()):
            pair.abort()
        for server in self._servers:
            server.close()
        self.tee.close()
        await self.observer.stop()
        assert self.loop.faults == []


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    relay = Relay(tmp_path, budget=1024 * 1024)
    await relay.observer.start()
    relay.tee.connect()
    yield relay
    await relay.stop()
