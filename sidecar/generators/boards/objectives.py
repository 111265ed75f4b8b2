"""What was promised, and how fast the error budgets are spent now."""

from sidecar.generators.boards.panels import BURNING, GREEN, RED, About, Panel, Query, graph, number
from sidecar.generators.boards.queries import ALERTS, TROUBLE, burn, firing
from sidecar.generators.boards.tables import SCRAPE_LABELS, listing
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
# Labels of an alert in the order in which a person reads them; others follow.
_FIRST = (
    "since", "severity", "alertname", "model_name", "slo", "burnrate_tier", "kind", "name", "feature",
    "output",
)  # fmt: skip


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
    query = Query(f"sort({since} and ignoring (alertstate) {TROUBLE})")
    return listing(
        about, query, width=width, height=height, hidden=SCRAPE_LABELS, order=_FIRST, value="since",
        sorted_by="severity", otherwise="nothing fires",
    )  # fmt: skip


_FIRING = 'alertstate="firing",'
