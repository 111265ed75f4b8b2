"""Requests, durations, sizes."""

import pytest

from sidecar import catalog
from sidecar.exchange import Outcome, Timings
from sidecar.monitors.traffic import Traffic, code_label
from sidecar.registry import Registry
from tests.fakes import exchange, inference


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def observe(registry):
    traffic = Traffic(registry)
    return lambda *, said=None, **how: traffic.observe(exchange(**how), said or inference(x=[1]))


def test_a_request_is_counted_by_how_it_ended(registry, observe):
    observe()
    observe(status=503, outcome=Outcome.SERVER_ERROR)
    count = "inference_requests_total"
    assert registry.value(count, model_name="m", protocol="v2", operation="predict", code="200") == 1
    assert registry.value(count, code="503", outcome="server_error") == 1


def test_an_error_inside_a_200_is_a_server_error(registry, observe):
    said = inference(x=[1])
    said.error = "boom"
    observe(said=said)
    assert registry.value("inference_requests_total", code="200", outcome="server_error") == 1


def test_the_first_server_error_moves_a_series_that_was_there_before(registry, observe):
    observe()
    series = {
        labels[-2:]
        for family in registry.snapshot().families
        if family.metric.name == "inference_requests_total"
        for labels, _ in family.series
    }
    assert {("200", "ok"), ("500", "server_error"), ("503", "server_error")} <= series


def test_the_first_failure_of_a_model_still_gives_it_a_series_of_successes(registry, observe):
    observe(status=500, outcome=Outcome.SERVER_ERROR)
    assert registry.value("inference_requests_total", outcome="ok") == 0
    assert registry.value("inference_requests_total", outcome="server_error") == 1


def test_a_unary_exchange_has_a_duration_and_a_stream_has_none(registry, observe):
    observe(duration=0.2)
    observe(duration=60.0, streamed=True)
    assert registry.value("inference_request_duration_seconds", outcome="ok") == 1
    assert registry.value("inference_time_to_first_byte_seconds") == 2


def test_an_unobserved_exchange_is_counted_and_never_measured(registry, observe):
    observe(outcome=Outcome.UNOBSERVED)
    assert registry.value("inference_requests_total", outcome="unobserved") == 1
    assert registry.value("sidecar_exchanges_unobserved_total") == 1
    for name in ("request_duration_seconds", "time_to_first_byte_seconds", "request_size_bytes"):
        assert registry.value(f"inference_{name}") == 0


def test_a_refused_exchange_has_an_empty_code_and_no_response_size(registry):
    refused = exchange(status=None, outcome=Outcome.UPSTREAM_UNREACHABLE)
    refused.timings.response_first = refused.timings.response_last = None
    Traffic(registry).observe(refused, inference(x=[1]))
    assert registry.value("inference_requests_total", code="", outcome="upstream_unreachable") == 1
    assert registry.value("inference_request_size_bytes") == 1
    assert registry.value("inference_response_size_bytes") == 0


def test_the_model_is_announced(registry, observe):
    observe()
    assert registry.value("inference_model_info", model_name="m", model_version="1", protocol="v2") == 1


def test_a_grpc_call_is_counted_by_the_name_of_its_code_and_has_its_own_zeros(registry, observe):
    said = inference(x=[1], protocol="v2-grpc")
    observe(said=said, grpc_status="UNAVAILABLE", outcome=Outcome.SERVER_ERROR)
    count = "inference_requests_total"
    assert registry.value(count, protocol="v2-grpc", code="UNAVAILABLE", outcome="server_error") == 1
    codes = {
        labels[-2]
        for family in registry.snapshot().families
        if family.metric.name == count
        for labels, _ in family.series
    }
    assert codes == {"OK", "INVALID_ARGUMENT", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"}


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("", ""),
        ("100", "100"),
        ("599", "599"),
        ("600", "other"),
        ("99", "other"),
        ("2e2", "other"),
        ("٢٠٠", "other"),
        ("OK", "OK"),
        ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
        ("ok", "other"),
        ("17", "other"),
    ],
)
def test_a_code_is_a_valid_status_or_name_or_other(code, label):
    assert code_label(code) == label


def test_what_was_logged_without_times_has_sizes_all_the_same():
    registry = Registry()
    logged = exchange(b"12", b"345")
    logged.timings = Timings(100.0, 100.0)
    Traffic(registry).observe(logged, inference())
    labels = ("m", "1")
    assert registry.histogram(catalog.REQUEST_SIZE).values[labels].sum == 2
    assert registry.histogram(catalog.RESPONSE_SIZE).values[labels].sum == 3
    assert registry.histogram(catalog.REQUEST_DURATION).values[(*labels, "v2", "ok")].count == 0


def test_an_answer_whose_request_was_not_seen_says_nothing_about_the_size_of_requests():
    registry = Registry()
    logged = exchange(b"", b"345")
    logged.timings = Timings(100.0)
    Traffic(registry).observe(logged, inference())
    assert registry.histogram(catalog.REQUEST_SIZE).values["m", "1"].count == 0
