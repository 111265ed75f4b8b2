"""The standard translation from OTLP to Prometheus, from its specification and not from our catalogue.

OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility" and the default
`UnderscoreEscapingWithSuffixes` of Prometheus' own OTLP endpoint: characters outside `[a-zA-Z0-9_:]`
become underscores, the unit's word is appended unless the name has it, `{…}` units add nothing, `1` adds
`_ratio` to gauges, and monotonic sums end in `_total`.
"""

import re

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from tests.exporters.filled import Series

_UNITS = {"s": "seconds", "By": "bytes", "ms": "milliseconds"}


def series_of_otlp(request: ExportMetricsServiceRequest) -> Series:
    """Every sample Prometheus would store, by name and labels; bucket bounds as numbers."""
    found: Series = {}
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                _add(found, metric)
    return found


def _add(found: Series, metric: pb.Metric) -> None:
    kind = metric.WhichOneof("data")
    name = prometheus_name(metric)
    for point in getattr(metric, kind).data_points:
        labels = {_name(a.key): a.value.string_value for a in point.attributes}
        if kind != "histogram":
            _set(found, name, labels, point.as_double)
            continue
        total = 0
        for bound, count in zip([*point.explicit_bounds, float("inf")], point.bucket_counts, strict=True):
            total += count
            _set(found, f"{name}_bucket", {**labels, "le": repr(bound)}, total)
        _set(found, f"{name}_count", labels, point.count)
        _set(found, f"{name}_sum", labels, point.sum)


def _set(found: Series, name: str, labels: dict[str, str], value: float) -> None:
    # To Prometheus an empty label is one that is not there.
    key = (name, frozenset((label, value) for label, value in labels.items() if value))
    assert key not in found, f"two series are one: {key}"
    found[key] = value


def prometheus_name(metric: pb.Metric) -> str:
    """The name Prometheus gives to an OTLP metric."""
    kind = metric.WhichOneof("data")
    name = _name(metric.name)
    unit = _UNITS.get(metric.unit, "")
    if metric.unit == "1" and kind == "gauge":
        unit = "ratio"
    if unit and unit not in name.split("_"):
        name = f"{name}_{unit}"
    return f"{name}_total" if kind == "sum" and metric.sum.is_monotonic else name


def _name(dotted: str) -> str:
    return re.sub("[^a-zA-Z0-9_:]", "_", dotted)
