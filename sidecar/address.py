"""Where something listens or is reached: `host:port`, `[::1]:port`, `:port` or `unix:/path`.

An address is text until it is parsed, and parsing never resolves a name. The trap: two addresses that
differ may be one socket (`0.0.0.0:80` holds `127.0.0.1:80` too), which is what `overlaps` answers.

Imported by the relay: standard library only.
"""

import re
from dataclasses import dataclass

from sidecar.errors import UsageError

_WANTED = "give host:port, [::1]:port or unix:/path"
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
# sun_path is 108 bytes with its final NUL; a longer path fails in bind() with a worse sentence.
_MAX_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address (`host`, `port`) or, when `path` is not empty, a unix socket.

    Port 0 asks the kernel for a free one: right for a listener, never for an upstream.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """The address that `text` spells; `:port` means every IPv4 interface. Raises UsageError."""
        if text.startswith("unix:"):
            return cls(path=_path(text))
        if "://" in text:
            scheme, rest = text.split("://", 1)
            raise _wrong(text, f"leave out {scheme}:// and give {_without_path(rest)}")
        host, colon, port = text.rpartition(":")
        if not colon:
            raise _wrong(text, _missing_half(text))
        return cls(_host(host, text), _port(port, text))

    @classmethod
    def of_flag(cls, flag: str, text: str) -> "Address":
        """As `parse`; what it raises names the flag."""
        try:
            return cls.parse(text)
        except UsageError as error:
            raise UsageError(f"{flag}: {error}") from error

    @property
    def is_unix(self) -> bool:
        """A unix socket, not TCP."""
        return bool(self.path)

    def overlaps(self, other: "Address") -> bool:
        """Whether one socket could answer for both. Port 0 overlaps nothing; names are not resolved."""
        if self.path or other.path:
            return self.path == other.path
        if self.port != other.port or self.port == 0:
            return False
        hosts = {self.host.lower(), other.host.lower()}
        return len(hosts) == 1 or hosts <= _HERE or bool(hosts & _EVERYWHERE and hosts <= _EVERYWHERE | _HERE)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """A pair: what arrives at `listen` is relayed to `upstream`; None: to where it was redirected from."""

    listen: Address
    upstream: Address | None


def _path(text: str) -> str:
    path = text.removeprefix("unix:")
    if path.startswith("//"):
        path = "/" + path.lstrip("/")
    if not path.startswith("/") or path == "/" or "\0" in path:
        raise _wrong(text, "give an absolute path, such as unix:/run/sidecar/model.sock")
    if len(path.encode("utf-8", "surrogateescape")) > _MAX_PATH_BYTES:
        raise _wrong(text, f"a unix socket's path has at most {_MAX_PATH_BYTES} bytes")
    return path


def _host(host: str, text: str) -> str:
    if not host:
        return "0.0.0.0"  # noqa: S104 - what ":port" means to everybody who writes it
    if host.startswith("[") and host.endswith("]"):
        if not re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?", host[1:-1]):
            raise _wrong(text, _WANTED)
        return host[1:-1]
    if ":" in host:
        raise _wrong(text, "put an IPv6 address in brackets, such as [::1]:8000")
    if not _NAME.fullmatch(host):
        raise _wrong(text, _WANTED)
    return host


def _port(port: str, text: str) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise _wrong(text, "give a port from 0 to 65535 after the last colon")
    return int(port)


def _missing_half(text: str) -> str:
    if text.isascii() and text.isdigit():
        return f"give the host too, such as 127.0.0.1:{text}"
    if text.startswith("/"):
        return f"write unix:{_shown(text)} for a socket in the file system"
    return _WANTED


def _without_path(rest: str) -> str:
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return authority if ":" in authority else f"{authority or 'host'}:port"


def _wrong(text: str, hint: str) -> UsageError:
    return UsageError(f"{_shown(text)} is not an address; {hint}")


def _shown(text: str) -> str:
    text = re.sub(r"//[^/]*@", "//…@", text)  # a password is not repeated
    shown = text if text.isprintable() and text else ascii(text)
    return shown if len(shown) <= 80 else shown[:79] + "…"
