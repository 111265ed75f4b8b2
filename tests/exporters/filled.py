"""A registry with something in every family of the catalogue, and the series of both exports to compare."""

from prometheus_client.parser import text_string_to_metric_families

from sidecar import catalog
from sidecar.metric import Metric, MetricKind
from sidecar.registry import Counter, Gauge, Histogram, Registry, Snapshot

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def filled_registry(*, value: str = "a", started: float = 1_000.0) -> Registry:
    """Two series in every family; labels hold `value`, or what the closed sets allow."""
    registry = Registry(started=started)
    for number, metric in enumerate(catalog.ALL):
        family = registry._families[metric.name]
        for which in (0, 1):
            labels = [_label(metric, label, which, value) for label in metric.labels]
            if isinstance(family, Counter):
                family.add(number + which + 0.5, *labels)
            elif isinstance(family, Gauge):
                family.set(number - which - 0.25, *labels)
            elif isinstance(family, Histogram):
                for bound in (*metric.buckets, 1e12):
                    family.observe(bound, *labels)
    return registry


def _label(metric: Metric, label: str, which: int, value: str) -> str:
    closed = metric.closed.get(label)
    return closed[which % len(closed)] if closed else f"{value}{which}"


def series_of_snapshot(snapshot: Snapshot) -> int:
    """How many samples a scrape of this snapshot has."""
    return sum(
        len(f.series) * (len(f.metric.buckets) + 3 if f.metric.kind is MetricKind.HISTOGRAM else 1)
        for f in snapshot.families
    )


def own_series(text: str) -> Series:
    """The samples of a scrape but for `process_*`, by name and labels; bucket bounds as numbers."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if "le" in labels:
                labels["le"] = repr(float(labels["le"]))
            if not sample.name.startswith("process_"):
                # To Prometheus an empty label is one that is not there.
                there = frozenset((label, value) for label, value in labels.items() if value)
                found[(sample.name, there)] = sample.value
    return found
