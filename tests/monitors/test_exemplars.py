import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from sidecar import catalog, clock
from sidecar.exporters.otlp_data import metrics_requests
from sidecar.exporters.prometheus import render
from sidecar.monitors.generation import Generations
from sidecar.monitors.traffic import Traffic
from sidecar.registry import EXEMPLARS_LIMIT, Exemplar, Registry
from tests.fakes import exchange, inference
from tests.monitors.test_generation import chat

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def traced(flags: str = "01", **more):
    return exchange(request_headers={"traceparent": f"00-{TRACE}-{SPAN}-{flags}"}, **more)


def exemplars_of(registry: Registry, name: str):
    body = render(registry.snapshot(), OPENMETRICS)[0].decode()
    families = {family.name: family for family in text_string_to_metric_families(body)}
    return [sample.exemplar for sample in families[name].samples if sample.exemplar]


def test_a_latency_names_the_trace_it_came_from_with_its_time_of_day():
    registry = Registry()
    at = clock.monotonic()
    Traffic(registry).observe(traced(at=at, duration=0.02), inference())

    for name in (catalog.REQUEST_DURATION.name, catalog.TIME_TO_FIRST_BYTE.name):
        (found,) = exemplars_of(registry, name)
        assert found.labels == {"trace_id": TRACE, "span_id": SPAN}
        assert found.value == pytest.approx(0.02)
        assert float(found.timestamp) == pytest.approx(clock.wall_of(at + 0.02), abs=1)


def test_a_trace_that_its_caller_does_not_record_is_not_named():
    registry = Registry()
    Traffic(registry).observe(traced("00"), inference())

    assert exemplars_of(registry, catalog.REQUEST_DURATION.name) == []


def test_the_older_text_format_has_no_place_for_them():
    registry = Registry()
    Traffic(registry).observe(traced(), inference())

    assert TRACE.encode() not in render(registry.snapshot())[0]


def test_the_same_trace_is_in_otlp_until_it_was_sent():
    registry = Registry()
    Traffic(registry).observe(traced(at=clock.monotonic()), inference())
    snapshot = registry.snapshot()

    def sent(since: float) -> list:
        (request,) = metrics_requests(snapshot, {}, exemplars_since=since)
        metrics = {m.name: m for m in request.resource_metrics[0].scope_metrics[0].metrics}
        return list(metrics["inference.request.duration"].histogram.data_points[0].exemplars)

    (found,) = sent(0.0)
    assert (found.trace_id.hex(), found.span_id.hex()) == (TRACE, SPAN)
    assert found.as_double == pytest.approx(0.01)
    assert sent(snapshot.taken + 1) == []


def test_tokens_and_generation_name_their_trace_too():
    registry = Registry()
    Generations(registry).observe(traced(), chat())

    assert exemplars_of(registry, "gen_ai_server_request_duration_seconds")


def test_the_newest_of_a_bucket_is_kept_and_there_are_a_thousand_of_a_family():
    registry = Registry()
    sizes = registry.histogram(catalog.REQUEST_SIZE)
    for number in range(EXEMPLARS_LIMIT + 10):
        sizes.observe(1, "m", str(number))
        for time in (1.0, 2.0):
            sizes.exemplify(Exemplar(1, time, TRACE, SPAN), "m", str(number))

    kept = [e for series in sizes.values.values() for e in (series.exemplars or {}).values()]
    assert len(kept) == EXEMPLARS_LIMIT
    assert {e.time for e in kept} == {2.0}

    sizes.remove(model_version="0")
    sizes.exemplify(Exemplar(1, 3.0, TRACE, SPAN), "m", str(EXEMPLARS_LIMIT + 1))
    assert sizes.values["m", str(EXEMPLARS_LIMIT + 1)].exemplars


def test_they_can_be_switched_off():
    registry = Registry()
    registry.keep_no_exemplars()
    Traffic(registry).observe(traced(), inference())

    assert exemplars_of(registry, catalog.REQUEST_DURATION.name) == []
