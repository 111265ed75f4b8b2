"""Accepts connections on inherited sockets and finds each one its upstream.

One upstream connection per client connection, opened at once. What a client sends before the upstream
stands waits in the pair, one read at most: then the client is paused. A connection that would lead back
to ourselves is refused: it would never end.
"""

import asyncio
import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from sidecar.relay.counters import Counters
from sidecar.relay.pair import Pair, reset
from sidecar.relay.plain import PlainTransport
from sidecar.relay.readiness import Readiness
from sidecar.relay.refusal import Refusal
from sidecar.relay.tee import Tee
from sidecar.relay.tls import HANDSHAKE_SECONDS, Contexts
from sidecar.relay.upstream import Dial, Place, Upstream, original_destination

# One more than any burst we want to lose; the listening socket was bound with it by the supervisor.
BACKLOG = 4096
# In one turn of the loop: a burst of new connections must not keep those that stand waiting.
_ACCEPT_AT_ONCE = 16
_ACCEPT_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """A listening socket, what is said of its connections, and where they lead."""

    sock: socket.socket
    meta: dict[str, str]
    upstream: Upstream | None


class Listener:
    """All routes of one worker, and the pairs that came through them."""

    def __init__(
        self,
        worker: int,
        tee: Tee,
        counters: Counters,
        connect_timeout: float,
        tls: Contexts | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tee = tee
        self._counters = counters
        self._connect_timeout = connect_timeout
        self._tls = tls or Contexts(None, None)
        self._serial = worker << 40
        self._on_lost = self._lost  # one object for all pairs
        self._ready = Readiness(self._loop)
        self._doors: list[Door] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        # Both ends of our upstream connections, far by near: whoever comes with the same two is ourselves.
        # The near end alone proves nothing: the kernel gives one port to connections to different places.
        self._our_ends: dict[Any, Any] = {}
        self.pairs: dict[int, Pair] = {}
        tee.pairs = self.pairs

    async def listen(self, sock: socket.socket, route: str, upstream: Upstream | None) -> None:
        """Accept on `sock` for ever. Without an upstream, connections go where they were redirected from."""
        if upstream is not None:
            await upstream.resolve()
            self._keep(upstream.keep_resolved())
        if sock.family != socket.AF_UNIX:
            # What is accepted inherits it: bytes go on as they come, not when there are more of them.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        meta = {"route": route, "upstream": upstream.name if upstream else "redirect"}
        self._doors.append(Door(sock, meta, upstream))
        self._open(self._doors[-1])

    def _open(self, door: Door) -> None:
        if door in self._doors:
            self._loop.add_reader(door.sock.fileno(), self._accept, door, _ACCEPT_AT_ONCE)

    def stop_accepting(self) -> None:
        """Take in who waits already, and close our copies of the listening sockets; pairs live on."""
        while self._doors:
            door = self._doors.pop()
            self._loop.remove_reader(door.sock.fileno())
            self._accept(door, BACKLOG)
            door.sock.close()

    def _keep(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _accept(self, door: Door, most: int) -> None:
        for _ in range(most):
            try:
                sock, peer = door.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor or memory left: asked again at once, it says so again
                self._loop.remove_reader(door.sock.fileno())
                self._loop.call_later(_ACCEPT_PAUSE_SECONDS, self._open, door)
                return
            sock.setblocking(False)
            self._take(door, sock, peer)

    def _take(self, door: Door, sock: socket.socket, peer: Any) -> None:
        self._serial += 1
        pair = Pair(self._serial, door.meta, self._tee, self._counters, self._on_lost)
        self.pairs[pair.connection] = pair
        self._counters.connections += 1
        pair.client.on_made = lambda: self._made(pair, door.upstream, peer)
        if self._tls.accepting is None:
            PlainTransport(self._ready, sock, pair.client)
        else:
            self._keep(self._shake_hands(pair, sock, self._tls.accepting))

    async def _shake_hands(self, pair: Pair, sock: socket.socket, context: ssl.SSLContext) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: pair.client, sock, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError:
            if pair.client.transport is None:
                pair.client.lost = True
                self._lost(pair)

    def _made(self, pair: Pair, upstream: Upstream | None, peer: Any) -> None:
        assert pair.client.transport is not None
        self._tee.event(pair.opened(new=True))
        places = upstream.places if upstream else _redirected(pair)
        if (not places and upstream is None) or self._is_ourselves(pair, peer):
            self._counters.connect_failures["loop"] += 1
            reset(pair.client.transport)
            return
        Dial(
            places,
            self._connect_timeout,
            lambda sock: self._reached(pair, sock, upstream.host if upstream else ""),
            lambda error: self._refuse(pair, error),
        ).start()

    def _is_ourselves(self, pair: Pair, peer: Any) -> bool:
        far = self._our_ends.get(peer)
        if far is None:
            return False
        assert pair.client.transport is not None
        sock = pair.client.transport.get_extra_info("socket")
        meant = original_destination(sock)
        return bool(far[:2] == (meant[1] if meant is not None else sock.getsockname()[:2]))

    def _reached(self, pair: Pair, sock: socket.socket, host: str) -> None:
        if pair.client.lost:
            sock.close()
            self._lost(pair)
            return
        try:
            near, far = sock.getsockname(), sock.getpeername()
        except OSError as error:  # it was cut already
            sock.close()
            self._refuse(pair, error)
            return
        if isinstance(near, tuple):  # not a unix socket, which leads to nobody else
            pair.our_end = near
            self._our_ends[near] = far
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair.server.on_made = pair.join
        if self._tls.client is None:
            PlainTransport(self._ready, sock, pair.server)
        else:
            self._keep(self._secure(pair, sock, self._tls.client.server_name or host))

    async def _secure(self, pair: Pair, sock: socket.socket, name: str) -> None:
        """Shake hands with the model server, asking for the protocol that the client agreed on with us."""
        assert pair.client.transport is not None
        accepted = pair.client.transport.get_extra_info("ssl_object")
        agreed = accepted.selected_alpn_protocol() if accepted is not None else None
        try:
            await self._loop.create_connection(
                lambda: pair.server,
                sock=sock,
                ssl=self._tls.dialling(agreed),
                server_hostname=name,
                ssl_handshake_timeout=self._connect_timeout,
            )
        except OSError as error:  # a failed handshake or certificate is one
            sock.close()
            self._refuse(pair, error)

    def _refuse(self, pair: Pair, error: OSError) -> None:
        reason, detail = _why(error)
        self._counters.connect_failures[reason] += 1
        if not pair.client.lost:
            Refusal(pair, pair.meta["upstream"], reason, detail).start()

    def _lost(self, pair: Pair) -> None:
        if pair.closed_now():
            self._our_ends.pop(pair.our_end, None)
            del self.pairs[pair.connection]
            self._counters.connections -= 1


def _redirected(pair: Pair) -> list[Place]:
    """The original destination of a redirected client."""
    assert pair.client.transport is not None
    place = original_destination(pair.client.transport.get_extra_info("socket"))
    return [] if place is None else [place]


def _why(error: OSError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLError):
        return "tls", f"the TLS handshake failed ({error.reason or 'no reason given'})"
    if isinstance(error, TimeoutError):
        return "timeout", "no answer to the connection attempt in time"
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ENOENT:
        return "refused", "connection refused (is it listening yet?)"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return "unreachable", "no route to it"
    if isinstance(error, socket.gaierror):
        return "unreachable", "its name cannot be resolved"
    return "other", error.strerror or type(error).__name__
