"""The composition root: settings in, running processes out.

`run` and `relay` say what the supervisor is to do, `observe` does it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from pydantic import BaseModel

from sidecar import sockets
from sidecar.config import Settings
from sidecar.errors import UsageError
from sidecar.supervisor.plan import HEEDED_SIGNALS, Plan


def run(settings: Settings) -> Plan:
    """What to run for relay and observer together; give it to `become_supervisor`."""
    return _plan(settings, observer={"settings": settings.model_dump_json()})


def try_addresses(settings: Settings) -> None:
    """Raise SidecarError if an address that the observer will bind is taken: here it can still be said."""
    for address in (settings.ingest.cloudevents, settings.ingest.ext_proc):
        if address is not None:
            sockets.listen(address).close()
            sockets.remove(address.path)


def relay(settings: Settings, tee: str) -> Plan:
    """What to run for the relay half: `tee` is where an observer listens, or will."""
    return _plan(settings, tee=tee)


def observe(settings: Settings, tee: str, reread: Callable[[], Settings]) -> int:
    """The observer half: listens for relay workers on `tee`, serves the admin port itself."""
    from sidecar.observer.alone import Alone

    return asyncio.run(Alone(settings, tee, reread).run())


def _plan(settings: Settings, observer: dict[str, Any] | None = None, tee: str = "") -> Plan:
    routes = settings.resolved_routes()
    # Others may bring the exchanges, to the observer; then the relay has nothing to do.
    ingest = observer is not None and any(settings.ingest.model_dump().values())
    if not routes and not ingest:
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
        tls=_section(settings.tls),
        upstream_tls=_section(settings.upstream_tls),
    )


def _section(section: BaseModel | None) -> dict[str, Any] | None:
    return None if section is None else section.model_dump(exclude_none=True)


def become_supervisor(plan: Plan) -> NoReturn:
    """Replace this process by a supervisor, which needs none of what reading settings has loaded."""
    # What comes while it starts waits until it can be heeded, instead of ending it with a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED_SIGNALS)
    descriptor = os.memfd_create("plan", 0)
    with open(descriptor, "w", closefd=False) as stream:
        stream.write(plan.to_json())
    os.lseek(descriptor, 0, os.SEEK_SET)
    arguments = [sys.executable, "-m", "sidecar.supervisor", str(descriptor), *sys.argv[1:]]
    os.execv(sys.executable, arguments)  # noqa: S606 - ourselves
