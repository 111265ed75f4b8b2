"""The stories that `sidecar demo --scenario` tells, by name: the default one of `scenario`, and two more.

`llm`: a chat server that begins late, cuts its streams short and fails. `canary`: two versions behind one
sidecar, of which the new one fails, gives nulls and says something else, until it is rolled back.
"""

from dataclasses import dataclass

from sidecar.demo import backend, dataset, scenario
from sidecar.demo.backend import Backend
from sidecar.demo.detections import diverging, ending, failing, unusable
from sidecar.demo.faults import ServerFault
from sidecar.demo.scenario import Detection, Phase, burning, calm

STABLE, CANDIDATE = dataset.MODEL_VERSION, dataset.CANDIDATE_VERSION
# A quarter: enough rows of the candidate in a few seconds to compare it.
_CANARY = 0.25


@dataclass(frozen=True, slots=True)
class Story:
    """Phases, what must stay silent as long as nothing was injected, and what stands behind the sidecar."""

    phases: tuple[Phase, ...]
    alarms: tuple[tuple[str, Detection], ...]
    objectives: tuple[str, ...]
    backend: Backend

    @property
    def generates(self) -> bool:
        """It is about generated answers, not about rows."""
        return self.backend is backend.CHAT


# Shown, and no part of being calm again: labels come some seconds behind.
_LATER = ("quality",)
_DEFAULT = Story(scenario.INCIDENT, scenario.ALARMS, (*scenario.OBJECTIVES, *_LATER), backend.SEGMENTS)

_SPOKEN = ("availability", "time_to_first_token")
_LLM = Story(
    (
        Phase("healthy", "healthy", "nothing is wrong", 0.20),
        Phase(
            "slow_first_token", "slow first token", "answers begin a second later", 0.20,
            server=ServerFault(latency_seconds=1.0), detection=burning("time_to_first_token"),
        ),
        Phase(
            "truncated_streams", "truncated streams",
            "30% of streams stop half-way, others pause or say nothing", 0.20,
            server=ServerFault(truncated_ratio=0.3, stalled_ratio=0.3, empty_ratio=0.1),
            detection=ending("truncated"),
        ),
        Phase(
            "errors", "errors", "30% of chats are refused", 0.15,
            server=ServerFault(error_ratio=0.3), detection=failing(),
        ),
        Phase("recovery", "recovery", "nothing is wrong any more", 0.25, detection=calm(*_SPOKEN)),
    ),
    (("slow_first_token", burning("time_to_first_token")), ("errors", burning("availability"))),
    _SPOKEN,
    backend.CHAT,
)  # fmt: skip

_SERVED = ("availability", "latency", "prediction_validity")
_CANARY_STORY = Story(
    (
        Phase("healthy", "healthy", "version 1 serves alone", 0.15),
        Phase("canary", "canary", "version 2 gets a quarter of the traffic", 0.17, canary_share=_CANARY),
        Phase(
            "canary_errors", "errors", "version 2 fails 30% of its requests", 0.15, canary_share=_CANARY,
            server=ServerFault(error_ratio=0.3, version=CANDIDATE), detection=failing(CANDIDATE),
        ),
        Phase(
            "canary_nulls", "nulls", "30% of the scores of version 2 are null", 0.15, canary_share=_CANARY,
            server=ServerFault(null_ratio=0.3, version=CANDIDATE), detection=unusable(CANDIDATE),
        ),
        Phase(
            "canary_shift", "shift", "version 2 says sky to 60% of its rows", 0.18, canary_share=_CANARY,
            server=ServerFault(skew_ratio=0.6, version=CANDIDATE),
            detection=diverging(CANDIDATE, STABLE, "label"),
        ),
        Phase("rolled_back", "rolled back", "version 1 serves alone again", 0.20, detection=calm(*_SERVED)),
    ),
    (
        ("canary_errors", burning("availability")), ("canary_nulls", unusable(CANDIDATE)),
        ("canary_shift", diverging(CANDIDATE, STABLE, "label")),
    ),
    (*_SERVED, *_LATER),
    backend.TWO_VERSIONS,
)  # fmt: skip

STORIES = {"default": _DEFAULT, "llm": _LLM, "canary": _CANARY_STORY}
