"""TLS towards clients and towards the model server, for those who end it here.

Bytes are no longer identical then: TLS has no half-close that both sides honour, so the end of either side
ends both. ALPN is mirrored: what a client agreed on with us is what we ask of the model server. The trap is
the order of our offer: a client that can do both gets HTTP/1.1, which any server behind speaks; one
that can only do h2 (gRPC) gets h2.
"""

import os
import ssl
from dataclasses import dataclass

ALPN = ("http/1.1", "h2")
# Certificates are renewed days before they end; this is soon enough and costs three system calls.
RELOAD_SECONDS = 10.0
# A client that does not finish its handshake holds a descriptor for nothing.
HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Towards clients. `client_ca` asks for a certificate signed by it. All are paths of PEM files."""

    cert: str
    key: str
    client_ca: str = ""

    def context(self) -> ssl.SSLContext:
        """A context for accepted connections. Raises OSError (ssl.SSLError is one)."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
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
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols([alpn])
        return context


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
