"""Binding listening sockets once, for processes that inherit them, and private unix sockets.

No SO_REUSEPORT: with it a second instance would bind silently, and a worker that closes would reset
the connections queued on its own copy.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from typing import Any

from sidecar.address import Address
from sidecar.errors import SidecarError

# asyncio's default of 100 stalls bursts: the kernel drops the SYN and the client waits a second.
BACKLOG = 4096
# What Istio's proxy in a pod passes on from other hosts comes from this address.
_MESH = ipaddress.ip_address("127.0.0.6")


def listen(address: Address) -> socket.socket:
    """A bound, listening, non-blocking socket. Raises SidecarError with a sentence for the user."""
    try:
        sock = _bind_unix(address.path) if address.path else _bind_tcp(address)
        sock.listen(BACKLOG)
    except OSError as error:
        raise SidecarError(f"cannot listen on {address}: {_why(error)}") from error
    sock.setblocking(False)
    return sock


def unix_name(path: str) -> str:
    """The name the kernel knows for `path`; "@name" is a socket without a file."""
    return "\0" + path[1:] if path.startswith("@") else path


def for_others(path: str) -> str:
    """The socket beside `path` for requests that come from other hosts."""
    return f"{path}-others"


def is_local(peer: Any) -> bool:
    """Whether a socket's peer name is of this host: loopback, or a unix socket.

    A peer that is not known any more (None: it has gone) is not; nor is who comes through a service mesh.
    """
    if not isinstance(peer, tuple):
        return isinstance(peer, str | bytes)
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and (mapped or address) != _MESH


class PrivateDirectory:
    """Where our own processes meet: a directory nobody else can enter, or nameless sockets without one.

    A read-only root file system without a writable /tmp is normal in a hardened container; peers are
    checked by their credentials there.
    """

    def __init__(self) -> None:
        import secrets  # here, because the relay loads this file and makes no directory
        import tempfile

        self._path: str | None = None
        self._token = secrets.token_hex(8)
        with contextlib.suppress(OSError):
            self._path = tempfile.mkdtemp(prefix="sidecar-")
            self._try_it()

    def _try_it(self) -> None:
        """A directory on a full disk, or with a path too long for a socket, is as good as none."""
        assert self._path is not None
        probe = f"{self._path}/probe"
        try:
            _bind_unix(probe).close()
        except OSError:
            self.remove()
            self._path = None
        else:
            remove(probe)

    def socket(self, name: str) -> str:
        """A path for `unix_name`."""
        return f"{self._path}/{name}" if self._path else f"@sidecar-{self._token}-{name}"

    def remove(self) -> None:
        """Leave nothing behind."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            for name in os.listdir(self._path):
                os.unlink(f"{self._path}/{name}")
            os.rmdir(self._path)


def peer_is_ours(sock: socket.socket) -> bool:
    """Whether the other end of a unix socket runs as the same user (or as root)."""
    credentials = _credentials(sock)
    return not credentials or int.from_bytes(credentials[4:8], "little") in (os.getuid(), 0)


def peer_process(sock: socket.socket) -> int:
    """The process at the other end of a unix socket; 0 if it cannot be seen from here."""
    return int.from_bytes(_credentials(sock)[:4], "little")


def _credentials(sock: socket.socket) -> bytes:
    if not hasattr(socket, "SO_PEERCRED"):
        return b""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)


def _bind_tcp(address: Address) -> socket.socket:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _keep_alive(sock)
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    return sock


def _keep_alive(sock: socket.socket) -> None:
    """Have the kernel ask silent clients whether they are there; accepted connections inherit it.

    A client whose host vanished would hold two descriptors for ever. A minute of silence, then four
    questions a quarter of a minute apart: no living client is ever cut, however long it is silent.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _bind_unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.bind(unix_name(path))
        if not path.startswith("@"):
            os.chmod(path, 0o600)
    except OSError:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket nobody listens on any more; leave a living one, and anything that is no socket."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "something listens there already (another sidecar?); choose another address or stop it"
    if error.errno == errno.EACCES:
        return "not permitted; ports below 1024 need privileges, choose a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    return error.strerror or str(error)


def remove(path: str) -> None:
    """Remove the file of a unix socket that is closed."""
    with contextlib.suppress(OSError):
        os.unlink(path)
