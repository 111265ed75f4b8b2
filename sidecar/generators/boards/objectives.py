"""What was promised, and how fast the error budgets are spent now."""

from sidecar.generators.boards.panels import BURNING, GREEN, RED, About, Panel, Query, graph, number
from sidecar.generators.boards.queries import ALERTS, TROUBLE, burn, firing
from sidecar.generators.boards.tables import listing
from sidecar.generators.links import Links

# Objective, its name on a small panel, what its bad events are, its alert.
_OBJECTIVES = (
    ("availability", "Availability", "requests that fail", "InferenceAvailabilityBurn"),
    ("latency", "Latency", "answers slower than the threshold", "InferenceLatencyBurn"),
    (
        "time_to_first_token",
        "First token",
        "streamed answers that begin later than the threshold",
        "InferenceTimeToFirstTokenBurn",
    ),
    (
        "feature_availability",
        "Feature availability",
        "rows without a required feature",
        "InferenceFeatureAvailabilityBurn",
    ),
    (
        "prediction_validity",
        "Prediction validity",
        "predictions that cannot be used",
        "InferencePredictionValidityBurn",
    ),
    ("freshness", "Freshness", "rows with data that is too old", "InferenceFreshnessBurn"),
    ("quality", "Quality", "predictions that their labels prove wrong", "InferenceQualityBurn"),
)
# What an alert is about besides its model: one of these, seldom two.
_ABOUT = (
    "name",
    "feature",
    "output",
    "reason",
    "signal",
    "moment",
    "change",
    "usual",
    "container",
    "instance",
)
_ROW = ("severity", "alertname", "about", "model_name", "namespace", "owner")


def strip(links: Links) -> list[Panel]:
    """One number for each objective, and how many pages fire."""
    return [*(_burning(links, *objective) for objective in _OBJECTIVES), _pages()]


def _burning(links: Links, slo: str, title: str, meaning: str, alert: str) -> Panel:
    about = About(
        f"{title} burn",
        f"How many times faster than allowed the error budget for {meaning} is spent now; the worst "
        "three models. 1 lasts exactly 30 days, 14.4 spends 2 % of it in an hour.",
        "none",
        links.runbook(alert),
    )
    query = Query(f"topk(3, {burn(slo)} >= 0)", "{{model_name}}")
    return number(about, query, width=3, steps=BURNING, otherwise="not measured")


def _pages() -> Panel:
    about = About("Pages firing", "Alerts of severity page that fire now.", "none")
    query = Query(f"{firing('page')} or vector(0)", "pages")
    return number(about, query, width=3, steps=((None, GREEN), (1, RED)), otherwise="0")


def budgets() -> Panel:
    """Burn rates over time."""
    about = About(
        "Budget burn by objective",
        "The worst model of each objective. Dashed: 1 (lasts 30 days), 6 and 14.4 (pages).",
        "none",
    )
    steps = (*BURNING, (14.4, RED))
    return graph(about, Query(f"max by (slo) ({burn()})", "{{slo}}"), width=8, steps=steps)


def alerts(width: int = 12, height: int = 8) -> Panel:
    """What fires, and since when: the first is often the cause."""
    about = About(
        "Alerts firing",
        "Pages, then tickets, of these models, and since when each fires: the oldest is often the cause.",
        "dateTimeFromNow",
    )
    since = f"1000 * {ALERTS.replace('ALERTS', 'ALERTS_FOR_STATE').replace(_FIRING, '')}"
    found = f"{since} and ignoring (alertstate) {TROUBLE}"
    sources = ", ".join(f'"{label}"' for label in _ABOUT)
    # Several tiers of one objective are one row: a person needs to be told once.
    joined = f'label_join({found}, "about", " ", {sources})'
    trimmed = f'label_replace({joined}, "about", "$1", "about", " *(.*?) *")'
    query = Query(f"sort(min by ({', '.join(_ROW)}) ({trimmed}))")
    return listing(
        about, query, width=width, height=height, order=("since", *_ROW), value="since",
        sorted_by="severity", otherwise="nothing fires",
    )  # fmt: skip


_FIRING = 'alertstate="firing",'
