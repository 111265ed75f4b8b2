import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from sidecar.demo.director import Director, Frame
from sidecar.demo.faults import NO_DATA_FAULT, NO_SERVER_FAULT, DataFault, ServerFault
from sidecar.demo.samples import Samples, parse
from sidecar.demo.scenario import Phase, Scene, drifting
from sidecar.demo.summary import Page, problems
from sidecar.demo.traffic import Counts
from sidecar.errors import SidecarError

QUIET = "inference_requests_total 5\n"
DRIFT = QUIET + 'inference_drift_active{kind="feature",name="x",level="page"} 1\n'

HEALTHY = Phase("healthy", "healthy", "all is well", 0.5)
BROKEN = Phase(
    "broken", "broken", "x is off", 0.5,
    data=DataFault("x", 1.0), server=ServerFault(1.0, 0.5), detection=drifting("x"),
)  # fmt: skip

OVER = Phase("over", "over", "all is well again", 0.5, detection=lambda recent: "it is")


@dataclass
class FakeChild:
    name: str = "the model server"
    gone: bool = False

    def ended(self) -> bool:
        return self.gone

    def last_words(self) -> str:
        return "out of memory"


@dataclass
class FakeStack:
    """A model, a sidecar that always says `text`, and the server faults it was told."""

    text: str = QUIET
    later: list[str] = field(default_factory=list)
    pages: list[Page] | None = None
    faults: list[ServerFault] = field(default_factory=list)
    child: FakeChild = field(default_factory=FakeChild)
    scrapes: int = 0

    @property
    def model(self):
        async def inject(fault: ServerFault) -> None:
            self.faults.append(fault)

        async def stop() -> tuple[int, int]:
            return 5, 0

        return SimpleNamespace(inject=inject, stop=stop, child=self.child)

    @property
    def sidecar(self) -> FakeChild:
        return FakeChild("the sidecar")

    @property
    def monitoring(self):
        return None if self.pages is None else SimpleNamespace(pages=self.pages)

    async def scrape(self) -> Samples:
        self.scrapes += 1
        return parse(self.text, float(self.scrapes))


class FakeTraffic:
    """Five requests, all answered, and the data faults that were in force when asked."""

    def __init__(self) -> None:
        self.fault = NO_DATA_FAULT
        self.counts = Counts(sent=5, answered=5)
        self.stopped = False

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stopped = True


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.faults: list[tuple[str, DataFault]] = []
        self.traffic: FakeTraffic | None = None

    def say(self, line: str) -> None:
        self.lines.append(line)

    def show(self, frame: Frame) -> None:
        if self.traffic is not None:
            self.faults.append((frame.scene.phase.name, self.traffic.fault))


def director(stack: FakeStack, *phases: Phase) -> Director:
    scenes = tuple(Scene(phase, 0.05 * at, 0.05 * (at + 1)) for at, phase in enumerate(phases))
    listener = Listener()
    listener.traffic = traffic = FakeTraffic()
    return Director(stack, traffic, scenes, listener, tick_seconds=0.001)


async def test_faults_are_in_force_in_their_phase_and_nowhere_else():
    stack = FakeStack(DRIFT)
    play = director(stack, BROKEN, HEALTHY)
    await play.play()

    assert stack.faults == [BROKEN.server, NO_SERVER_FAULT]
    assert {fault for name, fault in play.audience.faults if name == "broken"} == {BROKEN.data}
    assert {fault for name, fault in play.audience.faults if name == "healthy"} == {NO_DATA_FAULT}


async def test_what_the_metrics_show_is_found_and_said():
    play = director(FakeStack(DRIFT), BROKEN, OVER)
    report = await play.play()

    finding = report.findings[0]
    assert finding.injected_at <= finding.detected_at
    assert any("x drifts (page)" in line for line in play.audience.lines)
    assert problems(report) == []


async def test_what_the_metrics_do_not_show_is_not_found_however_much_is_injected():
    report = await director(FakeStack(QUIET), HEALTHY, BROKEN).play()

    assert report.findings[0].injected_at is not None
    assert problems(report) == ["broken was not detected"]


async def test_a_detection_before_anything_was_injected_is_a_false_alarm():
    report = await director(FakeStack(DRIFT), HEALTHY).play()

    assert report.incident is False
    assert problems(report) == ["nothing was injected, yet: x drifts (page)"]


async def test_pages_are_said_once_and_reported():
    stack = FakeStack(DRIFT, pages=[Page("InferenceDrift", "page", 1.0, "m: x has drifted")])
    play = director(stack, BROKEN, OVER)
    report = await play.play()

    assert [line for line in play.audience.lines if "InferenceDrift" in line] == [
        "  PAGE received: InferenceDrift: x has drifted"
    ]
    assert report.pages == stack.pages
    assert report.prometheus


async def test_a_part_that_dies_ends_the_play_with_its_last_words_and_stops_the_traffic():
    play = director(FakeStack(child=FakeChild(gone=True)), HEALTHY)

    with pytest.raises(SidecarError, match="the model server ended in the middle of it:\nout of memory"):
        await play.play()
    assert play.traffic.stopped


async def test_requests_the_observer_never_counts_are_missed(monkeypatch):
    monkeypatch.setattr("sidecar.demo.director.SETTLE_SECONDS", 0.01)
    report = await director(FakeStack("inference_requests_total 4\n"), HEALTHY).play()

    assert problems(report) == ["5 requests were sent, but the sidecar observed 4"]
