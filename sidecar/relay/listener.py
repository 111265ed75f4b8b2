"""Accepts connections on inherited sockets and finds each one its upstream.

One upstream connection per client connection, opened at once. What a client sends before the upstream
stands waits in the pair, one read at most: then the client is paused. A connection that would lead back
to ourselves is refused: it would never end.
"""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sidecar.relay.counters import Counters
from sidecar.relay.loop import READABLE, Loop
from sidecar.relay.pair import Pair
from sidecar.relay.refusal import Refusal
from sidecar.relay.tee import Tee
from sidecar.relay.upstream import Dial, Place, Upstream, original_destination

if TYPE_CHECKING:  # loaded where it is used: a relay without TLS is 2 MB smaller
    from sidecar.relay.tls import Contexts

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
        loop: Loop,
        worker: int,
        tee: Tee,
        counters: Counters,
        connect_timeout: float,
        tls: "Contexts | None" = None,
    ) -> None:
        self._loop = loop
        self._tee = tee
        self._counters = counters
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._serial = worker << 40
        self._on_lost = self._lost  # one object for all pairs
        self._doors: list[Door] = []
        # Both ends of our upstream connections, far by near: whoever comes with the same two is ourselves.
        # The near end alone proves nothing: the kernel gives one port to connections to different places.
        self._our_ends: dict[Any, Any] = {}
        self.pairs: dict[int, Pair] = {}
        tee.pairs = self.pairs

    def listen(self, sock: socket.socket, route: str, upstream: Upstream | None) -> None:
        """Accept on `sock` for ever. Without an upstream, connections go where they were redirected from."""
        if upstream is not None:
            upstream.resolve()
            upstream.keep_resolved()
        if sock.family != socket.AF_UNIX:
            # What is accepted inherits it: bytes go on as they come, not when there are more of them.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        meta = {"route": route, "upstream": upstream.name if upstream else "redirect"}
        self._doors.append(Door(sock, meta, upstream))
        self._open(self._doors[-1])

    def _open(self, door: Door) -> None:
        if door in self._doors:
            self._loop.watch(door.sock.fileno(), READABLE, lambda _: self._accept(door, _ACCEPT_AT_ONCE))

    def stop_accepting(self) -> None:
        """Take in who waits already, and close our copies of the listening sockets; pairs live on."""
        while self._doors:
            door = self._doors.pop()
            self._shut(door)
            self._accept(door, BACKLOG)
            door.sock.close()

    def _shut(self, door: Door) -> None:
        self._loop.watch(door.sock.fileno(), 0, _unasked)

    def _accept(self, door: Door, most: int) -> None:
        for _ in range(most):
            try:
                sock, peer = door.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor or memory left: asked again at once, it says so again
                self._shut(door)
                self._loop.later(_ACCEPT_PAUSE_SECONDS, lambda: self._open(door))
                return
            self._loop.attempt(partial(self._take, door, sock, peer))

    def _take(self, door: Door, sock: socket.socket, peer: Any) -> None:
        sock.setblocking(False)
        self._serial += 1
        pair = Pair(self._loop, self._serial, door.meta, self._tee, self._counters, self._on_lost)
        self.pairs[pair.connection] = pair
        self._counters.connections += 1
        if self._tls is None or self._tls.accepting is None:
            self._safely(pair, self._made, sock, door.upstream, peer)
        else:
            self._safely(pair, self._shake_hands, sock, door.upstream, peer)

    def _safely(self, pair: Pair, step: Callable[..., None], *arguments: Any) -> None:
        """A fault of ours costs this connection, and no other: nobody else would ever end it."""
        try:
            step(pair, *arguments)
        except Exception:
            pair.abort()
            self._vanished(pair)
            raise

    def _vanished(self, pair: Pair) -> None:
        """Its client is gone before its connection stood."""
        if pair.client.sock is None:
            pair.client.lost = True
            self._lost(pair)

    def _shake_hands(self, pair: Pair, sock: socket.socket, upstream: Upstream | None, peer: Any) -> None:
        from sidecar.relay import handshake, tls

        assert self._tls is not None
        assert self._tls.accepting is not None
        pair.client.half_closes = False
        try:
            secure = tls.accepted(self._tls.accepting, sock)
        except OSError:
            self._vanished(pair)
            return
        handshake.Handshake(
            self._loop,
            secure,
            tls.HANDSHAKE_SECONDS,
            lambda secure: self._safely(pair, self._made, secure, upstream, peer),
            lambda _: self._vanished(pair),
        )

    def _made(self, pair: Pair, sock: socket.socket, upstream: Upstream | None, peer: Any) -> None:
        """The client's connection stands: find it its upstream, and listen to it meanwhile."""
        pair.client.sock = sock
        self._tee.event(pair.opened(new=True))
        places = upstream.places if upstream else _redirected(sock)
        if (not places and upstream is None) or self._is_ourselves(sock, peer):
            self._counters.connect_failures["loop"] += 1
            pair.client.reset()
            return
        Dial(
            self._loop,
            places,
            self._connect_timeout,
            lambda sock: self._safely(pair, self._reached, sock, upstream.host if upstream else ""),
            lambda error: self._safely(pair, self._refuse, error),
        ).start()
        pair.client.resume()

    def _is_ourselves(self, sock: socket.socket, peer: Any) -> bool:
        far = self._our_ends.get(_end(peer))
        if far is None:
            return False
        meant = original_destination(sock)
        return bool(far == _end(meant[1] if meant is not None else sock.getsockname()))

    def _reached(self, pair: Pair, sock: socket.socket, host: str) -> None:
        if pair.client.lost:
            sock.close()
            self._lost(pair)
            return
        try:
            near, far = sock.getsockname(), sock.getpeername()
            if near == far:  # a port the kernel gives out, and nobody listens: it connected to itself
                raise ConnectionRefusedError(errno.ECONNREFUSED, "it is itself")
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:  # it was cut already
            sock.close()
            self._refuse(pair, error)
            return
        if isinstance(near, tuple):  # not a unix socket, which leads to nobody else
            pair.our_end = _end(near)
            self._our_ends[pair.our_end] = _end(far)
        if self._tls is None or self._tls.client is None:
            self._stands(pair, sock)
        else:
            self._secure(pair, sock, self._tls.client.server_name or host)

    def _stands(self, pair: Pair, sock: socket.socket) -> None:
        pair.server.sock = sock
        pair.join()

    def _secure(self, pair: Pair, sock: socket.socket, name: str) -> None:
        """Shake hands with the model server, asking for the protocol that the client agreed on with us."""
        from sidecar.relay import handshake, tls

        assert self._tls is not None
        pair.server.half_closes = False
        client = pair.client.sock
        agreed = client.selected_alpn_protocol() if isinstance(client, tls.TlsSocket) else None
        try:
            context = self._tls.dialling(agreed)
            assert context is not None
            secure = tls.dialled(context, sock, name)
        except OSError as error:
            sock.close()
            self._refuse(pair, error)
            return
        handshake.Handshake(
            self._loop,
            secure,
            self._connect_timeout,
            lambda secure: self._safely(pair, self._stands, secure),
            lambda error: self._safely(pair, self._refuse, error),
        )

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


def _end(address: Any) -> Any:
    """Host and port, IPv4's as such also where a socket of both families shows it as IPv6."""
    return (address[0].removeprefix("::ffff:"), address[1]) if isinstance(address, tuple) else None


def _redirected(sock: socket.socket) -> list[Place]:
    """The original destination of a redirected client."""
    place = original_destination(sock)
    return [] if place is None else [place]


def _unasked(_events: int) -> None:
    """What happens at a door that is not watched."""


def _why(error: OSError) -> tuple[str, str]:
    if hasattr(error, "library"):  # ssl.SSLError, which is not loaded for this
        return "tls", f"the TLS handshake failed ({getattr(error, 'reason', '') or 'no reason given'})"
    if isinstance(error, TimeoutError):
        return "timeout", "no answer to the connection attempt in time"
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ENOENT:
        return "refused", "connection refused (is it listening yet?)"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return "unreachable", "no route to it"
    if isinstance(error, socket.gaierror):
        return "unreachable", "its name cannot be resolved"
    return "other", error.strerror or type(error).__name__
