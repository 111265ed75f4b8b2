"""Where a route leads, and how to get there: one connection attempt, without a task of its own.

Names are resolved beside the traffic, never for a connection that waits; several addresses are tried in
turn. The trap: connecting to a full unix socket fails at once instead of waiting, so we wait.
"""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sidecar.relay.loop import WRITABLE, Cancellable, Loop

# A model server that moved is found again in this time; a lookup in between costs nobody anything.
RESOLVE_SECONDS = 5.0
# Half as often each time: a thousand that wait would else do nothing but ask.
_FULL_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.01, 0.16

Place = tuple[int, Any]


@dataclass(slots=True)
class Upstream:
    """A model server: host and port, or the path of a unix socket. `name` is how people wrote it."""

    name: str
    host: str = ""
    port: int = 0
    path: str = ""
    places: list[Place] = field(default_factory=list)

    def resolve(self) -> None:
        """Find the addresses; keep the old ones when the name cannot be resolved now."""
        if self.path:
            self.places = [(socket.AF_UNIX, self.path)]
            return
        with contextlib.suppress(OSError, UnicodeError):  # of a name that none can have, "a..b"
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.places = list(dict.fromkeys((int(family), where) for family, _, _, _, where in found))

    def keep_resolved(self) -> None:
        """Resolve again and again, beside the loop, if there is a name to resolve."""
        if not self.path and not _is_literal(self.host):
            threading.Thread(target=self._resolve_for_ever, daemon=True).start()

    def _resolve_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(RESOLVE_SECONDS):
            self.resolve()


def original_destination(sock: socket.socket) -> Place | None:
    """Where a connection went before an iptables REDIRECT sent it here; None if nothing redirected it."""
    level, size = (socket.IPPROTO_IP, 16) if sock.family == socket.AF_INET else (socket.IPPROTO_IPV6, 28)
    try:
        raw = sock.getsockopt(level, _SO_ORIGINAL_DST, size)
    except OSError:
        return None
    port = int.from_bytes(raw[2:4], "big")
    address = raw[4:8] if sock.family == socket.AF_INET else raw[8:24]
    host = socket.inet_ntop(sock.family, address)
    return None if (host, port) == sock.getsockname()[:2] else (int(sock.family), (host, port))


# linux/netfilter_ipv4.h and its IPv6 twin; the socket module does not name it.
_SO_ORIGINAL_DST = 80


class Dial:
    """One attempt to reach any of `places`; exactly one of `reached` and `failed` is called, once."""

    def __init__(
        self,
        loop: Loop,
        places: list[Place],
        seconds: float,
        reached: Callable[[socket.socket], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._left = list(places)
        self._seconds = seconds
        self._pause = _FULL_RETRY_SECONDS
        self._reached = reached
        self._failed = failed
        self._error: OSError | None = None
        self._socket: socket.socket | None = None
        self._deadline: Cancellable | None = None

    def start(self) -> None:
        """Try the next address; on one machine it usually stands before this returns."""
        while self._left:
            family, where = self._left[0]
            try:
                sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            except OSError as error:  # no descriptor left
                self._give_up(error)
                return
            code = _connect(sock, where)
            if code == errno.EINPROGRESS:
                # On one machine the handshake is over by now, and asking again is all it takes to know:
                # waiting for the loop to say so would cost six system calls and a turn of the loop.
                code = _connect(sock, where)
            if code == 0:
                self._stand(sock)
                return
            if code in (errno.EINPROGRESS, errno.EALREADY):
                self._wait(sock)
                return
            sock.close()
            if code == errno.EAGAIN:
                self._later()
                return
            self._next(code)
        self._give_up(self._error or socket.gaierror(socket.EAI_NONAME, "its name cannot be resolved"))

    def _wait(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop.watch(sock.fileno(), WRITABLE, self._writable)
        self._set_deadline()

    def _later(self) -> None:
        self._set_deadline()
        self._loop.later(self._pause, self._again)
        self._pause = min(2 * self._pause, _LONGEST_RETRY_SECONDS)

    def _again(self) -> None:
        if self._left:  # not given up meanwhile
            self.start()

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self._loop.later(self._seconds, lambda: self._give_up(TimeoutError()))

    def _writable(self, _events: int) -> None:
        sock = self._socket
        assert sock is not None
        # Not SO_ERROR, which is none while nobody knows: this may have been said of a socket before it
        # that had its number and was closed in the same turn.
        code = _connect(sock, self._left[0][1])
        if code == errno.EALREADY:
            return
        self._socket = None
        self._loop.watch(sock.fileno(), 0, self._writable)
        if code == 0:
            self._stand(sock)
            return
        sock.close()
        self._next(code)
        self.start()

    def _next(self, code: int) -> None:
        self._error = OSError(code, os.strerror(code))
        self._left.pop(0)

    def _stand(self, sock: socket.socket) -> None:
        self._settle()
        self._reached(sock)

    def _give_up(self, error: OSError) -> None:
        self._settle()
        self._failed(error)

    def _settle(self) -> None:
        self._left.clear()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._socket is not None:
            self._loop.watch(self._socket.fileno(), 0, self._writable)
            self._socket.close()
            self._socket = None


def _connect(sock: socket.socket, where: Any) -> int:
    """What the kernel says to the attempt."""
    try:
        return sock.connect_ex(where)
    except OSError:  # it did not come so far: the interface that it names is gone, or its path is too long
        return errno.EADDRNOTAVAIL


def _is_literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host.partition("%")[0])
            return True
    return False
