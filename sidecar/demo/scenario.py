"""The story the demo tells: phases with their faults, and what it means that the sidecar saw each one.

Pure. A detection looks at scraped samples and says in a sentence what they show, or nothing; it never
asks the injector. Recovery is a phase too: seeing that it is over matters as much.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from sidecar.demo.faults import NO_DATA_FAULT, NO_SERVER_FAULT, DataFault, ServerFault
from sidecar.demo.samples import Recent
from sidecar.errors import UsageError

Detection = Callable[[Recent], str]

# The fast burn rate of the SRE Workbook: 2 % of a month's budget in an hour. The shipped page uses it.
PAGE_BURN_RATE = 14.4
# What a detection looks back on: several scrapes long, so that one odd request does not count.
WINDOW_SECONDS = 3.0
# Fewer events than this say nothing about a share.
_ENOUGH_EVENTS = 30

# Null in a third of rows is what one failed join upstream looks like; the label of `hue` matters most.
NULL_FEATURE, NULL_RATIO = "hue-mean", 0.3
# Halved: still between 0 and 1, so no range check can tell, only the distribution. A little more than one
# standard deviation of what drift is scored by: a severe break, which is judged even while the monitor is
# still learning what is normal (80 batches, longer than this demo); gradual drift takes a longer run.
SHIFTED_FEATURE, SHIFT_SCALE = "saturation-mean", 0.5
# Well past the demo's latency threshold (200 ms), and errors that no budget survives.
SLOW_SECONDS, ERROR_RATIO = 0.3, 0.3
# An hour of the shipped rules is ten seconds here: nobody waits an hour for a demo.
WINDOW_SCALE = Fraction(1, 360)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the story. `share` is its part of the whole; `detection` is None when healthy.

    `canary_share` of requests ask the candidate's version, where there is one.
    """

    name: str
    title: str
    story: str
    share: float
    data: DataFault = NO_DATA_FAULT
    server: ServerFault = NO_SERVER_FAULT
    detection: Detection | None = None
    canary_share: float = 0.0


def burning(slo: str) -> Detection:
    """An objective uses up its budget at the rate that pages."""

    def seen(recent: Recent) -> str:
        window = recent.last(WINDOW_SECONDS)
        burn = window.burn(slo)
        if window.events(slo) < _ENOUGH_EVENTS or burn < PAGE_BURN_RATE:
            return ""
        return f"{slo.replace('_', ' ')} burns its budget {burn:.0f} times too fast"

    return seen


def drifting(feature: str | None = None) -> Detection:
    """The drift verdict stands for `feature`, or for anything at all when it is None."""

    def seen(recent: Recent) -> str:
        verdicts = {
            (labels["name"], labels["level"])
            for labels, value in recent.last(0.0).now.matching("inference_drift_active")
            if value and feature in (None, labels["name"])
        }
        return "; ".join(f"{name} drifts ({level})" for name, level in sorted(verdicts))

    return seen


def both(*detections: Detection) -> Detection:
    """All of these at once."""

    def seen(recent: Recent) -> str:
        sentences = [detection(recent) for detection in detections]
        return "; ".join(sentences) if all(sentences) else ""

    return seen


def calm(*slos: str) -> Detection:
    """Every objective is met again."""

    def seen(recent: Recent) -> str:
        window = recent.last(WINDOW_SECONDS)
        enough = all(window.events(slo) >= _ENOUGH_EVENTS for slo in slos)
        return "every objective is met again" if enough and all(window.burn(s) < 1 for s in slos) else ""

    return seen


OBJECTIVES = ("availability", "latency", "feature_availability")

# Long enough before the first fault for drift to know what normal is, and after the last one to see it end.
INCIDENT = (
    Phase("healthy", "healthy", "nothing is wrong", 0.20),
    Phase(
        "null_surge", "null surge", f"upstream, {NULL_FEATURE} turns null in {NULL_RATIO:.0%} of rows", 0.15,
        data=DataFault(null_feature=NULL_FEATURE, null_ratio=NULL_RATIO),
        detection=burning("feature_availability"),
    ),
    Phase(
        "shift", "shift", f"upstream, {SHIFTED_FEATURE} comes at {SHIFT_SCALE:.0%} of its value", 0.20,
        data=DataFault(scaled_feature=SHIFTED_FEATURE, scale=SHIFT_SCALE),
        detection=drifting(SHIFTED_FEATURE),
    ),
    Phase(
        "slow_and_failing", "slow and failing",
        f"the model takes {SLOW_SECONDS * 1000:.0f} ms more and fails {ERROR_RATIO:.0%} of requests", 0.20,
        server=ServerFault(SLOW_SECONDS, ERROR_RATIO),
        detection=both(burning("availability"), burning("latency")),
    ),
    Phase("recovery", "recovery", "nothing is wrong any more", 0.25, detection=calm(*OBJECTIVES)),
)  # fmt: skip

UNEVENTFUL = (Phase("healthy", "healthy", "nothing is wrong, and nothing will be", 1.0),)

# What must stay silent as long as nothing was injected.
ALARMS: tuple[tuple[str, Detection], ...] = (
    ("null_surge", burning("feature_availability")),
    ("shift", drifting()),
    ("slow_and_failing", burning("availability")),
    ("slow_and_failing", burning("latency")),
)

DEFAULT_SECONDS = 90.0
# The shortest run in which every phase is long enough for its detection and its page, with a margin.
MINIMUM_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A phase with its place in time, in seconds since traffic began."""

    phase: Phase
    start: float
    end: float


def script(seconds: float, incident: bool, phases: tuple[Phase, ...] = INCIDENT) -> tuple[Scene, ...]:
    """The story laid out over `seconds`. Raises UsageError when an incident does not fit."""
    if incident and seconds < MINIMUM_SECONDS:
        raise UsageError(
            f"--seconds {seconds:g} is too short for the incident; give at least {MINIMUM_SECONDS:g}"
        )
    if seconds <= 0:
        raise UsageError(f"--seconds {seconds:g} is not allowed; give a positive number")
    scenes, start = [], 0.0
    for phase in phases if incident else UNEVENTFUL:
        end = start + phase.share * seconds
        scenes.append(Scene(phase, start, end))
        start = end
    return tuple(scenes)


def scene_at(scenes: tuple[Scene, ...], elapsed: float) -> Scene | None:
    """The scene at a moment; None when the story is over."""
    return next((scene for scene in scenes if elapsed < scene.end), None)
