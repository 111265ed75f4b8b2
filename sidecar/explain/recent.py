"""What a running sidecar remembers of the last exchanges, asked over its admin port.

It remembers no values: names, counts and reasons only (`observer.recent`). One request, standard library.
"""

import http.client
import json
import socket
from typing import Any

from sidecar.address import Address
from sidecar.errors import SidecarError

_TIMEOUT_SECONDS = 10.0
_PATH = "/api/v1/recent"
_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024


def fetch(admin: Address, chosen: str) -> list[dict[str, Any]]:
    """The explanations, the newest last; of one exchange if `chosen` is its id. Raises SidecarError."""
    status, said = _get(admin, f"{_PATH}/{chosen}" if chosen else _PATH)
    if status != 200:
        raise SidecarError(f"{admin}: {said.get('error', f'status {status}')}")
    return [said] if chosen else list(said["exchanges"])


def _get(admin: Address, path: str) -> tuple[int, dict[str, Any]]:
    connection = _Connection(admin)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        answer = connection.getresponse()
        said = json.loads(answer.read(_LARGEST_ANSWER_BYTES))
        return answer.status, said if isinstance(said, dict) else {}
    except OSError as error:
        why = error.strerror or str(error)
        raise SidecarError(f"{admin}: no sidecar answers ({why.lower()}); give --admin host:port") from error
    except (http.client.HTTPException, ValueError) as error:
        raise SidecarError(f"{admin}: this is not the admin port of a sidecar that can explain") from error
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """To an address of ours, which may be a unix socket."""

    def __init__(self, address: Address) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._address = address

    def connect(self) -> None:
        if self._address.is_unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._address.path)
        else:
            # The wildcard is where a sidecar listens; loopback is where it is asked.
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._address.host, self._address.host)  # noqa: S104
            self.sock = socket.create_connection((host, self._address.port), self.timeout)
