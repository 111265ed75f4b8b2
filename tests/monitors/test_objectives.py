"""Good and bad events."""

from decimal import Decimal

import numpy as np
import pytest

from sidecar.batch import Batch, CleanColumn, State
from sidecar.exchange import Outcome
from sidecar.inference import Generation
from sidecar.monitors.objectives import Objectives
from sidecar.policy import ModelPolicy, Policies
from sidecar.reference import ColumnType
from sidecar.registry import Registry
from sidecar.slo import Objective
from tests.fakes import exchange, inference

ALL_FOUR = Policies(
    ModelPolicy(
        objectives=(
            Objective("availability", Decimal("99.9")),
            Objective("latency", Decimal(95), 0.2),
            Objective("feature_availability", Decimal("99.5")),
            Objective("prediction_validity", Decimal(99)),
        )
    )
)


def events(registry, slo):
    name = "inference_slo_events_total"
    return registry.value(name, slo=slo, result="good"), registry.value(name, slo=slo, result="bad")


def column(*states, type=ColumnType.NUMBER):
    return CleanColumn("x", type, np.array(states, np.uint8))


@pytest.fixture
def registry():
    return Registry()


def test_good_and_bad_are_at_zero_with_the_first_exchange_whatever_it_was(registry):
    Objectives(registry, ALL_FOUR).observe(exchange(outcome=Outcome.UNOBSERVED), inference(x=[1]))
    series = next(
        f.series for f in registry.snapshot().families if f.metric.name == "inference_slo_events_total"
    )
    assert len(series) == 8
    assert all(value == 0 for _, value in series)


def test_an_error_is_bad_for_availability_and_says_nothing_about_latency(registry):
    monitor = Objectives(registry, ALL_FOUR)
    monitor.observe(exchange(status=500, outcome=Outcome.SERVER_ERROR), inference(x=[1]))
    monitor.observe(exchange(duration=0.1), inference(x=[1]))
    monitor.observe(exchange(duration=0.3), inference(x=[1]))
    assert events(registry, "availability") == (2, 1)
    assert events(registry, "latency") == (1, 1)


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_ERROR, Outcome.UNOBSERVED])
def test_what_the_client_did_or_nobody_saw_is_neither_good_nor_bad(registry, outcome):
    Objectives(registry, ALL_FOUR).observe(exchange(status=400, outcome=outcome), inference(x=[1]))
    assert events(registry, "availability") == (0, 0)


def test_a_client_that_waited_past_the_latency_threshold_for_nothing_met_a_hung_model(registry):
    left = exchange(status=None, outcome=Outcome.CLIENT_CLOSED)
    left.timings.response_first = None
    left.timings.response_last = left.timings.request_last + 0.3
    Objectives(registry, ALL_FOUR).observe(left, inference(x=[1]))
    assert events(registry, "availability") == (0, 1)


def test_without_a_latency_objective_patience_is_half_a_minute(registry):
    left = exchange(status=None, outcome=Outcome.CLIENT_CLOSED)
    left.timings.response_first = None
    left.timings.response_last = left.timings.request_last + 10
    Objectives(registry, Policies()).observe(left, inference(x=[1]))
    assert events(registry, "availability") == (0, 0)


def test_rows_are_good_when_complete(registry):
    batch = Batch("m", "1", 5, 0.0, 1.0, {"x": column(0, 0, 0, 2, 2)}, complete=3)
    Objectives(registry, ALL_FOUR).fold(batch)
    assert events(registry, "feature_availability") == (3, 2)


def test_rows_of_a_model_without_features_say_nothing_about_features(registry):
    Objectives(registry, ALL_FOUR).fold(Batch("m", "1", 5, 0.0, 1.0, complete=5))
    assert events(registry, "feature_availability") == (0, 0)


def test_a_prediction_is_bad_when_unusable_or_misshapen_and_good_when_only_unusual(registry):
    outputs = {"y": column(State.VALID, State.OUT_OF_RANGE, State.UNSEEN_CATEGORY, State.NAN, State.NULL)}
    batch = Batch("m", "1", 5, 0.0, 1.0, outputs=outputs, misshapen={"z": 2})
    Objectives(registry, ALL_FOUR).fold(batch)
    assert events(registry, "prediction_validity") == (3, 4)


def test_predictions_past_the_cap_are_judged_too(registry):
    batch = Batch("m", "1", 5, 0.0, 1.0)
    batch.other_outputs[State.VALID], batch.other_outputs[State.INF] = 4, 1
    Objectives(registry, ALL_FOUR).fold(batch)
    assert events(registry, "prediction_validity") == (4, 1)


def test_the_objective_and_its_threshold_are_exported_for_rules_to_join(registry):
    Objectives(registry, ALL_FOUR).observe(exchange(), inference(x=[1]))
    assert registry.value("inference_slo_objective_ratio", slo="availability") == pytest.approx(0.999)
    assert registry.value("inference_slo_threshold_seconds", slo="latency") == pytest.approx(0.2)


def test_objectives_are_those_of_the_model(registry):
    policies = Policies(
        models={"strict": ModelPolicy(objectives=(Objective("availability", Decimal("99.99")),))}
    )
    monitor = Objectives(registry, policies)
    monitor.observe(exchange(), inference(model="strict"))
    monitor.observe(exchange(), inference(model="m"))
    ratio = "inference_slo_objective_ratio"
    assert registry.value(ratio, model_name="strict", slo="availability") == pytest.approx(0.9999)
    assert registry.value(ratio, model_name="m", slo="availability") == pytest.approx(0.999)


FIRST_TOKEN = Policies(ModelPolicy(objectives=(Objective("time_to_first_token", Decimal(95), 0.5),)))


@pytest.mark.parametrize(
    ("first_token", "outcome", "found"),
    [
        (100.5, Outcome.OK, (1, 0)),
        (100.6, Outcome.OK, (0, 1)),
        (None, Outcome.OK, (0, 0)),
        (100.6, Outcome.CLIENT_CLOSED, (0, 0)),
        (100.6, Outcome.SERVER_ERROR, (0, 0)),
        (100.6, Outcome.TRUNCATED, (0, 0)),
    ],
)
def test_only_streams_that_ended_well_have_a_first_token_to_judge(registry, first_token, outcome, found):
    said = inference(x=[1])
    said.generation = Generation(streamed=True, first_token=first_token)
    Objectives(registry, FIRST_TOKEN).observe(exchange(at=100.0, outcome=outcome, streamed=True), said)
    assert events(registry, "time_to_first_token") == found


def test_a_stream_that_was_cut_short_is_a_failure_of_the_server(registry):
    said = inference(x=[1])
    said.generation = Generation(streamed=True, first_token=100.1, truncated=True)
    both = (Objective("availability", Decimal("99.9")), *FIRST_TOKEN.default.objectives)
    Objectives(registry, Policies(ModelPolicy(objectives=both))).observe(exchange(streamed=True), said)
    assert events(registry, "availability") == (0, 1)
    assert events(registry, "time_to_first_token") == (0, 0)
