"""One model from near: each feature and output against its reference, what is missing, what is predicted."""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog
from sidecar.generators.boards import columns, objectives, payload, predictions
from sidecar.generators.boards.frame import choice, frame, one_model
from sidecar.generators.boards.panels import AMBER, GREEN, RED, About, Panel, Query, Steps, graph
from sidecar.generators.boards.queries import MODEL, UNAVAILABLE, busy, gauge, rate, share
from sidecar.generators.boards.tables import Column, overview
from sidecar.generators.links import MODEL_UID, Links

_ABOUT = "Features and predictions of one model: distributions against the reference, missing values, drift."
_VERDICT: Steps = ((None, GREEN), (1, AMBER))
# The usual reading of a population stability index: past 0.1 look, past 0.2 these are two distributions.
_PSI: Steps = ((None, GREEN), (0.1, AMBER), (0.2, RED))


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    column = f"label_values({catalog.DISTRIBUTION_ROWS.name}{{{MODEL}}}, name)"
    board = frame(MODEL_UID, "model", _ABOUT, links, _rows(links))
    return one_model(board, choice("column", "Feature or output", column))


def _rows(links: Links) -> dict[str, list[Panel]]:
    return {
        "Objectives": objectives.strip(links),
        "$column": columns.panels(),
        "All features": [_features(), _missing(), payload.states(), payload.complete()],
        "Predictions and drift": predictions.predictions(links),
    }


def _features() -> Panel:
    values, of = catalog.FEATURE_VALUES, ("feature",)
    gone = f"({share(values, UNAVAILABLE, *of)}) or 0 * {rate(values, *of)}"
    about = About(
        "Features now", "Each feature: what is missing, its moments over the last window, its drift.", "none"
    )
    rows = [
        Column("unavailable", gone, "percentunit", ((None, GREEN), (0.001, AMBER), (0.01, RED))),
        Column("mean", gauge(catalog.FEATURE_MEAN, *of, how="avg"), "none"),
        Column("stddev", gauge(catalog.FEATURE_STDDEV, *of, how="avg"), "none"),
        Column("min", gauge(catalog.FEATURE_MIN, *of, how="min"), "none"),
        Column("max", gauge(catalog.FEATURE_MAX, *of), "none"),
        Column("PSI", _of_feature(catalog.DRIFT_SCORE.name, 'method="psi"'), "none", _PSI),
        Column("drifting", _of_feature(catalog.DRIFT_ACTIVE.name), "none", _VERDICT),
    ]
    return overview(about, of, rows, width=24, height=12)


def _of_feature(metric: str, where: str = "") -> str:
    """The worst replica, with the label `feature` as the other columns have it."""
    selector = ",".join(filter(None, (MODEL, 'kind="feature"', where)))
    renamed = f'label_replace({metric}{{{selector}}}, "feature", "$1", "name", "(.*)")'
    return f"max by (feature) ({renamed})"


def _missing() -> Panel:
    about = About(
        "Unavailable values by feature",
        "Share that is missing, null, NaN, infinite or of the wrong type.",
        "percentunit",
    )
    shares = share(catalog.FEATURE_VALUES, UNAVAILABLE, "feature")
    return graph(about, Query(busy(shares, "feature"), "{{feature}}"), width=8)
