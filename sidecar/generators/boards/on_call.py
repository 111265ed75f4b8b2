"""The dashboard a page links to: the cause on the first screen, the rest below it.

Top to bottom in the order of the questions: what is promised and broken, what callers see, which version
serves, what comes in, what goes out and whether it has changed, and whether the monitor can be believed.
"""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar.generators.boards import deploys, generation, objectives, payload, predictions, sidecar, traffic
from sidecar.generators.boards.frame import frame, many_models
from sidecar.generators.boards.panels import Panel
from sidecar.generators.links import ON_CALL_UID, Links

_ABOUT = "What callers of the models see now, and why. Alerts link here."


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    return many_models(frame(ON_CALL_UID, "on call", _ABOUT, links, _rows(links)))


def _rows(links: Links) -> dict[str, list[Panel]]:
    return {
        "Objectives": objectives.objectives(links),
        "Requests": traffic.requests(),
        "Versions and deploys": deploys.deploys(links),
        "Features": payload.features(links),
        "Predictions and drift": predictions.predictions(links),
        "The sidecar itself": sidecar.sidecar(links),
        "Generation": generation.generation(),
    }
