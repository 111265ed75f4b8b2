import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from sidecar import catalog
from sidecar.catalog_generation import GEN_AI_REQUEST_DURATION
from sidecar.exporters.otlp_data import metrics_requests
from sidecar.exporters.prometheus import render
from sidecar.metric import Metric, MetricKind
from sidecar.registry import Distribution, Registry, Snapshot
from tests.exporters.filled import filled_registry, own_series
from tests.exporters.translation import series_of_otlp

DELTA, CUMULATIVE = pb.AGGREGATION_TEMPORALITY_DELTA, pb.AGGREGATION_TEMPORALITY_CUMULATIVE


def sent(snapshot: Snapshot, **options) -> dict[str, pb.Metric]:
    (request,) = metrics_requests(snapshot, {"service.name": "x"}, **options)
    (resource,) = request.resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def test_after_the_standard_translation_otlp_says_exactly_what_a_scrape_says():
    snapshot = filled_registry(value='é"\n').snapshot()
    (request,) = metrics_requests(snapshot, {})

    scraped = own_series(render(snapshot)[0].decode())

    assert series_of_otlp(request) == scraped
    names = {name for name, _ in scraped}
    for metric in catalog.ALL:
        histogram = metric.kind is MetricKind.HISTOGRAM
        assert (f"{metric.name}_bucket" if histogram else metric.name) in names


def test_generative_models_are_described_by_the_attributes_of_the_convention():
    registry = Registry(started=1_000.0)
    durations = registry.histogram(GEN_AI_REQUEST_DURATION)
    durations.observe(1.0, "m", "1", "chat", "openai", "m", "m-2026", "")
    durations.observe(1.0, "m", "1", "chat", "openai", "m", "m-2026", "server_error")
    points = sent(registry.snapshot())["gen_ai.server.request.duration"].histogram.data_points
    fine, failed = ({a.key: a.value.string_value for a in point.attributes} for point in points)
    assert fine == {
        "model_name": "m",
        "model_version": "1",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-2026",
    }
    assert failed == {**fine, "error.type": "server_error"}


def test_names_are_dotted_and_units_are_given():
    found = sent(filled_registry().snapshot())

    assert found["inference.request.duration"].unit == "s"
    assert found["inference.request.duration"].description
    assert found["inference.requests"].unit == "{request}"
    assert found["inference.requests"].sum.is_monotonic


def test_cumulative_points_start_when_the_registry_did():
    snapshot = filled_registry(started=1_000.0).snapshot()

    for metric in sent(snapshot).values():
        if metric.WhichOneof("data") == "gauge":
            continue
        data = getattr(metric, metric.WhichOneof("data"))
        assert data.aggregation_temporality == CUMULATIVE
        assert {p.start_time_unix_nano for p in data.data_points} == {1_000_000_000_000}
        assert {p.time_unix_nano for p in data.data_points} == {int(snapshot.taken * 1e9)}


def test_a_delta_is_what_came_since_the_snapshot_that_arrived_last():
    registry = Registry(started=1_000.0)
    requests = registry.counter(catalog.REQUESTS)
    sizes = registry.histogram(catalog.REQUEST_SIZE)
    gauge = registry.gauge(catalog.OBSERVER_LAG)
    requests.add(5, "m", "1", "v2", "predict", "200", "ok")
    sizes.observe(100, "m", "1")
    gauge.set(7)
    first = registry.snapshot()
    requests.add(2, "m", "1", "v2", "predict", "200", "ok")
    requests.add(1, "m", "1", "v2", "predict", "500", "server_error")
    sizes.observe(100, "m", "1")
    sizes.observe(10, "m", "1")
    second = registry.snapshot()

    found = sent(second, delta=True, since=first)

    values = [point.as_double for point in found["inference.requests"].sum.data_points]
    (size,) = found["inference.request.size"].histogram.data_points
    assert values == [2, 1]
    assert (size.count, size.sum, list(size.bucket_counts)[:3]) == (2, 110, [1, 1, 0])
    assert size.start_time_unix_nano == int(first.taken * 1e9)
    assert found["inference.request.size"].histogram.aggregation_temporality == DELTA
    assert found["sidecar.observer.lag"].gauge.data_points[0].as_double == 7


