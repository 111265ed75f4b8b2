"""The observer process: the tee on one side, the admin port and OTLP on the other, one loop between.

Reading is the only thing done eagerly; rendering happens in threads, exporting in a thread of its own. The
registry is touched from this loop alone.
"""

import asyncio
import json
import logging
import os
import platform
import resource
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sidecar import __version__, catalog, clock
from sidecar.address import Address
from sidecar.admin.labels import LabelPosts
from sidecar.admin.merging import Merging
from sidecar.admin.server import create_app, serve
from sidecar.admin.status import Details
from sidecar.admin.token import Token
from sidecar.catalog_labels import LABELS_REFUSED
from sidecar.cgroup import Cgroup
from sidecar.config import Settings
from sidecar.ingest.ingesting import Ingesting
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.monitors.quality_problems import Problem
from sidecar.observer.budget import Pacer
from sidecar.observer.pipeline import Pipeline
from sidecar.observer.recent import Recent
from sidecar.observer.relay_pressure import RelayPressure
from sidecar.observer.state import State
from sidecar.observer.tee_server import TeeServer
from sidecar.observer.telemetry import Telemetry
from sidecar.profiles.store import to_json
from sidecar.registry import Snapshot
from sidecar.relay.counters import resident_bytes
from sidecar.sockets import for_others

log = logging.getLogger("sidecar")

# Monitors fold rows that waited a quarter of a second; ticking more often buys nothing.
_TICK_SECONDS = 0.25
# Often next to how long the supervisor waits for a sign of life.
_ALIVE_SECONDS = 5.0
# What waits in a socket of this machine is read in microseconds; a busy loop takes longer to look.
_CATCH_UP_SECONDS = 0.05
# Each page that the supervisor shows meanwhile is followed by another line: whoever asks often must not keep
# us from ever answering.
_CATCH_UP_AT_MOST_SECONDS = 1.0
# Workers that lost their observer look for it four times a second, and report every second.
_RELAY_CONNECTS_SECONDS = 0.4
_RELAY_REPORTS_SECONDS = 1.6
# Half of what an observer is given to leave when its memory has to go.
_LAST_SAVE_SECONDS = 1.0


