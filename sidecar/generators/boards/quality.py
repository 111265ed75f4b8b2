"""Live quality: how right predictions turned out once their labels came, and how late labels are."""

from sidecar import catalog_labels as catalog
from sidecar.generators.boards.panels import About, Panel, Query, graph
from sidecar.generators.boards.queries import MODEL, rate, recorded
from sidecar.generators.links import Links
from sidecar.metric import Metric

_LEGEND = "{{metric}} {{model_name}}"


def quality(links: Links) -> list[Panel]:
    """The panels of the row; empty for models whose labels nobody brings."""
    return [right(links, width=6), _errors(), _labels(links), _lag(links)]


def right(links: Links, width: int = 8) -> Panel:
    """Accuracy and the like."""
    about = About(
        "Live quality",
        "Of the last labelled predictions, replicas weighted by their labels: 100 % is best. Predictions "
        "are older than now, by the label's lag.",
        "percentunit",
        links.runbook("InferenceQualityDegraded"),
    )
    return graph(about, Query(_weighted(catalog.QUALITY_RATIO), _LEGEND), width=width)


def _errors() -> Panel:
    about = About(
        "Live errors of numbers",
        "Mean absolute error, root mean square error and bias in the unit of the label; Brier score of "
        "probabilities. 0 is best.",
        "none",
    )
    return graph(about, Query(_weighted(catalog.QUALITY_VALUE), _LEGEND), width=6, floor=None)


def _labels(links: Links) -> Panel:
    about = About(
        "Labels",
        "A second, by what became of them: matched, of an unknown prediction, twice, or never come.",
        "cps",
        links.runbook("InferenceLabelsStopped"),
    )
    return graph(about, Query(rate(catalog.LABELS, "state"), "{{state}}"), width=6)


def _lag(links: Links) -> Panel:
    about = About(
        "Lag of labels",
        "How long after their prediction labels come, on average over an hour.",
        "s",
        links.runbook("InferenceLabelsLate"),
    )
    mean = recorded("model:inference_label_lag_seconds:mean1h", "model_name", how="max")
    return graph(about, Query(mean, "{{model_name}}"), width=6)


def _weighted(metric: Metric) -> str:
    """The mean over replicas and versions, each with as much weight as it has labels."""
    labels = f"{catalog.QUALITY_LABELS.name}{{{MODEL}}}"
    values = f"{metric.name}{{{MODEL}}}"
    by = "by (model_name, metric)"
    weights = f"({values} * 0 + ignoring (metric) group_left {labels})"
    return f"sum {by} ({values} * ignoring (metric) group_left {labels}) / sum {by} {weights}"
