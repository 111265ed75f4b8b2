"""Feature states, complete rows, summaries."""

import pytest

from sidecar.monitors.features import Features
from sidecar.monitors.rows import Rows
from sidecar.monitors.window import SLOT_SECONDS
from sidecar.policy import ModelPolicy, Policies
from sidecar.reference import ColumnProfile, ColumnType, Expectation
from sidecar.registry import Registry
from tests.fakes import OneReference, exchange, inference, reference

VALUES = "inference_feature_values_total"


@pytest.fixture
def registry():
    return Registry()


def monitor(registry, given=None, **expectations):
    rows = Rows([Features(registry)], Policies(ModelPolicy(expectations=expectations)), OneReference(given))
    registry.before_snapshot(rows.flush)
    return rows


def series(registry, name):
    return dict(next(f.series for f in registry.snapshot().families if f.metric.name == name))


def test_a_feature_that_is_null_is_counted_as_null_and_makes_its_row_incomplete(registry):
    given = reference([ColumnProfile("age", ColumnType.NUMBER, 1_000)])
    monitor(registry, given).observe(exchange(), inference(age=[41, None]))
    assert registry.value(VALUES, feature="age", state="null") == 1
    assert registry.value(VALUES, feature="age", state="valid") == 1
    assert registry.value("inference_rows_total") == 2
    assert registry.value("inference_rows_complete_total") == 1


def test_every_state_is_at_zero_once_a_feature_is_known(registry):
    monitor(registry).observe(exchange(), inference(age=[41]))
    states = {labels[3]: value for labels, value in series(registry, VALUES).items()}
    assert len(states) == 8
    assert sum(states.values()) == 1


def test_every_state_is_counted(registry):
    rules = {"age": Expectation(max=120), "region": Expectation(values=("n",))}
    rows = monitor(registry, **rules)
    rows.observe(
        exchange(), inference(age=[1, None, float("nan"), float("inf"), "x", 130], region=["n"] * 5 + ["x"])
    )
    rows.observe(exchange(), inference(region=["n"]))
    counted = {k[3]: v for k, v in series(registry, VALUES).items() if k[2] == "age"}
    assert counted == {
        "valid": 1, "missing": 1, "null": 1, "nan": 1, "inf": 1, "wrong_type": 1, "out_of_range": 1,
        "unseen_category": 0,
    }  # fmt: skip
    assert registry.value(VALUES, feature="region", state="unseen_category") == 1


def test_features_past_the_cap_are_counted_together(registry):
    monitor(registry).observe(exchange(), inference(**{f"f{i}": [1] for i in range(250)}))
    assert registry.value(VALUES, feature="__other__", state="valid") == 50


def test_the_summary_is_of_the_recent_numbers_and_goes_when_there_are_none(registry):
    rows = monitor(registry)
    rows.observe(exchange(at=100.0), inference(age=[1, 3, None], name=["a", "b", "c"]))
    rows.tick(101.0)
    found = [
        registry.value(f"inference_feature_{what}", feature="age")
        for what in ("mean", "stddev", "min", "max")
    ]
    assert found == [2, 1, 1, 3]
    assert len(series(registry, "inference_feature_mean")) == 1
    rows.tick(101.0 + 3 * SLOT_SECONDS)
    assert series(registry, "inference_feature_mean") == {}


def test_a_value_at_the_float_limit_does_not_become_an_infinite_summary(registry):
    rows = monitor(registry)
    rows.observe(exchange(at=100.0), inference(age=[1.7e308, -1.7e308]))
    rows.tick(101.0)
    assert series(registry, "inference_feature_stddev") == {}
