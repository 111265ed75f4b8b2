"""Mean and spread of numeric outputs."""

import pytest

from sidecar.monitors.rows import Rows
from sidecar.monitors.scores import Scores
from sidecar.monitors.window import SLOT_SECONDS
from sidecar.policy import Policies
from sidecar.registry import Registry
from tests.fakes import OneReference, exchange, inference


def observed(*outputs, at=100.0):
    registry = Registry()
    rows = Rows([Scores(registry)], Policies(), OneReference())
    for one in outputs:
        rows.observe(exchange(at=at), inference(x=[1] * len(next(iter(one.values()))), outputs=one))
    rows.flush()
    rows.tick(at)
    return registry, rows


def series(registry, name):
    return dict(next(f.series for f in registry.snapshot().families if f.metric.name == name))


def test_the_mean_and_the_spread_of_a_score_are_those_of_all_its_values():
    registry, _ = observed({"score": [1.0, 3.0]}, {"score": [5.0, 7.0]})
    assert registry.value("inference_prediction_mean", output="score") == 4
    assert registry.value("inference_prediction_stddev", output="score") == pytest.approx(5**0.5)


def test_a_class_has_neither_mean_nor_spread():
    registry, _ = observed({"label": ["yes", "no"]})
    assert series(registry, "inference_prediction_mean") == {}


def test_a_score_that_nobody_asked_for_lately_disappears():
    registry, rows = observed({"score": [1.0, 3.0]})
    rows.tick(100.0 + 3 * SLOT_SECONDS)
    assert series(registry, "inference_prediction_mean") == {}
    assert series(registry, "inference_prediction_stddev") == {}
