"""Counters and histograms as a document, and back into a registry: what lets them go on after a restart.

Pure. Gauges are not kept: they are of the moment, and whoever sets them does so again. A family is taken back
only if it still has the same labels and buckets. The trap: a counter that goes on from less than was shown
looks like a reset to Prometheus, which then counts all of it anew; so what is taken back must be as new as
what was shown (`state` sees to that).
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

from sidecar import catalog
from sidecar.metric import Metric, MetricKind
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.registry import Distribution, Labels, Registry, Snapshot, Value

# Facts about the past that nobody could find again.
_KEPT_GAUGES = frozenset({"inference_model_version_first_seen_timestamp_seconds"})
_SERIES_LIMIT = 200_000


def document(snapshot: Snapshot) -> dict[str, Any]:
    """What to save of a snapshot."""
    families = [
        {
            "name": family.metric.name,
            "labels": list(family.metric.labels),
            "buckets": list(family.metric.buckets),
            "series": [[list(labels), _plain(value)] for labels, value in family.series if _finite(value)],
        }
        for family in snapshot.families
        if is_kept(family.metric) and family.series
    ]
    return {"started": snapshot.started, "taken": snapshot.taken, "families": families}


def is_kept(metric: Metric) -> bool:
    """Whether a family survives."""
    return metric.kind is not MetricKind.GAUGE or metric.name in _KEPT_GAUGES


def restore(document: Any, registry: Registry, wanted: Callable[[Metric, Labels], bool]) -> int:
    """Go on from a saved document, but for series that are not `wanted`; returns how many series.

    Raises ValueError, having changed nothing, when the document is not what `document` gave.
    """
    try:
        read = [found for entry in document["families"] for found in _family(entry)]
        started = float(document["started"])
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("not a document of series") from error
    read = [(metric, labels, value) for metric, labels, value in read if wanted(metric, labels)]
    for metric, labels, value in read[:_SERIES_LIMIT]:
        registry.go_on(metric, labels, value)
    registry.started = min(registry.started, started)
    return len(read)


class Restored:
    """Models and versions whose series were taken back: those that nobody asks for a day leave.

    Names that traffic brings leave by themselves (`names`), but no traffic has brought these.
    """

    def __init__(self, registry: Registry, now: float) -> None:
        self._registry = registry
        self._since = now
        self._asked = self._requests()

    def expire(self, now: float) -> list[dict[str, str]]:
        """Once, a day after: the labels for `Registry.forget` of every one that was not asked since."""
        if not self._asked or now - self._since <= UNUSED_AFTER_SECONDS:
            return []
        before, self._asked = self._asked, {}
        asked = self._requests()
        unused = [model for model, requests in before.items() if asked.get(model) == requests]
        return [{"model_name": name, "model_version": version} for name, version in unused]

    def _requests(self) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for labels, requests in self._registry.counter(catalog.REQUESTS).values.items():
            model = labels[0], labels[1]
            found[model] = found.get(model, 0.0) + requests
        return found


def _family(entry: dict[str, Any]) -> list[tuple[Metric, Labels, Value]]:
    metric = catalog.BY_NAME.get(entry["name"])
    if metric is None or not is_kept(metric):
        return []
    if tuple(entry["labels"]) != metric.labels or tuple(entry["buckets"]) != metric.buckets:
        return []  # it means something else now
    return [(metric, _labels(metric, labels), _value(metric, value)) for labels, value in entry["series"]]


def _labels(metric: Metric, labels: list[str]) -> Labels:
    if len(labels) != len(metric.labels) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"labels of {metric.name}")
    return tuple(labels)


def _value(metric: Metric, value: Any) -> Value:
    if metric.kind is not MetricKind.HISTOGRAM:
        return float(value)
    counts = [int(count) for count in value["counts"]]
    if len(counts) != len(metric.buckets) + 1 or min(counts) < 0:
        raise ValueError(f"buckets of {metric.name}")
    return Distribution(counts, float(value["sum"]))


def _finite(value: Value) -> bool:
    """Whether JSON can hold it; a sum of durations that is none loses its histogram, and nothing else."""
    return isfinite(value.sum if isinstance(value, Distribution) else value)


def _plain(value: Value) -> Any:
    return {"counts": value.counts, "sum": value.sum} if isinstance(value, Distribution) else value
