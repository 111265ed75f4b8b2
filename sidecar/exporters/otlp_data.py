"""A snapshot as OpenTelemetry's MetricsData: names, units, temporality. Pure, but imports the SDK.

Import it late: the SDK costs memory that a sidecar without OTLP should not pay.
"""

from collections.abc import Iterator, Mapping

from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from sidecar.metric import Metric, MetricKind
from sidecar.registry import Distribution, FamilySnapshot, Labels, Snapshot, Value

_SCOPE = "sidecar"


def metrics_data(
    snapshot: Snapshot, resource: Mapping[str, str], *, delta: bool = False, since: Snapshot | None = None
) -> sdk.MetricsData:
    """Everything in `snapshot`, cumulative since it was started, or as delta `since` an earlier one.

    Families without series are left out: OTLP has no way to announce them. A total that went down (the
    one who counts began again) is taken as it is.
    """
    metrics = []
    for family in snapshot.families:
        if family.series:
            earlier = _earlier(since, family.metric) if delta and since else {}
            data = _data(family, snapshot, earlier, since if delta else None, delta)
            metrics.append(sdk.Metric(family.metric.otlp_name, family.metric.help, family.metric.unit, data))
    scope = InstrumentationScope(_SCOPE, resource.get("service.version"))
    return sdk.MetricsData(
        [sdk.ResourceMetrics(Resource({**resource}), [sdk.ScopeMetrics(scope, metrics, "")], "")]
    )


def _earlier(since: Snapshot, metric: Metric) -> dict[Labels, Value]:
    return next((dict(f.series) for f in since.families if f.metric.name == metric.name), {})


def _data(
    family: FamilySnapshot,
    snapshot: Snapshot,
    earlier: Mapping[Labels, Value],
    since: Snapshot | None,
    delta: bool,
) -> sdk.DataT:
    # A gauge is what it is now, whatever the temporality.
    if family.metric.kind is MetricKind.GAUGE:
        return sdk.Gauge(list(_numbers(family, {}, 0, _nanoseconds(snapshot.taken))))
    start = _nanoseconds(since.taken if since else snapshot.started)
    now = _nanoseconds(snapshot.taken)
    temporality = sdk.AggregationTemporality.DELTA if delta else sdk.AggregationTemporality.CUMULATIVE
    if family.metric.kind is MetricKind.HISTOGRAM:
        return sdk.Histogram(list(_histograms(family, earlier, start, now)), temporality)
    return sdk.Sum(list(_numbers(family, earlier, start, now)), temporality, is_monotonic=True)


def _numbers(
    family: FamilySnapshot, earlier: Mapping[Labels, Value], start: int, now: int
) -> Iterator[sdk.NumberDataPoint]:
    for labels, value in family.series:
        assert not isinstance(value, Distribution)
        before = earlier.get(labels, 0.0)
        assert not isinstance(before, Distribution)
        number = float(value - before if before <= value else value)
        yield sdk.NumberDataPoint(_attributes(family.metric, labels), start, now, number)


def _histograms(
    family: FamilySnapshot, earlier: Mapping[Labels, Value], start: int, now: int
) -> Iterator[sdk.HistogramDataPoint]:
    for labels, value in family.series:
        assert isinstance(value, Distribution)
        before = earlier.get(labels)
        part = _minus(value, before) if isinstance(before, Distribution) else value
        yield sdk.HistogramDataPoint(
            attributes=_attributes(family.metric, labels),
            start_time_unix_nano=start,
            time_unix_nano=now,
            count=part.count,
            sum=float(part.sum),
            bucket_counts=part.counts,
            explicit_bounds=family.metric.buckets,
            # Not kept: the SDK's encoder leaves out what is None.
            min=None,  # type: ignore[arg-type]
            max=None,  # type: ignore[arg-type]
        )


def _minus(value: Distribution, before: Distribution) -> Distribution:
    counts = [now - then for now, then in zip(value.counts, before.counts, strict=True)]
    return value if min(counts) < 0 else Distribution(counts, value.sum - before.sum)


def _attributes(metric: Metric, labels: Labels) -> dict[str, str]:
    pairs = zip(metric.otlp_labels, labels, strict=True)
    # The conventions leave an attribute out where there is nothing to say; empty labels are ours.
    return {name: _text(value) for name, value in pairs if value or "." not in name}


def _text(value: str) -> str:
    """Protocol buffers refuse a lone surrogate, and one odd label must not cost the whole export."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