def test_the_first_delta_reaches_back_to_the_start():
    registry = Registry(started=1_000.0)
    registry.counter(catalog.ROWS).add(5, "m", "1")

    (point,) = sent(registry.snapshot(), delta=True)["inference.rows"].sum.data_points

    assert (point.as_double, point.start_time_unix_nano) == (5, 1_000_000_000_000)


def test_a_total_that_began_again_is_a_delta_of_all_it_has():
    registry = Registry()
    total, lag = registry.counter(catalog.RELAY_BYTES), registry.histogram(catalog.RELAY_LOOP_LAG)
    buckets = len(catalog.RELAY_LOOP_LAG.buckets) + 1
    total.set_total(100, "request")
    lag.set_total([10] * buckets, 5.0)
    first = registry.snapshot()
    total.set_total(30, "request")
    lag.set_total([11] * (buckets - 1) + [1], 2.0)

    found = sent(registry.snapshot(), delta=True, since=first)

    assert found["sidecar.relay"].sum.data_points[0].as_double == 30
    assert found["sidecar.relay.loop.lag"].histogram.data_points[0].count == 11 * (buckets - 1) + 1


def test_families_without_series_are_left_out():
    assert "inference.requests" not in sent(Registry().snapshot())


def test_a_lone_surrogate_does_not_cost_the_export():
    metric = Metric("x", MetricKind.GAUGE, "help", ("label",))
    registry = Registry([metric])
    registry.gauge(metric).set(1, "\ud800")

    (point,) = sent(registry.snapshot())["x"].gauge.data_points

    assert point.attributes[0].value.string_value == "?"


def test_histograms_are_exponential_where_that_is_wanted():
    registry = Registry(started=1_000.0)
    registry.keep_exponential()
    sizes = registry.histogram(catalog.REQUEST_SIZE)
    sizes.touch("m", "2")
    for size in (0, 100, 100, 1_000):
        sizes.observe(size, "m", "1")

    found = sent(registry.snapshot())["inference.request.size"]
    empty, filled = found.exponential_histogram.data_points

    assert found.exponential_histogram.aggregation_temporality == CUMULATIVE
    assert (empty.count, empty.zero_count, list(empty.positive.bucket_counts)) == (0, 0, [])
    assert (filled.count, filled.zero_count, filled.sum) == (4, 1, 1_200)
    assert sum(filled.positive.bucket_counts) == 3
    base = 2**2**-filled.scale
    counts = [n for n in filled.positive.bucket_counts if n]
    assert counts == [2, 1]
    assert base ** (filled.positive.offset + 1) == pytest.approx(100, rel=base - 1)
    assert filled.start_time_unix_nano > 1_000_000_000_000


def test_a_delta_of_exponential_histograms_is_what_came_since():
    registry = Registry(started=1_000.0)
    registry.keep_exponential()
    sizes = registry.histogram(catalog.REQUEST_SIZE)
    sizes.observe(100, "m", "1")
    first = registry.snapshot()
    sizes.observe(1e9, "m", "1")

    found = sent(registry.snapshot(), delta=True, since=first)["inference.request.size"]

    (point,) = found.exponential_histogram.data_points
    assert found.exponential_histogram.aggregation_temporality == DELTA
    assert (point.count, point.sum, list(point.positive.bucket_counts)) == (1, 1e9, [1])
    assert point.start_time_unix_nano == int(first.taken * 1e9)


def test_what_is_counted_elsewhere_in_buckets_stays_in_buckets():
    registry = Registry()
    registry.keep_exponential()
    buckets = len(catalog.RELAY_LOOP_LAG.buckets) + 1
    registry.histogram(catalog.RELAY_LOOP_LAG).set_total([1] * buckets, 5.0)

    assert sent(registry.snapshot())["sidecar.relay.loop.lag"].WhichOneof("data") == "histogram"


def test_a_histogram_that_goes_on_after_a_restart_counts_exponentially_from_then():
    registry = Registry()
    registry.keep_exponential()
    buckets = len(catalog.REQUEST_SIZE.buckets) + 1
    registry.go_on(catalog.REQUEST_SIZE, ("m", "1"), Distribution([1] * buckets, 5.0))
    registry.histogram(catalog.REQUEST_SIZE).observe(7, "m", "1")

    (point,) = sent(registry.snapshot())["inference.request.size"].exponential_histogram.data_points
    assert point.count == 1
