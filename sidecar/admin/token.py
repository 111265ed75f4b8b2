"""Who may change something: clients of this host, or, when a token is configured, whoever knows it.

With a token, clients of this host need it, too: a pod has other containers. The file is read again when it
changes, as a mounted Secret does. The trap: a token that cannot be read admits nobody, rather than everybody.
"""

import hmac
import logging
import os
import stat

from sidecar.errors import SidecarError, said

# Sixteen characters cannot be guessed over a network; 4 KiB is more than any token.
MIN_CHARACTERS = 16
_MAX_BYTES = 4096

_log = logging.getLogger(__name__)


def read_token(path: str) -> bytes:
    """The token in a file, without space around it. Raises SidecarError that says what is wrong with it."""
    try:
        # A pipe would keep us waiting for whoever writes into it, and this is the loop that reads traffic.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SidecarError(f"{path} is no file; give one that holds the token")
            found = file.read(_MAX_BYTES + 1).strip()
    except OSError as error:
        raise SidecarError(f"{path} cannot be read: {said(error)}") from error
    if not MIN_CHARACTERS <= len(found) <= _MAX_BYTES:
        raise SidecarError(f"{path} holds no token; give one of at least {MIN_CHARACTERS} characters")
    if not found.isascii() or any(character <= 0x20 for character in found):
        raise SidecarError(f"{path} holds no token; give one line of letters, digits and signs")
    return found


class Token:
    """The bearer token in a file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = b""
        self._failing = False

    def admits(self, authorization: str) -> bool:
        """Whether an Authorization header has the token. Takes as long for a wrong one as for a right one."""
        scheme, _, given = authorization.partition(" ")
        token = self._read()
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token)
        return same and bool(token) and scheme.lower() == "bearer"

    def _read(self) -> bytes:
        try:
            found = os.stat(self._path)
            seen = found.st_mtime_ns, found.st_ino, found.st_size
            if seen != self._seen:
                self._token, self._seen = read_token(self._path), seen
            self._failing = False
        except (OSError, SidecarError) as error:
            if not self._failing:
                _log.error("nobody can post labels: the token cannot be used: %s", _why(error))
            self._token, self._seen, self._failing = b"", None, True
        return self._token


def _why(error: OSError | SidecarError) -> str:
    return f"{error.filename}: {said(error)}" if isinstance(error, OSError) else str(error)
