"""Shaking hands over TLS without waiting: a step whenever the other end said something, until a deadline."""

import errno
import ssl
from collections.abc import Callable

from sidecar.relay.loop import READABLE, WRITABLE, Loop
from sidecar.relay.tls import TlsSocket


class Handshake:
    """Exactly one of `done` and `failed` is called, once; a socket that failed is closed."""

    def __init__(
        self,
        loop: Loop,
        sock: TlsSocket,
        seconds: float,
        done: Callable[[TlsSocket], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._done = done
        self._failed = failed
        self._deadline = loop.later(seconds, lambda: self._fail(TimeoutError()))
        loop.soon(lambda: self._step(0))

    def _step(self, _events: int) -> None:
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.watch(self._sock.fileno(), READABLE, self._step)
        except ssl.SSLWantWriteError:
            self._loop.watch(self._sock.fileno(), WRITABLE, self._step)
        except OSError as error:
            self._fail(error)
        except Exception:  # a fault of ours: what is watched would bring it again at once, and again
            self._fail(OSError(errno.EIO, "the TLS handshake failed"))
            raise
        else:
            self._settle()
            self._done(self._sock)

    def _fail(self, error: OSError) -> None:
        self._settle()
        self._sock.close()
        self._failed(error)

    def _settle(self) -> None:
        self._deadline.cancel()
        self._loop.watch(self._sock.fileno(), 0, self._step)
