"""What comes out of the models, and whether it or what goes in has drifted from the reference."""

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, GREEN, PSI, RED, About, Panel, Query, graph
from sidecar.generators.boards.queries import FLEET_PSI, MODEL, drift_began, gauge, or_none, psi, rate
from sidecar.generators.boards.tables import Column, overview
from sidecar.generators.links import Links

_OF = ("model_name", "output")
_COLUMN = ("model_name", "kind", "name")
_VERDICT = (*_COLUMN, "level")
_NAMED = "{{name}} {{kind}} {{model_name}}"


def predictions(links: Links) -> list[Panel]:
    """The panels of the row."""
    return [drift_now(links), drift_scores(), detections(), classes(), unusable(links)]


def drift_now(links: Links) -> Panel:
    """Standing verdicts, and since when."""
    about = About(
        "Drift now",
        "Verdicts that stand, the oldest first: it is often the cause. Since when: where the change began. "
        "On what share of the replicas: half are an alert. How often all replicas together found a change "
        "of this column in the chosen range: several are a value that comes and goes.",
        "none",
        links.runbook("InferenceDrift"),
    )
    rows = [
        Column("since", _of_standing(drift_began(*_COLUMN)), "dateTimeFromNow"),
        Column("replicas", f"{gauge(catalog.DRIFT_ACTIVE, *_VERDICT, how='avg')} > 0", "percentunit"),
        Column("changes", _of_standing(_found()), "none"),
    ]
    return overview(
        about, _VERDICT, rows, width=12, height=8, worst="since", highest=False, otherwise="no drift"
    )


def _of_standing(expr: str) -> str:
    """`expr`, which keeps `_COLUMN`, for each verdict that stands."""
    standing = f"{gauge(catalog.DRIFT_ACTIVE, *_VERDICT)} == 1"
    return f"({standing}) * on ({', '.join(_COLUMN)}) group_left () ({expr})"


def _found(at: str = "") -> str:
    """How many changes detectors found within the chosen range, on all replicas."""
    found = f"{catalog.DRIFT_DETECTIONS.name}{{{MODEL}}}[$__range]{at}"
    # Whole: Prometheus extrapolates to the ends of the range.
    return f"round(sum by ({', '.join(_COLUMN)}) (increase({found})))"


def detections() -> Panel:
    """How often changes are found."""
    about = About(
        "Changes found, highest five",
        "Detections of all replicas together, before any gate, in as long as the chosen range before each "
        "moment: choose a day to see how many a day. One alone notifies nobody. A column that goes on "
        "changing has no usual to be compared with.",
        "none",
    )
    # The five highest of the whole range, not five others at every step.
    found = f"{_found()} and topk(5, {_found(' @ end()')} > 0)"
    return graph(about, Query(or_none(found, "name"), _NAMED), width=8)


def drift_scores() -> Panel:
    """Distances from the reference over time."""
    about = About(
        "Drift score (PSI), highest five",
        "Population stability index against the reference, corrected for sampling: of all replicas together "
        "where there is a given reference, else of the worst one. Dashed: 0.1 and 0.2. A high score alone "
        "notifies nobody: the verdict also asks for corroboration.",
        "none",
    )
    of = _COLUMN
    # The five highest of the whole range, not five others at every step.
    one = f"""{catalog.DRIFT_SCORE.name}{{{MODEL},method="psi"}}"""
    every, worst = (
        f"max by ({', '.join(of)}) (max_over_time({series}[$__range] @ end()))"
        for series in (f"{FLEET_PSI}{{{MODEL}}}", one)
    )
    query = Query(f"({psi(*of)}) and topk(5, {every} or {worst})", _NAMED)
    return graph(about, query, width=12, steps=PSI)


def classes() -> Panel:
    """How often each class is predicted."""
    about = About(
        "Predictions by class", "Predictions a second of each class; nothing for numeric outputs.", "cps"
    )
    counted = rate(catalog.PREDICTIONS, *_OF, "class", where='class!=""')
    query = Query(counted, "{{class}} {{output}} {{model_name}}")
    return graph(about, query, width=8, stacked=True)


def unusable(links: Links) -> Panel:
    """Predictions that are none."""
    about = About(
        "Predictions that cannot be used",
        "Share that is NaN, infinite, null or of the wrong shape. Dashed: ticket and page.",
        "percentunit",
        links.runbook("InferencePredictionsInvalid"),
    )
    invalid = rate(catalog.PREDICTIONS_INVALID, *_OF, "reason")
    every = rate(catalog.PREDICTIONS, *_OF)
    shares = f"{invalid} / on (model_name, output) group_left {every} > 0"
    # At zero where there is nothing to complain of: without it, "no data" would be the good news.
    query = f"{shares} or on (model_name, output) 0 * {every}"
    steps = ((None, GREEN), (0.01, AMBER), (0.1, RED))
    return graph(about, Query(query, "{{output}} {{reason}} {{model_name}}"), width=8, steps=steps)
