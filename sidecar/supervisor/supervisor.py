"""Starts the relay workers and the observer, keeps them running, and drains them in order.

The supervisor binds every listening socket once and owns the admin port; it never touches traffic. The
story of its life is `Supervisor.run`: bind, start, serve, drain, leave nothing behind.

It is a program of its own (`python -m sidecar.supervisor FD`, with a Plan on the descriptor), so that
what read and checked the configuration does not stay in memory for as long as the sidecar runs.
"""

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from sidecar import __version__, catalog, clock, sockets
from sidecar.address import Address
from sidecar.cgroup import Cgroup
from sidecar.errors import SidecarError
from sidecar.observer.relay_totals import RelayTotals
from sidecar.registry import Registry
from sidecar.relay.counters import resident_bytes
from sidecar.supervisor.children import Child, Message, all_gone
from sidecar.supervisor.front import Front
from sidecar.supervisor.plan import HEEDED_SIGNALS, Plan
from sidecar.supervisor.reloading import fixed_differences, read_plan
from sidecar.supervisor.watch import Silence, anonymous_bytes, too_large

log = logging.getLogger("sidecar")

_REPORT_SECONDS = 1.0
# The observer flushes its last metrics in this time; nobody's traffic waits for it any more.
_OBSERVER_FAREWELL_SECONDS = 4.0
# A loading observer takes 100 MB in a second; this sees it in time, and costs three small reads.
_WATCH_SECONDS = 0.25
# What it knows is saved and exported in this time, or lost: there may be no memory left to wait with.
_RESTART_SECONDS = 2.0


# What the supervisor itself can say. The observer's own counters are not among them: at zero while it is away
# they would look like a reset, and be counted anew when they go on.
_OWN_METRICS = (
    catalog.RELAY_BYTES, catalog.TEE_DROPPED_BYTES, catalog.CHUNKS_DROPPED, catalog.UPSTREAM_CONNECT_FAILURES,
    catalog.RELAY_LOOP_LAG, catalog.CPU_SECONDS, catalog.MEMORY_BYTES, catalog.OBSERVER_RESTARTS,
    catalog.BUILD_INFO,
)  # fmt: skip


