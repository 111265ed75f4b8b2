"""A month at a glance: health, budgets left, incidents, how many models are in use."""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog
from sidecar.generators.boards import quality
from sidecar.generators.boards.frame import frame, many_models
from sidecar.generators.boards.panels import (
    AMBER,
    GREEN,
    PLAIN,
    RED,
    SCORE,
    About,
    Panel,
    Query,
    Steps,
    bars,
    graph,
    number,
)
from sidecar.generators.boards.queries import (
    ALERTS,
    BUDGET_LEFT,
    HEALTH,
    HEALTH_COMPONENT,
    MODEL,
    firing,
    recorded,
)
from sidecar.generators.links import EXECUTIVE_UID, Links

_ABOUT = "Is what was promised kept? Health, error budgets of 30 days, incidents, models in use."
_LEFT: Steps = ((None, RED), (0.0, AMBER), (0.25, GREEN))
_INCIDENTS: Steps = ((None, GREEN), (1, AMBER), (4, RED))
_NAME = "{{model_name}}"
_HEALTH = recorded(HEALTH, "model_name")
_LEFT_OF_EACH = f"clamp_min({recorded(BUDGET_LEFT, 'model_name', 'slo')}, -1)"


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    rows = {"Now": _now(), "Thirty days": _month(), "Over time": _over_time(links)}
    board = many_models(frame(EXECUTIVE_UID, "executive", _ABOUT, links, rows))
    return board.time("now-7d", "now").refresh("5m")


def _now() -> list[Panel]:
    """Four numbers."""
    active = f"count(sum by (model_name) (increase({catalog.REQUESTS.name}{{{MODEL}}}[1d])) > 0)"
    return [
        number(About("Active models", "Models asked at least once in the last day.", "none"),
               Query(active, "models"), width=6, steps=PLAIN, otherwise="none"),
        number(About("Lowest health", "The model that does worst; 1 is well, 0 is failing.", "percentunit"),
               Query(f"bottomk(1, {_HEALTH})", _NAME), width=6, steps=SCORE, otherwise="no objective"),
        number(About("Pages firing", "Alerts of severity page that fire now.", "none"),
               Query(f"{firing('page')} or vector(0)", "pages"), width=6, steps=((None, GREEN), (1, RED)),
               otherwise="0"),
        number(About("Incidents in 30 days", "Of all models; what counts is said below.", "none"),
               Query(f"sum({_incidents()})", "incidents"), width=6, steps=_INCIDENTS, otherwise="0"),
    ]  # fmt: skip


def _month() -> list[Panel]:
    left = About(
        "Error budget left, worst first",
        "Share of the budget of 30 days, or of the days there are, not spent yet; below 0: overspent; "
        "−100 %: twice the budget or more.",
        "percentunit",
    )
    incidents = About(
        "Incidents by model",
        "Stretches of the last 30 days in which a page fired; pages that overlap are one incident.",
        "none",
    )
    return [
        bars(About("Health by model", "A weighted mean of objectives and drift; its parts are below.",
                   "percentunit"),
             Query(f"sort({_HEALTH})", _NAME), width=8, steps=SCORE),
        bars(left, Query(f"sort({_LEFT_OF_EACH})", "{{slo}} {{model_name}}"), width=8, steps=_LEFT),
        bars(incidents, Query(f"sort_desc({_incidents()})", _NAME), width=8, steps=_INCIDENTS, most=None),
    ]  # fmt: skip


def _over_time(links: Links) -> list[Panel]:
    least = recorded(BUDGET_LEFT, "model_name")
    components = recorded(HEALTH_COMPONENT, "model_name", "component")
    parts = About(
        "Parts of health", "1 while a budget lasts or nothing drifts, 0 where it pages.", "percentunit"
    )
    spent = About(
        "Error budget left over time",
        "The objective of each model that has least left; −100 % is twice the budget or more.",
        "percentunit",
    )
    return [
        graph(
            About("Health over time", "Of each model, from 0 to 1.", "percentunit"),
            Query(_HEALTH, _NAME),
            width=12,
        ),
        graph(spent, Query(f"clamp_min({least}, -1)", _NAME), width=12, floor=None),
        graph(parts, Query(components, "{{component}} {{model_name}}"), width=12),
        quality.right(links, width=12),
    ]  # fmt: skip


def _incidents() -> str:
    """Stretches in which at least one page of a model fired. Rising and falling are changes: two each."""
    page = f'max by (model_name) ({ALERTS[:-1]},severity="page"}})'
    quiet = f"0 * max by (model_name) ({catalog.MODEL_INFO.name}{{{MODEL}}})"
    return f"ceil(changes(({page} or {quiet})[30d:1m]) / 2)"
