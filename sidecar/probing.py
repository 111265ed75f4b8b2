"""`sidecar probe`: asks a running sidecar whether it is well, for health checks that can only run a command.

Kubernetes asks over HTTP and needs none of this; Docker and systemd do. Standard library only, and no
settings are read: a check must be cheap and must not fail because of a configuration.
"""

import http.client
import sys

from sidecar.address import Address
from sidecar.errors import UsageError, said

# Below Docker's own limit of 30 s, above any pause of a starved machine that is worth a restart.
TIMEOUT_SECONDS = 5.0
# An address to listen on is not one to connect to.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def probe(admin: str, *, ready: bool) -> int:
    """0 when the sidecar at `admin` says that it is well (or `ready`), else 1 and a sentence on stderr."""
    address = Address.of_flag("--admin", admin)
    if address.is_unix:
        raise UsageError(f"--admin: {address} is a unix socket; give host:port")
    path = "/-/ready" if ready else "/-/healthy"
    host = _HERE.get(address.host, address.host)
    where = f"{Address(host, address.port)}{path}"
    connection = http.client.HTTPConnection(host, address.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(4096).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer from {where}: {said(error)}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        print(f"{where} answered {answer.status}: {_line(text)}", file=sys.stderr)
        return 1
    return 0


def _line(text: str) -> str:
    """The beginning of what somebody answered, who may be anybody."""
    first = (text.splitlines() or ["no words"])[0][:200]
    return first if first.isprintable() else ascii(first)
