"""A snapshot as OTLP's metrics: names, units, temporality. Pure, but loads OTLP's messages.

The messages are filled directly: OpenTelemetry's own encoder wants its objects first, and took 48 ms of the
interpreter for 2,900 series where this takes 13. Import it late: the messages cost memory that a sidecar
without OTLP should not pay.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from sidecar.exporters.otlp_text import fill_resource, nanoseconds, wire_text
from sidecar.metric import Metric, MetricKind
from sidecar.registry import Distribution, Exemplar, FamilySnapshot, Labels, Snapshot, Value

# A collector's gRPC server refuses messages over 4 MiB; a histogram takes about 400 bytes.
MAX_POINTS_PER_REQUEST = 5_000

Series = list[tuple[Labels, Value]]


def metrics_requests(
    snapshot: Snapshot,
    resource: Mapping[str, str],
    *,
    delta: bool = False,
    since: Snapshot | None = None,
    exemplars_since: float = 0.0,
    most: int = MAX_POINTS_PER_REQUEST,
) -> Iterator[ExportMetricsServiceRequest]:
    """Everything in `snapshot`, cumulative since it was started, or as delta `since` an earlier one.

    Families without series are left out: OTLP has no way to announce them. A total that went down (the
    one who counts began again) is taken as it is. Exemplars are those after `exemplars_since`, wall clock.
    A request has `most` points at most; there is always one request.
    """
    writer = _Writer(snapshot, since if delta else None, delta, exemplars_since)
    request, room = _new(resource), most
    for family in snapshot.families:
        for part in _parts(family.series, room, most):
            if room == 0:
                yield request
                request, room = _new(resource), most
            writer.write(family, part, request.resource_metrics[0].scope_metrics[0].metrics.add())
            room -= len(part)
    yield request


def _new(resource: Mapping[str, str]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    fill_resource(request.resource_metrics.add(), resource, "scope_metrics")
    return request


def _parts(series: Series, room: int, most: int) -> Iterator[Series]:
    """The series in parts, the first as large as there is room, or of full size if there is none."""
    at, size = 0, room or most
    while at < len(series):
        yield series[at : at + size]
        at, size = at + size, most


class _Writer:
    def __init__(
        self, snapshot: Snapshot, since: Snapshot | None, delta: bool, exemplars_since: float
    ) -> None:
        self._delta = delta
        self._start = nanoseconds(since.taken if since else snapshot.started)
        self._now = nanoseconds(snapshot.taken)
        self._exemplars_since = exemplars_since
        self._since = {f.metric.name: f for f in since.families} if since else {}
        self._temporality = (
            pb.AGGREGATION_TEMPORALITY_DELTA if delta else pb.AGGREGATION_TEMPORALITY_CUMULATIVE
        )

    def write(self, family: FamilySnapshot, series: Series, into: pb.Metric) -> None:
        """Fill one metric with some series of a family."""
        metric = family.metric
        into.name, into.description, into.unit = metric.otlp_name, metric.help, metric.unit
        before = self._since.get(metric.name)
        earlier = dict(before.series) if before else {}
        if metric.kind is MetricKind.GAUGE:
            # A gauge is what it is now, whatever the temporality.
            self._numbers(into.gauge, metric, series, {}, 0)
        elif metric.kind is MetricKind.COUNTER:
            into.sum.is_monotonic = True
            into.sum.aggregation_temporality = self._temporality
            self._numbers(into.sum, metric, series, earlier, self._start)
        elif family.exponential:
            into.exponential_histogram.aggregation_temporality = self._temporality
            self._exponentials(into.exponential_histogram, metric, series, earlier)
        else:
            into.histogram.aggregation_temporality = self._temporality
            self._histograms(into.histogram, metric, series, earlier)

    def _numbers(
        self, into: Any, metric: Metric, series: Series, earlier: Mapping[Labels, Value], start: int
    ) -> None:
        add, names, now = into.data_points.add, metric.otlp_labels, self._now
        for labels, value in series:
            before = earlier.get(labels, 0.0)
            number = value - before if before <= value else value  # type: ignore[operator]
            point = add(start_time_unix_nano=start, time_unix_nano=now, as_double=number)
            _attributes(point, names, labels)

    def _histograms(self, into: Any, metric: Metric, series: Series, earlier: Mapping[Labels, Value]) -> None:
        names = metric.otlp_labels
        for labels, value in series:
            assert isinstance(value, Distribution)
            part = _minus(value, earlier.get(labels))
            point = into.data_points.add(
                start_time_unix_nano=self._start,
                time_unix_nano=self._now,
                count=part.count,
                sum=part.sum,
                bucket_counts=part.counts,
                explicit_bounds=metric.buckets,
            )
            _attributes(point, names, labels)
            self._exemplars(point, value)

    def _exponentials(
        self, into: Any, metric: Metric, series: Series, earlier: Mapping[Labels, Value]
    ) -> None:
        names = metric.otlp_labels
        for labels, value in series:
            assert isinstance(value, Distribution)
            assert value.exponential is not None
            part, before = value.exponential, earlier.get(labels)
            if isinstance(before, Distribution) and before.exponential is not None:
                part = part.minus(before.exponential)
            point = into.data_points.add(
                start_time_unix_nano=self._start if self._delta and before else nanoseconds(part.since),
                time_unix_nano=self._now,
                count=part.count,
                sum=part.sum,
                scale=part.scale,
                zero_count=part.zero,
            )
            if part.counts:
                point.positive.offset = part.low
                point.positive.bucket_counts.extend(
                    part.counts.get(index, 0) for index in range(part.low, part.high + 1)
                )
            _attributes(point, names, labels)
            self._exemplars(point, value)

    def _exemplars(self, point: Any, value: Distribution) -> None:
        for exemplar in (value.exemplars or {}).values():
            if exemplar.time > self._exemplars_since:
                _add_exemplar(point, exemplar)


def _add_exemplar(point: Any, exemplar: Exemplar) -> None:
    point.exemplars.add(
        time_unix_nano=nanoseconds(exemplar.time),
        as_double=exemplar.value,
        trace_id=bytes.fromhex(exemplar.trace_id),
        span_id=bytes.fromhex(exemplar.span_id),
    )


def _minus(value: Distribution, before: Value | None) -> Distribution:
    if not isinstance(before, Distribution):
        return value
    counts = [now - then for now, then in zip(value.counts, before.counts, strict=True)]
    return value if min(counts) < 0 else Distribution(counts, value.sum - before.sum)


def _attributes(point: Any, names: tuple[str, ...], labels: Labels) -> None:
    add = point.attributes.add
    for name, value in zip(names, labels, strict=True):
        # The conventions leave an attribute out where there is nothing to say; empty labels are ours.
        if value or "." not in name:
            add(key=name).value.string_value = value if value.isascii() else wire_text(value)
