"""The observer process of `run`, as `python -m sidecar.app_observer FD`: led by the supervisor over FD.

It gives way first and loads what it needs after: loading takes a second of CPU time, and a restart may come
in the middle of traffic. Hence the imports inside.
"""

import logging
import os
import signal
import socket
import sys
from typing import Any

from sidecar import logs
from sidecar.budget import Pacer
from sidecar.cgroup import Cgroup
from sidecar.errors import SidecarError

log = logging.getLogger("sidecar")


def main() -> None:
    """Observe until the supervisor says stop, or is gone."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    # Traffic first: with a free core this costs nothing, without one the relay goes ahead of us.
    os.nice(10)
    # And under a quota, where priorities do not help.
    pacer = Pacer(Cgroup())
    pacer.start()
    logs.configure()
    _observe(socket.socket(fileno=int(sys.argv[1])), pacer)


def _observe(control: socket.socket, pacer: Pacer) -> None:
    import asyncio

    from sidecar.address import Address
    from sidecar.config import Settings
    from sidecar.observing import Observing
    from sidecar.relay.worker import read_setup

    setup: dict[str, Any] = read_setup(control)

    async def serve() -> None:
        settings = Settings.model_validate_json(setup["settings"])
        observing = Observing(settings, setup["tee"], Address(path=setup["admin_socket"]), pacer)
        await observing.start()
        await observing.obey(control)
        pacer.stop()
        await observing.stop()

    try:
        asyncio.run(serve())
    except SidecarError as error:
        log.error("%s", error)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
