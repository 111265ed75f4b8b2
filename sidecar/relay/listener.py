"""Accepts connections on inherited sockets and finds each one its upstream.

One upstream connection per client connection, opened at once. What a client sends before the upstream
stands waits in the pair, one read at most: then the client is paused.
"""

import asyncio
import errno
import socket
from dataclasses import dataclass

from sidecar.relay.counters import Counters
from sidecar.relay.pair import Pair, Side
from sidecar.relay.refusal import Refusal
from sidecar.relay.tee import Tee

# One more than any burst we want to lose; the listening socket was bound with it by the supervisor.
BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a route leads: host and port, or the path of a unix socket."""

    name: str
    host: str = ""
    port: int = 0
    path: str = ""


class Listener:
    """All routes of one worker, and the pairs that came through them."""

    def __init__(self, worker: int, tee: Tee, counters: Counters, connect_timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._tee = tee
        self._counters = counters
        self._connect_timeout = connect_timeout
        self._serial = worker << 40
        self._servers: list[asyncio.Server] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self.pairs: dict[int, Pair] = {}

    async def listen(self, sock: socket.socket, route: str, upstream: Upstream) -> None:
        """Accept on `sock` for ever."""

        def accepted() -> Side:
            return self._accept(route, upstream)

        create = self._loop.create_unix_server if sock.family == socket.AF_UNIX else self._loop.create_server
        server = await create(accepted, sock=sock, backlog=BACKLOG)
        self._servers.append(server)

    def stop_accepting(self) -> None:
        """Close our copies of the listening sockets; pairs live on."""
        for server in self._servers:
            server.close()

    def _accept(self, route: str, upstream: Upstream) -> Side:
        self._serial += 1
        meta = {"route": route, "upstream": upstream.name}
        pair = Pair(self._serial, meta, self._tee, self._counters)
        self.pairs[pair.connection] = pair
        self._counters.connections += 1
        pair.client.on_lost = pair.server.on_lost = lambda: self._lost(pair)
        pair.client.on_made = lambda: self._made(pair, upstream)
        return pair.client

    def _made(self, pair: Pair, upstream: Upstream) -> None:
        self._tee.event(pair.opened(new=True))
        task = self._loop.create_task(self._connect(pair, upstream))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, pair: Pair, upstream: Upstream) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout):
                if upstream.path:
                    await self._loop.create_unix_connection(lambda: pair.server, upstream.path)
                else:
                    await self._loop.create_connection(lambda: pair.server, upstream.host, upstream.port)
        except OSError as error:  # TimeoutError is one
            self._refuse(pair, upstream, error)
            return
        if pair.client.lost:
            pair.abort()
        else:
            pair.join()

    def _refuse(self, pair: Pair, upstream: Upstream, error: OSError) -> None:
        reason, detail = _why(error)
        self._counters.connect_failures[reason] += 1
        if not pair.client.lost:
            Refusal(pair, upstream.name, reason, detail).start()

    def _lost(self, pair: Pair) -> None:
        if pair.closed_now():
            del self.pairs[pair.connection]
            self._counters.connections -= 1


def _why(error: OSError) -> tuple[str, str]:
    if isinstance(error, TimeoutError):
        return "timeout", "no answer to the connection attempt in time"
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ENOENT:
        return "refused", "connection refused (is it listening yet?)"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return "unreachable", "no route to it"
    if isinstance(error, socket.gaierror):
        return "unreachable", "its name cannot be resolved"
    return "other", error.strerror or type(error).__name__
