"""Plays the script: starts traffic, injects each fault on its cue, watches the metrics, keeps the accounts.

Cause and effect stay apart: cues go to traffic and model server, detections come from scrapes alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sidecar.clock import monotonic, wall
from sidecar.demo import scenario
from sidecar.demo.faults import DataFault
from sidecar.demo.samples import Recent
from sidecar.demo.scenario import Detection, Scene
from sidecar.demo.stack import Stack
from sidecar.demo.summary import Accounts, Finding, Page, Report
from sidecar.demo.traffic import Counts
from sidecar.errors import SidecarError

# Twice a second: delays of detection are told to half a second, and scraping stays cheap.
TICK_SECONDS = 0.5
# After the last answer, the time the observer gets to have read it.
SETTLE_SECONDS = 10.0


@dataclass(slots=True)
class Frame:
    """The state of the play at a moment, for a view."""

    elapsed: float
    seconds: float
    scenes: Sequence[Scene]
    scene: Scene
    recent: Recent
    findings: Sequence[Finding]
    pages: Sequence[Page]
    counts: Counts
    prometheus: bool
    objectives: Sequence[str] = scenario.OBJECTIVES


class Clients(Protocol):
    """Who asks the model, and what is wrong with what they ask."""

    fault: DataFault
    canary_share: float
    counts: Counts

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until told to stop."""


class Audience(Protocol):
    """Who watches."""

    def say(self, line: str) -> None:
        """Something happened that is worth a line."""

    def show(self, frame: Frame) -> None:
        """The state of the play, every tick."""


@dataclass(slots=True)
class Director:
    """One performance. `play` may be called once.

    `alarms` must stay silent as long as nothing was injected; `objectives` are what the audience looks at.
    """

    stack: Stack
    traffic: Clients
    scenes: tuple[Scene, ...]
    audience: Audience
    tick_seconds: float = TICK_SECONDS
    alarms: Sequence[tuple[str, Detection]] = scenario.ALARMS
    objectives: Sequence[str] = scenario.OBJECTIVES
    recent: Recent = field(default_factory=Recent)
    findings: dict[str, Finding] = field(default_factory=dict)
    false_alarms: dict[str, Finding] = field(default_factory=dict)
    current: Scene | None = None

    async def play(self) -> Report:
        """Run the script to its end and account for everything. Raises SidecarError when a part dies."""
        self.findings = {s.phase.name: Finding(s.phase.name) for s in self.scenes if s.phase.detection}
        stop = asyncio.Event()
        traffic = asyncio.create_task(self.traffic.run(stop))
        try:
            await self._follow_script()
        finally:
            stop.set()
            await traffic
        accounts = await self._settle()
        incident = len(self.scenes) > 1
        monitoring = self.stack.monitoring
        return Report(
            findings=list(self.findings.values()),
            false_alarms=list(self.false_alarms.values()),
            pages=list(monitoring.pages) if monitoring else [],
            accounts=accounts,
            prometheus=monitoring is not None,
            incident=incident,
        )

    async def _follow_script(self) -> None:
        started, told = monotonic(), 0
        while scene := scenario.scene_at(self.scenes, monotonic() - started):
            if scene is not self.current:
                await self._cue(scene)
            self._still_running()
            self.recent.add(await self.stack.scrape())
            self._watch(scene)
            told = self._tell_pages(told)
            self.audience.show(self._frame(scene, monotonic() - started))
            await asyncio.sleep(self.tick_seconds)

    async def _cue(self, scene: Scene) -> None:
        """Put the faults of a scene in force, and those of the last one out of it."""
        self.current = scene
        self.traffic.fault, self.traffic.canary_share = scene.phase.data, scene.phase.canary_share
        await self.stack.model.inject(scene.phase.server)
        if finding := self.findings.get(scene.phase.name):
            finding.injected_at = wall()
        self.audience.say(f"{scene.phase.title}: {scene.phase.story}")

    def _watch(self, scene: Scene) -> None:
        """Ask the samples whether they show what this scene is about."""
        if scene.phase.detection is None:
            self._watch_for_false_alarms()
            return
        finding = self.findings[scene.phase.name]
        if finding.detected_at is None and (evidence := scene.phase.detection(self.recent)):
            finding.detected_at, finding.evidence = wall(), evidence
            self.audience.say(f"  seen after {finding.delay:.1f} s: {evidence}")

    def _watch_for_false_alarms(self) -> None:
        for name, alarm in self.alarms:
            if name not in self.false_alarms and (evidence := alarm(self.recent)):
                self.false_alarms[name] = Finding(name, None, wall(), evidence)
                self.audience.say(f"  FALSE ALARM: {evidence}")

    def _tell_pages(self, told: int) -> int:
        pages = self.stack.monitoring.pages if self.stack.monitoring else []
        for page in pages[told:]:
            self.audience.say(f"  {page.severity.upper()} received: {page.headline}")
        return len(pages)

    def _still_running(self) -> None:
        for child in (self.stack.model.child, self.stack.sidecar):
            if child.ended():
                raise SidecarError(f"{child.name} ended in the middle of it:\n{child.last_words()}")

    def _frame(self, scene: Scene, elapsed: float) -> Frame:
        monitoring = self.stack.monitoring
        return Frame(
            elapsed, self.scenes[-1].end, self.scenes, scene, self.recent, list(self.findings.values()),
            monitoring.pages if monitoring else [], self.traffic.counts, monitoring is not None,
            self.objectives,
        )  # fmt: skip

    async def _settle(self) -> Accounts:
        """Wait until the observer has caught up, or for as long as it may take; then close the books."""
        counts = self.traffic.counts
        deadline = monotonic() + SETTLE_SECONDS
        observed = await self._observed()
        while observed < counts.sent and monotonic() < deadline:
            await asyncio.sleep(self.tick_seconds)
            observed = await self._observed()
        answered, injected = await self.stack.model.stop()
        return Accounts(counts.sent, dict(counts.failures), observed, answered, injected)

    async def _observed(self) -> int:
        return int((await self.stack.scrape()).total("inference_requests_total"))