class Observing:
    """One observer process. It is also the `StatusSource` of its admin server."""

    def __init__(self, settings: Settings, tee: str, admin: Address, pacer: Pacer | None = None) -> None:
        self._settings = settings
        self._admin = admin
        self._pacer = pacer
        self._pipeline = Pipeline(settings)
        self._registry = self._pipeline.registry
        self._pipeline.drift.on_verdict = _log_verdict
        self._tee = TeeServer(self._pipeline.observer, tee)
        if pacer is not None:
            pacer.pressure = RelayPressure(self._tee.processes).since
            self._tee.before_batch = pacer.review  # while we work is when the relay may need the time
        ingest = settings.ingest
        self._ingesting = Ingesting(
            self._registry, self._pipeline.observer.observe, ingest.cloudevents, ingest.ext_proc
        )
        self._state = State(settings.state.dir, self._pipeline)
        self._tasks: list[asyncio.Task[None]] = []
        self._told_to_stop = False
        self._runner: web.AppRunner | None = None
        self._telemetry = Telemetry(
            settings.otlp,
            os.environ,
            self._registry,
            __version__,
            # Several sidecars on one host are told apart by where they are scraped.
            instance=f"{platform.node()}:{settings.admin.port}",
        )
        # Only what is wanted looks at all: without spans and records this adds nothing to an exchange.
        self._pipeline.observer.monitors = (*self._pipeline.observer.monitors, *self._telemetry.monitors)
        self._otlp = self._telemetry.metrics
        self._cpu = self._registry.counter(catalog.CPU_SECONDS)
        self._memory = self._registry.gauge(catalog.MEMORY_BYTES)
        self._restarts = self._registry.counter(catalog.OBSERVER_RESTARTS)
        for reason in catalog.OBSERVER_RESTARTS.closed["reason"]:
            self._restarts.add(0, reason)
        self._registry.gauge(catalog.BUILD_INFO).set(1, __version__, platform.python_version())
        self._registry.gauge(catalog.CONFIG_RELOAD_SUCCESSFUL).set(1)
        limit = Cgroup().memory_limit()
        if limit is not None:
            self._registry.gauge(catalog.MEMORY_LIMIT_BYTES).set(limit)
        self._registry.before_snapshot(self._own_cost)

    async def start(
        self, told: dict[str, Any] | None = None, supervisor: asyncio.StreamReader | None = None
    ) -> None:
        """Listen on the tee and on the admin address. Raises SidecarError if either cannot be had.

        `told` is what the supervisor knew when it started us; what it said since waits in `supervisor`.
        """
        self._state.restore()
        if self._otlp is not None:
            self._otlp.goes_on_from(self._registry.snapshot())
        await self._tee.start()
        await self._catch_up(told or {}, supervisor)
        self._runner = await serve(self._app(), *self._admin_sockets())
        await self._ingesting.start()
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._tick()))
        self._tasks.append(loop.create_task(self._state.run()))
        if self._otlp is not None:
            self._tasks.append(loop.create_task(self._offer(self._otlp.settings.interval)))

    async def obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Listen to the supervisor until it says stop, or is gone; tell it that this loop runs."""
        self._tasks.append(asyncio.get_running_loop().create_task(_say_alive(writer)))
        try:
            while not self._told_to_stop and (line := await reader.readline()):
                self._hear(json.loads(line))
        finally:
            writer.close()

    def reloaded(self, successful: bool) -> None:
        """The configuration was read again: what there is to say of it."""
        self._registry.gauge(catalog.CONFIG_RELOAD_SUCCESSFUL).set(float(successful))

    def leaves(self, reason: str) -> None:
        """Another observer will take this one's place."""
        self._restarts.add(1, reason)

    async def stop(self, save_within: float = _LAST_SAVE_SECONDS) -> None:
        """Fold what is waiting, export it once more if that is quick, and leave."""
        for task in self._tasks:
            task.cancel()
        self._tee.close()
        await self._ingesting.stop()
        # Nothing is counted any more: what is saved, exported and still scraped is the same.
        last = self._registry.snapshot()
        await self._state.close(last, save_within)
        await asyncio.to_thread(self._telemetry.close, last)
        if self._runner is not None:
            await self._runner.cleanup()

    # --- what the admin server asks --------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything, now."""
        return self._registry.snapshot()

    def recent(self) -> Recent:
        """How the last exchanges were read."""
        return self._pipeline.observer.recent

    def details(self) -> Details:
        """What the registry does not hold."""
        routes = self._settings.resolved_routes()
        references = self._pipeline.references
        return {
            "version": __version__,
            "upstream": ", ".join(str(route.upstream or "redirect") for route in routes),
            "listen": ", ".join([str(route.listen) for route in routes] or self._ingesting.addresses),
            "verdicts": [
                _shown(verdict)
                for verdict in sorted(self._pipeline.drift.verdicts(), key=lambda v: v.time, reverse=True)
            ],
            "problems": [_told(problem) for problem in self._pipeline.problems.standing()],
            "learning": {
                model: {"rows": state.rows_seen, "needed": state.rows_needed}
                for model, state in references.status().items()
                if not state.ready
            },
            "references": {
                model: to_json(reference)
                for model in references.status()
                if (reference := references.of(model)) is not None
            },
        }

    # --- the loop --------------------------------------------------------------------------------

    def _app(self) -> web.Application:
        """The admin server's application; it also shows the model server's metrics, if it is to."""
        url, failures = self._settings.metrics.merge, self._registry.counter(catalog.MERGE_FAILURES)
        labels = self._label_posts()
        if url is None:
            return create_app(self, before_shown=self._state.keep, labels=labels)
        for reason in catalog.MERGE_FAILURES.closed["reason"]:
            failures.add(0, reason)
        merging = Merging(url, lambda reason: failures.add(1, reason))
        return create_app(self, before_shown=self._state.keep, merging=merging, labels=labels)

    def _label_posts(self) -> LabelPosts:
        """Where labels are posted, and by whom they may be."""
        refused, path = self._registry.counter(LABELS_REFUSED), self._settings.admin_token_file
        for reason in LABELS_REFUSED.closed["reason"]:
            refused.add(0, reason)
        token = Token(path) if path else None
        return LabelPosts(self._pipeline.labels, lambda reason, count: refused.add(count, reason), token)

    def _admin_sockets(self) -> list[Address]:
        """Where the admin server listens: behind a supervisor also for clients of other hosts."""
        path = self._admin.path
        return [self._admin, Address(path=for_others(path))] if path else [self._admin]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                self._pipeline.observer.tick(clock.monotonic())
                if self._pacer is not None:
                    self._pacer.review()
            except Exception:  # a fault of ours must not end the observation
                log.exception("a tick failed")

    async def _offer(self, interval: float) -> None:
        assert self._otlp is not None
        while True:
            await asyncio.sleep(interval)
            snapshot = self._registry.snapshot()
            await self._state.keep(snapshot)
            self._otlp.offer(snapshot)

    async def _catch_up(self, told: dict[str, Any], supervisor: asyncio.StreamReader | None) -> None:
        """Know all that the supervisor has shown in our absence before anything is shown here.

        Its counters of the relay go on while we start. Less than that, or zero, would be a reset to
        Prometheus, which then counts all of it anew.
        """
        if supervisor is None:
            await self._hear_relay()
            return
        # What was saved of a relay that is no more is not what the supervisor has shown of its own.
        self._pipeline.observer.totals.publish()
        self._hear(told)
        latest = clock.monotonic() + _CATCH_UP_AT_MOST_SECONDS
        while clock.monotonic() < latest and (line := await _waiting(supervisor)):
            self._hear(json.loads(line))

    async def _hear_relay(self) -> None:
        """Without a supervisor: let each worker that looked for us say its totals, or sums are partial."""
        totals, begun = self._pipeline.observer.totals, clock.monotonic()
        while (waited := clock.monotonic() - begun) < _RELAY_REPORTS_SECONDS:
            if waited >= _RELAY_CONNECTS_SECONDS and len(totals.newest()) >= self._tee.workers:
                return
            await asyncio.sleep(_CATCH_UP_SECONDS)

    def _hear(self, message: dict[str, Any]) -> None:
        self._told_to_stop = self._told_to_stop or "stop" in message
        for report in message.get("relay", ()):
            self._pipeline.observer.relay_said(report, clock.monotonic())
        figures = message.get("supervisor")
        if figures is not None:
            self._cpu.set_total(figures["cpu"], "supervisor")
            self._memory.set(figures["memory"], "supervisor")
            for reason, count in figures["observer_restarts"].items():
                self._restarts.set_total(count, reason)
            self._registry.gauge(catalog.CONFIG_RELOAD_SUCCESSFUL).set(float(figures["reloaded"]))

    def _own_cost(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._cpu.set_total(usage.ru_utime + usage.ru_stime, "observer")
        self._memory.set(resident_bytes(), "observer")
        self._registry.gauge(catalog.OBSERVER_LAG).set(self._tee.lag)


async def _waiting(reader: asyncio.StreamReader) -> bytes:
    """The next line that is there already; empty if none is."""
    try:
        async with asyncio.timeout(_CATCH_UP_SECONDS):
            return await reader.readline()
    except TimeoutError:
        return b""


async def _say_alive(supervisor: asyncio.StreamWriter) -> None:
    while True:
        supervisor.write(b'{"alive": true}\n')
        await asyncio.sleep(_ALIVE_SECONDS)


def _told(problem: Problem) -> dict[str, Any]:
    """A problem with the data as the status page and its JSON want it: wall-clock times."""
    times = {"since": clock.wall_of(problem.since), "last": clock.wall_of(problem.last)}
    told = {key: getattr(problem, key) for key in ("model", "feature", "problem", "text")}
    return {**told, **times}


def _log_verdict(verdict: Verdict) -> None:
    """Tickets and pages; events may be many, and nobody need act on them."""
    if verdict.level is not Level.EVENT:
        log.warning("%s", verdict.line())


def _shown(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the status page and its JSON want it: wall-clock times, and a sentence."""
    shown = asdict(verdict)
    shown["text"] = verdict.why
    shown["standing"] = verdict.standing
    for moment in ("time", "since_time", "ended_time"):
        if shown[moment] is not None:
            shown[moment] = clock.wall_of(shown[moment])
    return shown
