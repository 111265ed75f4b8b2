"""TLS towards clients and towards the model server, for those who end it here.

Bytes are no longer identical then: TLS has no half-close that both sides honour, so the end of either side
ends both. ALPN is mirrored: what a client agreed on with us is what we ask of the model server. The trap is
the order of our offer: a client that can do both gets HTTP/1.1, which any server behind speaks; one
that can only do h2 (gRPC) gets h2.
"""

import contextlib
import errno
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any

ALPN = ("http/1.1", "h2")
# Certificates are renewed days before they end; this is soon enough and costs three system calls.
RELOAD_SECONDS = 10.0
# A client that does not finish its handshake holds a descriptor for nothing.
HANDSHAKE_SECONDS = 10.0

# The state of a connection after a reset (linux/tcp_states.h); after an end it is another one.
_TCP_CLOSE = 7
# The most that one carries (RFC 8446, 5.1).
_RECORD_BYTES = 16 * 1024


class TlsSocket(ssl.SSLSocket):
    """Read and written like a plain socket that does not block.

    Records are read whole: nothing that left the kernel waits where epoll cannot see it.
    """

    # It ended without a close_notify: something may be missing, and nobody can know.
    ragged = False
    # What a read found behind the bytes that it returned: the next one says it. True is an orderly end.
    _found: OSError | bool = False

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Bytes read, 0 at the end. Raises BlockingIOError when there are none yet."""
        if self._found:
            return self._say_what_was_found()
        size = self._read_record(buffer)
        try:
            while size and len(buffer) - size >= _RECORD_BYTES:
                more = self._read_record(buffer[size:])
                if not more:
                    self._find(True)
                    break
                size += more
        except BlockingIOError:
            pass
        except OSError as error:
            self._find(error)
        return size

    def _find(self, what: OSError | bool) -> None:
        """The record that said it has left the kernel: what makes the socket readable is only this."""
        self._found = what
        with contextlib.suppress(OSError):  # cut: then it is readable anyway
            socket.socket.shutdown(self, socket.SHUT_RD)

    def _say_what_was_found(self) -> int:
        if isinstance(self._found, OSError):
            raise self._found
        return 0

    def _read_record(self, buffer: Any) -> int:
        try:
            size = super().recv_into(buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error
        except ssl.SSLEOFError:
            if self._was_cut():
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from None
            self.ragged = True
            return 0
        return size

    def _was_cut(self) -> bool:
        """Before Python 3.12 the ssl module takes a reset for an end; the kernel knows which it was.

        OpenSSL answers an end that was not announced with an alert, and a socket that is closed answers that
        with a reset: then the kernel's error is another one, because the end came first.
        """
        if self.family == socket.AF_UNIX:
            return False
        try:
            closed = self.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE
            return closed and self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != errno.EPIPE
        except OSError:
            return False

    def send(self, data: Any, flags: int = 0) -> int:
        """Bytes taken, of as many records as it needs. Raises BlockingIOError when it is none.

        The next call must begin with the bytes that were not taken.
        """
        rest = memoryview(data)
        try:
            while rest:  # one record each time
                rest = rest[super().send(rest, flags) :]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if len(rest) == len(data):
                raise BlockingIOError from error
        except OSError:
            if len(rest) == len(data):  # else it comes again, with the next call
                raise
        return len(data) - len(rest)

    def shutdown(self, how: int) -> None:
        """Say close_notify, and do not wait for theirs."""
        with contextlib.suppress(OSError, ValueError):  # they have not said it yet, or are gone
            self.unwrap()


def accepted(context: ssl.SSLContext, sock: socket.socket) -> TlsSocket:
    """The socket of a client, hands not shaken yet. Raises OSError when it is gone already."""
    return _over(context, sock, server_side=True)


def dialled(context: ssl.SSLContext, sock: socket.socket, name: str) -> TlsSocket:
    """The socket to a server called `name` ("": whoever it is), hands not shaken yet. Raises OSError."""
    if context.check_hostname and not name:
        raise OSError(
            errno.EINVAL, "upstream_tls.server_name says whose certificate it must be, and is not set"
        )
    return _over(context, sock, server_hostname=name or None)


def _over(context: ssl.SSLContext, sock: socket.socket, **which: Any) -> TlsSocket:
    wrapped = context.wrap_socket(sock, do_handshake_on_connect=False, suppress_ragged_eofs=False, **which)
    assert isinstance(wrapped, TlsSocket)
    return wrapped


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Towards clients. `client_ca` asks for a certificate signed by it. All are paths of PEM files."""

    cert: str
    key: str
    client_ca: str = ""

    def context(self) -> ssl.SSLContext:
        """A context for accepted connections. Raises OSError (ssl.SSLError is one)."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        _ours(context)
        context.load_cert_chain(self.cert, self.key)
        context.set_alpn_protocols(list(ALPN))
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Towards the model server. `ca` empty means the system's; `verify` False trusts anybody."""

    ca: str = ""
    server_name: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True
    alpn: str = ""

    def context(self, alpn: str) -> ssl.SSLContext:
        """A context for dialled connections that asks for `alpn` ("" asks for nothing). Raises OSError."""
        context = ssl.create_default_context(cafile=self.ca or None)
        _ours(context)
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols([alpn])
        return context


def _ours(context: ssl.SSLContext) -> None:
    context.sslsocket_class = TlsSocket
    # A renegotiation would have a read wait for a write.
    context.options |= ssl.OP_NO_RENEGOTIATION


class Contexts:
    """The contexts in use, renewed when their files change: connections that stand are not touched."""

    def __init__(self, server: ServerTls | None, client: ClientTls | None) -> None:
        self.client = client
        self._server = server
        self._towards_server: dict[str, ssl.SSLContext] = {}
        self.accepting = server.context() if server else None
        self._stamp = self._stamps()

    def dialling(self, agreed: str | None) -> ssl.SSLContext | None:
        """For a pair whose client agreed on this protocol (None: it did not use ALPN)."""
        if self.client is None:
            return None
        alpn = agreed or self.client.alpn
        context = self._towards_server.get(alpn)
        if context is None:
            context = self._towards_server[alpn] = self.client.context(alpn)
        return context

    def renew(self) -> bool:
        """Load again what changed on disk; True if something did. Raises OSError and keeps what it had."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        self._stamp = stamp  # a broken file is complained of once, not every ten seconds
        if self._server is not None and self.accepting is not None:
            self._server.context()  # all of it must be readable before any of it is used
            self.accepting.load_cert_chain(self._server.cert, self._server.key)
            if self._server.client_ca:
                self.accepting.load_verify_locations(self._server.client_ca)
        self._towards_server.clear()
        return True

    def _stamps(self) -> list[tuple[str, float]]:
        paths = [*_paths(self._server, "cert", "key", "client_ca"), *_paths(self.client, "ca", "cert", "key")]
        return [(path, _modified(path)) for path in paths]


def _paths(of: object, *names: str) -> list[str]:
    return [path for name in names if of is not None and (path := getattr(of, name))]


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
