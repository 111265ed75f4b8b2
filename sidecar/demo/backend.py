"""What stands behind the sidecar in each demo: which server, how it says that it is ready, what it owes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.demo import chat_server, dataset

# 200 ms is generous for a linear model next door and 97 % leaves room for a busy machine, while a burn of
# 14.4 (43 % of answers slow) still fits into ten seconds.
_LATENCY = {"objective": 97, "threshold": "200ms"}
_KEPT = {"objective": 99.9}
# Below what the model reaches on rows it has never seen, so that healthy traffic keeps it.
_QUALITY = {"objective": 60}


@dataclass(frozen=True, slots=True)
class Backend:
    """A model server of the demo.

    `module` is run with `--port` and `--controlled`; `ready` is a path that answers 200 and counts as a
    probe; `model` and `slos` are what the configuration says; with `reference` one is made from the data.
    """

    module: str
    ready: str
    model: Mapping[str, str]
    slos: Mapping[str, Any]
    reference: bool = True
    flags: tuple[str, ...] = field(default=())


SEGMENTS = Backend(
    "sidecar.demo.model_server",
    "/v2/health/ready",
    {"name": dataset.MODEL_NAME, "version": dataset.MODEL_VERSION, "owner": "demo"},
    {"availability": _KEPT, "latency": _LATENCY, "feature_availability": _KEPT, "quality": _QUALITY},
)
# No version: requests name the one they want.
TWO_VERSIONS = Backend(
    SEGMENTS.module,
    SEGMENTS.ready,
    {"name": dataset.MODEL_NAME, "owner": "demo"},
    {"availability": _KEPT, "latency": _LATENCY, "prediction_validity": _KEPT, "quality": _QUALITY},
    flags=("--candidate",),
)
# Half a second is five times what this server takes to begin.
CHAT = Backend(
    "sidecar.demo.chat_server",
    "/health",
    {"name": chat_server.MODEL_NAME, "owner": "demo"},
    {"availability": _KEPT, "time_to_first_token": {"objective": 95, "threshold": "500ms"}},
    reference=False,
)
