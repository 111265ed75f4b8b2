"""The observer process of `run`, as `python -m sidecar.observer FD`: led by the supervisor over FD.

It gives way first and loads what it needs after: loading takes a second of CPU time, and a restart may come
in the middle of traffic. Hence the imports inside.
"""

import contextlib
import gc
import os
import signal
import sys

from sidecar.cgroup import Cgroup
from sidecar.observer.budget import Pacer


def main() -> None:
    """Observe until the supervisor says stop, or is gone."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    # Traffic first: with a free core this costs nothing, without one the relay goes ahead of us.
    os.nice(10)
    with contextlib.suppress(AttributeError, OSError):  # not Linux, or not permitted
        # And it never interrupts the relay by waking up: 5 to 10 % more requests a second at saturation.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    # Until `garbage.settle`: looking for garbage was a sixth of the CPU time of a start.
    gc.disable()
    # And under a quota, where priorities do not help.
    pacer = Pacer(Cgroup())
    pacer.start()
    _observe(int(sys.argv[1]), pacer)


def _observe(descriptor: int, pacer: Pacer) -> None:
    import asyncio
    import logging
    import socket

    from sidecar import logs
    from sidecar.address import Address
    from sidecar.config import Settings
    from sidecar.errors import SidecarError
    from sidecar.observer import garbage
    from sidecar.observer.observing import Observing
    from sidecar.relay.worker import read_setup

    logs.configure()
    control = socket.socket(fileno=descriptor)
    setup = read_setup(control)

    async def serve() -> None:
        settings = Settings.model_validate_json(setup["settings"])
        observing = Observing(settings, setup["tee"], Address(path=setup["admin_socket"]), pacer)
        reader, writer = await asyncio.open_unix_connection(sock=control)
        await observing.start(setup, reader)
        garbage.settle()
        await observing.obey(reader, writer)
        pacer.stop()
        await observing.stop()

    try:
        asyncio.run(serve())
    except SidecarError as error:
        logging.getLogger("sidecar").error("%s", error)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
