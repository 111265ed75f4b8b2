"""One model from near: each feature and output against its reference, what is missing, what is predicted."""

from grafana_foundation_sdk.builders import dashboard as builders

from sidecar import catalog
from sidecar.generators.boards import columns, objectives, payload, predictions, quality
from sidecar.generators.boards.frame import choice, frame, one_model
from sidecar.generators.boards.panels import AMBER, GREEN, PSI, RED, About, Panel, Steps
from sidecar.generators.boards.queries import FLEET_PSI, MODEL, UNAVAILABLE, gauge, rate, share
from sidecar.generators.boards.tables import Column, overview
from sidecar.generators.links import MODEL_UID, Links

_ABOUT = "Features and predictions of one model: distributions against the reference, missing values, drift."
# From half of the replicas on it is an alert.
_VERDICT: Steps = ((None, GREEN), (0.01, AMBER), (0.5, RED))


def build(links: Links) -> builders.Dashboard:
    """The whole dashboard."""
    column = f"label_values({catalog.DISTRIBUTION_ROWS.name}{{{MODEL}}}, name)"
    board = frame(MODEL_UID, "model", _ABOUT, links, _rows(links))
    return one_model(board, choice("column", "Feature or output", column))


def _rows(links: Links) -> dict[str, list[Panel]]:
    return {
        "Objectives": objectives.strip(links),
        "$column": columns.panels(),
        "All features": [_features(), payload.missing(), payload.states(), payload.complete()],
        "Predictions and drift": predictions.predictions(links),
        "Quality": quality.quality(links),
    }


def _features() -> Panel:
    values, of = catalog.FEATURE_VALUES, ("feature",)
    gone = f"({share(values, UNAVAILABLE, *of)}) or 0 * {rate(values, *of)}"
    about = About(
        "Features now",
        "What is missing, moments over the last window, distance from the reference (of all replicas "
        "together where rules work it out, and of the worst), and how many replicas hold a drift verdict.",
        "none",
    )
    rows = [
        Column("unavailable", gone, "percentunit", ((None, GREEN), (0.001, AMBER), (0.01, RED))),
        Column("mean", gauge(catalog.FEATURE_MEAN, *of, how="avg"), "none"),
        Column("stddev", gauge(catalog.FEATURE_STDDEV, *of, how="avg"), "none"),
        Column("min", gauge(catalog.FEATURE_MIN, *of, how="min"), "none"),
        Column("max", gauge(catalog.FEATURE_MAX, *of), "none"),
        Column("PSI, all replicas", _of_feature(FLEET_PSI), "none", PSI),
        Column("PSI, worst replica", _of_feature(catalog.DRIFT_SCORE.name, 'method="psi"'), "none", PSI),
        Column("replicas that say drift", _saying_drift(), "percentunit", _VERDICT),
    ]
    return overview(about, of, rows, width=24, height=12, worst="PSI, worst replica")


def _saying_drift() -> str:
    """The share of replicas that hold a verdict, of whichever level."""
    verdicts = f'max without (level) ({catalog.DRIFT_ACTIVE.name}{{{MODEL},kind="feature"}})'
    return f'avg by (feature) (label_replace({verdicts}, "feature", "$1", "name", "(.*)"))'


def _of_feature(metric: str, where: str = "") -> str:
    """The worst replica, with the label `feature` as the other columns have it."""
    selector = ",".join(filter(None, (MODEL, 'kind="feature"', where)))
    renamed = f'label_replace({metric}{{{selector}}}, "feature", "$1", "name", "(.*)")'
    return f"max by (feature) ({renamed})"
