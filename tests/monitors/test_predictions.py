"""What the model answers."""

import math

import pytest

from sidecar.monitors.predictions import CLASSES_LIMIT, Classes, Predictions
from sidecar.monitors.rows import Rows
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.policy import Policies
from sidecar.reference import ColumnProfile, ColumnType
from sidecar.registry import Registry
from tests.fakes import OneReference, exchange, inference, reference

TOTAL, INVALID = "inference_predictions_total", "inference_predictions_invalid_total"


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def references():
    return OneReference()


@pytest.fixture
def predict(registry, references):
    rows = Rows([Predictions(registry, references)], Policies(), references)
    registry.before_snapshot(rows.flush)

    def predict(y, asked=None, at=100.0):
        rows.observe(
            exchange(at=at), inference(outputs={"y": y}, x=[1] * (len(y) if asked is None else asked))
        )
        rows.flush()
        return rows

    return predict


def classes(registry):
    family = next(f for f in registry.snapshot().families if f.metric.name == TOTAL)
    return {labels[3]: value for labels, value in family.series}


def test_scores_have_no_class(registry, predict):
    predict([0.1, 0.9])
    assert classes(registry) == {"": 2}


def test_every_reason_is_at_zero_once_an_output_is_known(registry, predict):
    predict([0.1])
    family = next(f for f in registry.snapshot().families if f.metric.name == INVALID)
    assert {labels[3]: value for labels, value in family.series} == dict.fromkeys(
        ("nan", "inf", "null", "wrong_shape"), 0
    )


def test_unusable_predictions_are_counted_by_reason_and_in_the_total(registry, predict):
    predict([0.5, math.nan, math.inf, None, [1, 2]])
    for reason in ("nan", "inf", "null", "wrong_shape"):
        assert registry.value(INVALID, output="y", reason=reason) == 1
    assert registry.value(TOTAL, output="y") == 5


def test_an_answer_with_another_number_of_rows_is_wrong_for_every_row_asked(registry, predict):
    predict([0.5], asked=3)
    assert registry.value(INVALID, output="y", reason="wrong_shape") == 3
    assert registry.value(TOTAL, output="y") == 3


def test_a_class_is_named_once_twenty_rows_carried_it(registry, predict):
    predict(["yes"] * 19)
    assert classes(registry) == {"": 0, "__other__": 19}
    predict(["yes"])
    predict(["yes"] * 5 + ["no"])
    assert classes(registry) == {"": 0, "__other__": 20, "yes": 6}


def test_a_class_that_the_reference_lists_is_named_and_at_zero_from_the_start(registry, references, predict):
    references.reference = reference(
        outputs=[
            ColumnProfile("y", ColumnType.CATEGORY, 1_000, levels={"yes": 0.5, "no": 0.49, "rare": 0.01})
        ]
    )
    predict(["yes", "rare"])
    assert classes(registry) == {"": 0, "yes": 1, "no": 0, "__other__": 1}


def test_booleans_and_integers_are_classes(registry, predict):
    predict([0, 1] * 20)
    assert classes(registry) == {"": 0, "0": 20, "1": 20}
    predict([True] * 20)
    assert classes(registry)["1"] == 20


def test_an_integer_output_with_many_values_is_a_quantity(registry, predict):
    predict(list(range(200)))
    assert classes(registry) == {"": 200}


def test_the_number_of_classes_is_bounded(registry, predict, references):
    references.reference = reference(
        outputs=[
            ColumnProfile("y", ColumnType.CATEGORY, 10**6, levels={f"c{i}": 1 / 300 for i in range(300)})
        ]
    )
    predict([f"c{i}" for i in range(300)] + [f"d{i // 20}" for i in range(6_000)])
    assert len(classes(registry)) <= 2 * CLASSES_LIMIT + 2
    assert registry.value(TOTAL) == 6_300


def test_rare_values_are_remembered_within_bounds():
    held = Classes()
    for i in range(10_000):
        held.label(f"v{i}", 1, 0.0)
    assert len(held._candidates) <= 200
    held.expire(1.0)
    assert held.label("often", 20, 2.0) == "often"


def test_outputs_past_the_cap_are_counted_together(registry, references):
    rows = Rows([Predictions(registry, references)], Policies(), references)
    rows.observe(exchange(), inference(outputs={f"e[{i}]": [0.5, None] for i in range(80)}, x=[1, 2]))
    rows.flush()
    assert registry.value(TOTAL, output="__other__") == 60
    assert registry.value(INVALID, output="__other__", reason="null") == 30


def test_a_class_unused_for_a_day_is_forgotten(registry, predict):
    rows = predict(["old"] * 20, at=0.0)
    predict(["new"] * 20, at=UNUSED_AFTER_SECONDS)
    assert {"old", "new"} <= set(classes(registry))
    rows.tick(UNUSED_AFTER_SECONDS + 2)
    assert "old" not in classes(registry)
    assert "new" in classes(registry)
