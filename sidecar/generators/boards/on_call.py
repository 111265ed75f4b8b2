"""The dashboard a page links to: the cause on the first screen, the rest below it.

The first screen (22 rows on a laptop) has what is promised and broken, what fires and since when, which of
the usual causes shows itself, how requests end, how long they take and which features are missing. Below, in
the order of the questions: which version serves, what comes in, what goes out, whether it was right, and
whether the monitor can be believed.
"""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar.generators.boards import (
    deploys,
    findings,
    generation,
    objectives,
    payload,
    predictions,
    quality,
    sidecar,
    traffic,
)
from sidecar.generators.boards.frame import frame, many_models
from sidecar.generators.boards.panels import Panel
from sidecar.generators.links import ON_CALL_UID, Links

_ABOUT = "What callers of the models see now, and why. Alerts link here."


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    return many_models(frame(ON_CALL_UID, "on call", _ABOUT, links, _rows(links)))


def _rows(links: Links) -> dict[str, list[Panel]]:
    first = [objectives.alerts(12, 7), findings.findings(12, 7)]
    return {
        "Now": [*objectives.strip(links), *first, traffic.outcomes(), traffic.latency(), payload.missing()],
        "Requests": [objectives.budgets(), *traffic.requests()],
        "Versions and deploys": deploys.deploys(links),
        "Features": payload.features(links),
        "Predictions and drift": predictions.predictions(links),
        "The sidecar itself": sidecar.sidecar(links),
        "Generation and quality": [*generation.generation(), quality.right(links)],
    }
