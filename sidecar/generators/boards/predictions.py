"""What comes out of the models, and whether it or what goes in has drifted from the reference."""

from sidecar import catalog
from sidecar.generators.boards.panels import AMBER, GREEN, PSI, RED, About, Panel, Query, graph
from sidecar.generators.boards.queries import FLEET_PSI, MODEL, gauge, psi, rate
from sidecar.generators.boards.tables import listing
from sidecar.generators.links import Links

_OF = ("model_name", "output")
_VERDICT = ("model_name", "kind", "name", "level")


def predictions(links: Links) -> list[Panel]:
    """The panels of the row."""
    return [drift_now(links), drift_scores(), classes(), unusable(links)]


def drift_now(links: Links) -> Panel:
    """Standing verdicts."""
    about = About(
        "Drift now",
        "Features and outputs whose verdict stands, and on what share of the replicas: half are an alert.",
        "percentunit",
        links.runbook("InferenceDrift"),
    )
    verdicts = gauge(catalog.DRIFT_ACTIVE, "model_name", "kind", "name", "level", how="avg")
    query = Query(f"sort_desc({verdicts} > 0)")
    return listing(
        about, query, width=12, order=(*_VERDICT, "replicas"), value="replicas", otherwise="no drift"
    )


def drift_scores() -> Panel:
    """Distances from the reference over time."""
    about = About(
        "Drift score (PSI), highest five",
        "Population stability index against the reference, corrected for sampling: of all replicas together "
        "where there is a given reference, else of the worst one. Dashed: 0.1 and 0.2. A high score alone "
        "notifies nobody: the verdict also asks for corroboration.",
        "none",
    )
    of = _VERDICT[:3]
    # The five highest of the whole range, not five others at every step.
    one = f"""{catalog.DRIFT_SCORE.name}{{{MODEL},method="psi"}}"""
    every, worst = (
        f"max by ({', '.join(of)}) (max_over_time({series}[$__range] @ end()))"
        for series in (f"{FLEET_PSI}{{{MODEL}}}", one)
    )
    query = Query(f"({psi(*of)}) and topk(5, {every} or {worst})", "{{name}} {{kind}} {{model_name}}")
    return graph(about, query, width=12, steps=PSI)


def classes() -> Panel:
    """How often each class is predicted."""
    about = About(
        "Predictions by class", "Predictions a second of each class; nothing for numeric outputs.", "cps"
    )
    counted = rate(catalog.PREDICTIONS, *_OF, "class", where='class!=""')
    query = Query(counted, "{{class}} {{output}} {{model_name}}")
    return graph(about, query, width=12, stacked=True)


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
    return graph(about, Query(query, "{{output}} {{reason}} {{model_name}}"), width=12, steps=steps)
