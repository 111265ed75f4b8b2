"""The composition root: settings in, running processes out.

`run`, `relay` and `observe` are what the commands of the same name do. As `python -m sidecar.app FD` it
is the observer process that the supervisor starts.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from sidecar import logs
from sidecar.config import Settings
from sidecar.errors import SidecarError, UsageError
from sidecar.supervisor import Plan

log = logging.getLogger("sidecar")


def run(settings: Settings) -> NoReturn:
    """Relay and observer together, until SIGTERM or Ctrl-C."""
    _become_supervisor(_plan(settings, observer={"settings": settings.model_dump_json()}))


def relay(settings: Settings, tee: str) -> NoReturn:
    """The relay half: `tee` is where an observer listens, or will."""
    _become_supervisor(_plan(settings, tee=tee))


def observe(settings: Settings, tee: str) -> int:
    """The observer half: listens for relay workers on `tee`, serves the admin port itself."""
    from sidecar.observing import Observing

    async def serve() -> int:
        leave = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, leave.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, log.warning, logs.NO_RELOAD)
        observing = Observing(settings, tee, settings.admin)
        await observing.start()
        await leave.wait()
        await observing.stop()
        return 0

    return asyncio.run(serve())


def _plan(settings: Settings, observer: dict[str, Any] | None = None, tee: str = "") -> Plan:
    routes = settings.resolved_routes()
    if not routes:
        raise UsageError("no model server to stand in front of; give --upstream 127.0.0.1:8000")
    return Plan(
        routes=routes,
        # The observer of split halves has the admin port; two containers of a pod share its ports.
        admin=settings.admin if observer is not None else None,
        workers=settings.workers,
        connect_timeout=settings.connect_timeout,
        drain_grace=settings.drain.grace,
        drain_deadline=settings.drain.deadline,
        observer=observer,
        tee=tee,
    )


def _become_supervisor(plan: Plan) -> NoReturn:
    """Replace this process by a supervisor, which needs none of what reading settings has loaded."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the supervisor says what it thinks of it
    descriptor = os.memfd_create("plan", 0)
    with open(descriptor, "w", closefd=False) as stream:
        stream.write(plan.to_json())
    os.lseek(descriptor, 0, os.SEEK_SET)
    arguments = [sys.executable, "-m", "sidecar.supervisor", str(descriptor), *sys.argv[1:]]
    os.execv(sys.executable, arguments)  # noqa: S606 - ourselves


def main() -> None:
    """The observer process of `run`: lower priority, led by the supervisor over one socket."""
    from sidecar.address import Address
    from sidecar.observing import Observing
    from sidecar.relay.worker import read_setup

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    logs.configure()
    control = socket.socket(fileno=int(sys.argv[1]))
    setup = read_setup(control)
    # Traffic first: with a free core this costs nothing, without one the relay goes ahead of us.
    os.nice(10)

    async def serve() -> None:
        settings = Settings.model_validate_json(setup["settings"])
        observing = Observing(settings, setup["tee"], Address(path=setup["admin_socket"]))
        await observing.start()
        await observing.obey(control)
        await observing.stop()

    try:
        asyncio.run(serve())
    except SidecarError as error:
        log.error("%s", error)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