class Supervisor:
    """One run of the sidecar."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._private = sockets.PrivateDirectory()
        self._tee = plan.tee or self._private.socket("tee")
        self._observer_admin = self._private.socket("admin")
        self._listeners: list[socket.socket] = []
        self._admin: socket.socket | None = None
        self._workers: list[Child] = []
        self._serial = 0
        self._observer: Child | None = None
        self._cgroup = Cgroup()
        self._silence = Silence()
        self._not_ready = "starting: no relay worker is accepting yet"
        self._registry = Registry(_OWN_METRICS)
        self._totals = RelayTotals(self._registry)
        self._restarts = self._registry.counter(catalog.OBSERVER_RESTARTS)
        self._front = Front(self._observer_admin, self._why_not_ready, self._metrics)
        self._leave = asyncio.Event()
        self._hurry = False
        self._reloading: asyncio.Task[None] | None = None
        self._reloaded = True

    async def run(self) -> int:
        """Serve until told to stop; 0 when all left in order. Raises SidecarError if it cannot start."""
        try:
            self._heed_signals()
            self._bind()
            await self._start()
            await self._leave.wait()
            return await self._drain()
        finally:
            children = [*self._workers, *([self._observer] if self._observer else [])]
            for child in children:
                child.kill()
            await all_gone(children, within=2.0)
            self._unbind()

    # --- starting --------------------------------------------------------------------------------

    def _bind(self) -> None:
        for route in self._plan.routes:
            self._listeners.append(sockets.listen(route.listen))
        if self._plan.admin is not None:
            self._admin = sockets.listen(self._plan.admin)

    def _heed_signals(self) -> None:
        # Before anything is made that a signal could leave behind.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, False)
        loop.add_signal_handler(signal.SIGINT, self._stop, True)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED_SIGNALS)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for reason in catalog.OBSERVER_RESTARTS.closed["reason"]:
            self._restarts.add(0, reason)
        if self._plan.observer is not None:
            self._observer = Child(
                "sidecar.observer", self._observer_setup, self._observer_spoke, self._observer_ended
            )
            self._observer.start()
        for slot in range(self._plan.workers):
            self._start_worker(slot)
        if self._admin is not None:
            await self._front.listen(self._admin)
        self._background = [loop.create_task(self._report())]
        if self._observer is not None:
            self._background.append(loop.create_task(self._watch(self._observer)))
        for sock, route in zip(self._listeners, self._plan.routes, strict=True):
            log.info("relaying %s to %s", _where(sock, route.listen), route.upstream or "where it was sent")
        if self._admin is not None and self._plan.admin is not None:
            log.info("metrics and status page on http://%s/", _where(self._admin, self._plan.admin))

    def _start_worker(self, slot: int) -> None:
        def ended(reason: str) -> None:
            log.error("a relay worker ended (%s); another takes its place", reason)

        child = Child("sidecar.relay.worker", lambda: self._worker_setup(slot), self._heard, ended)
        self._workers.append(child)
        child.start()

    def _worker_setup(self, slot: int) -> tuple[Message, list[int]]:
        # Each start of a worker gets a new number: its connection ids must never be used twice.
        self._serial += 1
        routes = [
            {"fd": sock.fileno(), "name": str(route.listen), "upstream": _upstream(route.upstream)}
            for sock, route in zip(self._listeners, self._plan.routes, strict=True)
        ]
        setup = {
            "worker": self._serial,
            "slot": slot,
            "before": self._totals.of(slot),
            "tee": self._tee,
            "connect_timeout": self._plan.connect_timeout,
            "drain_deadline": self._plan.drain_deadline,
            "routes": routes,
            "tls": self._plan.tls,
            "upstream_tls": self._plan.upstream_tls,
        }
        return setup, [sock.fileno() for sock in self._listeners]

    def _observer_setup(self) -> tuple[Message, list[int]]:
        assert self._plan.observer is not None
        known = {"relay": self._totals.newest(), "supervisor": self._own_figures()}
        return {**self._plan.observer, "tee": self._tee, "admin_socket": self._observer_admin, **known}, []

    # --- serving ---------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        if "ready" in message and not self._leave.is_set():
            self._not_ready = ""
        if "stats" in message:
            self._totals.report(message["stats"])
            if self._observer is not None:
                # The tee brings it too, but perhaps later than a scraper who has seen it on our page.
                self._observer.send({"relay": [message["stats"]]})
        if "log" in message:
            log.warning("relay: %s", message["log"])

    def _observer_spoke(self, message: Message) -> None:
        """It only ever says that it is alive: all it knows is on its own pages."""
        self._silence.broken()

    def _observer_ended(self, reason: str) -> None:
        level = logging.INFO if reason == "reload" else logging.ERROR
        log.log(level, "the observer ended (%s); traffic goes on, it is started again", reason)
        self._restarts.add(1, reason)
        self._silence.forget()

    def _why_not_ready(self) -> str | None:
        return self._not_ready or None

    async def _report(self) -> None:
        while True:
            if self._observer is not None:
                self._observer.send({"supervisor": self._own_figures()})
            await asyncio.sleep(_REPORT_SECONDS)

    async def _watch(self, observer: Child) -> None:
        """Restart the observer before its memory, or its silence, is anybody's problem."""
        before = clock.monotonic()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            before, elapsed = clock.monotonic(), clock.monotonic() - before
            others = [os.getpid(), *(worker.pid for worker in self._workers if worker.pid is not None)]
            used = anonymous_bytes(observer.pid) if observer.pid is not None else 0
            if too_large(used, sum(map(anonymous_bytes, others)), self._cgroup.memory_limit()):
                observer.restart("memory", {"stop": True}, _RESTART_SECONDS)
            elif self._silence.lasts(elapsed):
                observer.restart("hung", {"stop": True}, _RESTART_SECONDS)

    def _reload_soon(self) -> None:
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        """Read the configuration again; keep the old one, and say so, when the new one has problems."""
        try:
            new = await read_plan(sys.argv[2:])
        except (SidecarError, OSError, ValueError) as error:
            self._reloaded = False
            log.error("the configuration is kept as it was: %s", error)
            return
        self._reloaded = True
        fixed = fixed_differences(self._plan, new)
        if fixed:
            log.warning("only a restart changes: %s", ", ".join(fixed))
        old, self._plan = (
            self._plan,
            replace(
                self._plan,
                observer=new.observer,
                drain_grace=new.drain_grace,
                drain_deadline=new.drain_deadline,
            ),
        )
        if self._observer is not None and old.observer != new.observer:
            self._observer.restart("reload", {"stop": True}, _RESTART_SECONDS)
        log.info("the configuration was read again")

    def _own_figures(self) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        restarts = {labels[0]: count for labels, count in self._restarts.values.items()}
        return {
            "cpu": usage.ru_utime + usage.ru_stime,
            "memory": resident_bytes(),
            "observer_restarts": restarts,
            "reloaded": self._reloaded,
        }

    def _metrics(self) -> bytes:
        """What is known without the observer, in Prometheus text."""
        from sidecar.exporters.prometheus import render  # only when needed: it costs memory

        figures = self._own_figures()
        if self._observer is not None:
            self._observer.send({"supervisor": figures})  # what is shown here, it must not show less of
        self._registry.counter(catalog.CPU_SECONDS).set_total(figures["cpu"], "supervisor")
        self._registry.gauge(catalog.MEMORY_BYTES).set(figures["memory"], "supervisor")
        python = ".".join(map(str, sys.version_info[:3]))
        self._registry.gauge(catalog.BUILD_INFO).set(1, __version__, python)
        return render(self._registry.snapshot(), "")[0]

    # --- leaving ---------------------------------------------------------------------------------

    def _stop(self, hurry: bool) -> None:
        """SIGTERM drains with grace; Ctrl-C needs none, nobody routes to us; a second signal hurries."""
        self._hurry = hurry or self._leave.is_set()
        self._leave.set()

    async def _drain(self) -> int:
        self._not_ready = "draining"
        deadline = self._plan.drain_deadline
        log.info("draining: connections in flight have %g s to finish", deadline)
        # Endpoints are removed while we are told to stop, not before: whoever still comes is served.
        graced = 0.0
        while graced < min(self._plan.drain_grace, deadline) and not self._hurry:
            await asyncio.sleep(0.1)
            graced += 0.1
        for worker in self._workers:
            worker.release({"drain": deadline - graced})
        self._close_listeners()
        in_order = await all_gone(self._workers, within=deadline - graced + 1.0)
        if self._observer is not None:
            self._observer.release({"stop": True})
            await self._observer.gone(_OBSERVER_FAREWELL_SECONDS)
        for task in self._background:
            task.cancel()
        log.info("stopped")
        return 0 if in_order else 1

    def _close_listeners(self) -> None:
        for sock in self._listeners:
            sock.close()

    def _unbind(self) -> None:
        self._front.close()
        self._close_listeners()
        if self._admin is not None:
            self._admin.close()
        for address in [*(route.listen for route in self._plan.routes), self._plan.admin]:
            if address is not None and address.path:
                sockets.remove(address.path)
        self._private.remove()


def _upstream(address: Address | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {"name": str(address), "host": address.host, "port": address.port, "path": address.path}


def _where(sock: socket.socket, address: Address) -> str:
    """The address really bound: port 0 was the kernel's choice."""
    if address.path:
        return str(address)
    return str(Address(address.host, sock.getsockname()[1]))
