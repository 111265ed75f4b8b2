"""Small model servers that misbehave on demand, and a load that notices.

HTTP just sufficient for their own traffic: a head, a Content-Length, keep-alive.
"""

import asyncio
import contextlib
import itertools
import re
import resource
import socket
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

Address = tuple[str, int]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Upstream:
    """Runs `handler` for each connection on a port that stays ours while we are away."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self.handler = handler
        self.port = port
        self.open = 0
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and cut what is open."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            cut(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.accepted += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.handler(reader, writer)
        finally:
            writer.close()
            self._writers.discard(writer)
            self.open -= 1


@contextlib.asynccontextmanager
async def upstream(handler: Handler) -> AsyncIterator[Upstream]:
    server = Upstream(handler)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def cut(writer: asyncio.StreamWriter) -> None:
    """Reset a connection."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One request's head and body. Raises IncompleteReadError at the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1])) if length else b""


def answer(body: bytes, status: str = "200 OK", *, closing: bool = False) -> bytes:
    close = "Connection: close\r\n" if closing else ""
    return f"HTTP/1.1 {status}\r\n{close}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A healthy server: the body comes back."""
    while True:
        _, body = await request(reader)
        writer.write(answer(body))
        await writer.drain()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything, says nothing, leaves when its client does."""
    while await reader.read(65536):
        pass


def post(body: bytes, path: str = "/v1/models/m:predict") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(address: Address, sent: bytes) -> bytes:
    """One request on a connection of its own; everything up to the end of the answer."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        return head + await reader.readexactly(int(length[1]) if length else 0)
    finally:
        writer.close()


class Load:
    """Keep-alive clients that ask one unique thing after another, and reconnect when let go between two."""

    def __init__(self, address: Address, clients: int = 8, pause: float = 0.0, back: bool = True) -> None:
        self.answered = 0
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.let_go = 0
        self.slowest = 0.0
        self._address = address
        self._clients = clients
        self._pause = pause
        self._back = back
        self._stop = asyncio.Event()
        self._serial = itertools.count()

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)

    async def more(self, count: int, seconds: float = 30.0) -> None:
        """Wait for this many further answers."""
        goal = self.answered + count
        async with asyncio.timeout(seconds):
            while self.answered < goal:
                assert not all(task.done() for task in self._tasks), "every client gave up"
                await asyncio.sleep(0.005)

    async def gave_up(self, seconds: float = 30.0) -> None:
        """Wait until no client finds anybody to connect to."""
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._tasks)

    async def _client(self) -> None:
        while not self._stop.is_set():
            try:
                reader, writer = await asyncio.open_connection(*self._address)
            except OSError:
                return  # nobody there: what a balancer would have taken out
            try:
                await self._converse(reader, writer)
            finally:
                writer.close()
            if not self._back:
                return

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            if reader.at_eof():
                self.let_go += 1
                return
            body = b'{"instances": [[%d]]}' % next(self._serial)
            started = loop.time()
            try:
                writer.write(post(body))
                head, got = await request(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append(repr(error))
                return
            self.slowest = max(self.slowest, loop.time() - started)
            self.statuses[int(head.split(b" ", 2)[1])] += 1
            if got != body:
                self.failures.append("not my answer")
            self.answered += 1
            if b"connection: close" in head.lower():
                self.let_go += 1
                return
            await asyncio.sleep(self._pause)


@contextlib.asynccontextmanager
async def echo_apart() -> AsyncIterator[str]:
    """A healthy server in a process of its own, for tests whose own descriptors are spoken for."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.servers", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


def raise_descriptor_limit() -> int:
    """As many open files as this process may have; how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def main() -> None:
    raise_descriptor_limit()
    server = Upstream(echo)
    await server.start()
    print(server.name, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
