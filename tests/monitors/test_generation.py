"""Tokens, ends and times of generated answers."""

import pytest

from sidecar import catalog_generation as catalog
from sidecar.exchange import Outcome
from sidecar.inference import End, Generation, Inference, ModelRef, Operation
from sidecar.metric import OTHER
from sidecar.monitors.generation import RESPONSE_MODELS_LIMIT, Generations
from sidecar.registry import Registry
from tests.fakes import exchange


@pytest.fixture
def registry():
    return Registry()


def chat(operation=Operation.CHAT, error="", **said):
    said.setdefault("response_model", "m-1")
    return Inference("openai", operation, ModelRef("m", "1"), error=error, generation=Generation(**said))


def labels(registry, name):
    [found] = [f for f in registry.snapshot().families if f.metric.name == name]
    return [dict(zip(found.metric.labels, labels, strict=True)) for labels, _ in found.series]


def test_tokens_are_counted_by_kind_and_by_who_counted_them(registry):
    monitor = Generations(registry)
    monitor.observe(exchange(), chat(input_tokens=7, output_tokens=5, cached_tokens=4))
    monitor.observe(exchange(), chat(output_tokens=3, counted=True))
    tokens = {
        (kind, source): registry.value("inference_tokens_total", kind=kind, source=source)
        for kind in ("input", "output", "cached")
        for source in ("reported", "counted")
    }
    assert tokens == {
        ("input", "reported"): 7,
        ("input", "counted"): 0,
        ("output", "reported"): 5,
        ("output", "counted"): 3,
        ("cached", "reported"): 4,
        ("cached", "counted"): 0,
    }


def test_every_counter_is_at_zero_with_the_first_exchange_whatever_it_was(registry):
    Generations(registry).observe(exchange(status=500, outcome=Outcome.SERVER_ERROR), chat())
    assert {found["reason"] for found in labels(registry, "inference_stream_ends_total")} == set(End)
    assert {found["reason"] for found in labels(registry, "inference_generation_ends_total")} == set(End)
    assert len(labels(registry, "inference_tokens_total")) == 4
    for name in ("stream_stalls", "tool_calls", "empty_answers"):
        assert len(labels(registry, f"inference_{name}_total")) == 1
        assert registry.value(f"inference_{name}_total") == 0


def test_only_what_writes_has_ends(registry):
    Generations(registry).observe(exchange(), chat(Operation.EMBED, input_tokens=7))
    assert labels(registry, "inference_stream_ends_total") == []
    assert registry.value("inference_tokens_total", kind="input") == 7


def test_ends_of_streams_are_told_from_all_ends(registry):
    monitor = Generations(registry)
    monitor.observe(exchange(streamed=True), chat(streamed=True, ends=[End.STOP, End.LENGTH]))
    monitor.observe(exchange(), chat(ends=[End.LENGTH], tool_calls=2, empty=1, stalls=3))
    assert registry.value("inference_stream_ends_total", reason="length") == 1
    assert registry.value("inference_generation_ends_total", reason="length") == 2
    assert registry.value("inference_tool_calls_total") == 2
    assert registry.value("inference_empty_answers_total") == 1
    assert registry.value("inference_stream_stalls_total") == 3


def test_what_was_generated_before_a_cut_is_counted(registry):
    for outcome in (Outcome.CLIENT_CLOSED, Outcome.TRUNCATED, Outcome.UPSTREAM_RESET):
        Generations(registry).observe(exchange(outcome=outcome), chat(output_tokens=2, counted=True))
    assert registry.value("inference_tokens_total", source="counted") == 6


def test_what_was_not_observed_and_what_generates_nothing_say_nothing(registry):
    monitor = Generations(registry)
    monitor.observe(exchange(outcome=Outcome.UNOBSERVED), chat(output_tokens=2))
    monitor.observe(exchange(), Inference("v2"))
    monitor.tick(1.0)
    assert registry.value("inference_tokens_total") == 0
    assert registry.value("gen_ai_server_request_duration_seconds") == 0


def test_durations_of_failures_have_the_type_of_the_error(registry):
    monitor = Generations(registry)
    monitor.observe(exchange(duration=2.0), chat())
    monitor.observe(exchange(duration=1.0), chat(error="overloaded"))
    monitor.observe(exchange(streamed=True), chat(streamed=True, truncated=True))
    name = "gen_ai_server_request_duration_seconds"
    assert {found["error_type"] for found in labels(registry, name)} == {"", "server_error", "truncated"}
    assert labels(registry, name)[0] == {
        "model_name": "m",
        "model_version": "1",
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "openai",
        "gen_ai_request_model": "m",
        "gen_ai_response_model": "m-1",
        "error_type": "",
    }


@pytest.mark.parametrize(
    ("outcome", "timed"),
    [(Outcome.OK, 1), (Outcome.CLIENT_CLOSED, 1), (Outcome.TRUNCATED, 0), (Outcome.SERVER_ERROR, 0)],
)
def test_first_tokens_are_timed_from_the_end_of_the_request(registry, outcome, timed):
    said = chat(streamed=True, first_token=100.3, last_token=100.9, seconds_per_token=0.03)
    Generations(registry).observe(exchange(at=100.0, outcome=outcome, streamed=True), said)
    for metric in (catalog.GEN_AI_TIME_TO_FIRST_TOKEN, catalog.GEN_AI_TIME_PER_OUTPUT_TOKEN):
        assert registry.value(metric.name) == timed
    if timed:
        [first] = registry.histogram(catalog.GEN_AI_TIME_TO_FIRST_TOKEN).values.values()
        assert first.sum == pytest.approx(0.3)


def test_a_first_token_before_the_request_has_ended_took_no_time(registry):
    Generations(registry).observe(exchange(at=100.0, streamed=True), chat(first_token=99.0))
    [first] = registry.histogram(catalog.GEN_AI_TIME_TO_FIRST_TOKEN).values.values()
    assert first.sum == 0.0


def test_answering_models_are_bounded_and_leave_when_unused(registry):
    monitor = Generations(registry)
    for n in range(RESPONSE_MODELS_LIMIT + 10):
        monitor.observe(exchange(), chat(response_model=f"m-{n}"))
    found = labels(registry, "gen_ai_server_request_duration_seconds")
    assert len(found) == RESPONSE_MODELS_LIMIT + 1
    assert OTHER in {one["gen_ai_response_model"] for one in found}
    assert {"gen_ai_response_model": "m-0"} in monitor.expire(1_000_000.0)


def test_a_failure_adds_no_answering_model(registry):
    Generations(registry).observe(exchange(), chat(error="x", response_model="invented"))
    [found] = labels(registry, "gen_ai_server_request_duration_seconds")
    assert found["gen_ai_response_model"] == OTHER


def test_a_stream_that_was_logged_and_not_watched_has_no_time_to_its_first_token(registry):
    seen = exchange(at=100.0, streamed=True)
    seen.timings.response_first = seen.timings.response_last = None
    Generations(registry).observe(seen, chat(first_token=100.0, output_tokens=3))
    assert registry.value("gen_ai_server_time_to_first_token_seconds") == 0
    assert registry.value("inference_tokens_total", kind="output") == 3
