"""Quality against figures worked out by hand, by brute force and by river."""

import math
import random

import numpy as np
import pytest
from river import metrics

from sidecar.monitors.labels.judging import ENOUGH, Pairs, Rules, Task, errors, figures, right, task_of
from sidecar.monitors.labels.values import values_of
from sidecar.policy import Judgement


def pairs(predicted, labels):
    return Pairs(*values_of(predicted), *values_of(labels))


DEFAULT = Rules()


def measured(predicted, labels, rules=DEFAULT):
    found = pairs(predicted, labels)
    return figures(found, task_of(found, rules), rules)


def rules(tolerance=None, **judgement):
    return Rules(Judgement(**judgement), tolerance)


@pytest.mark.parametrize(
    ("predicted", "labels", "said", "task"),
    [
        (["a", "b"], ["a", "c"], rules(), Task.CLASSES),
        ([1, 0], [1, 1], rules(), Task.CLASSES),
        ([3, 7], [3, 2], rules(), Task.CLASSES),
        ([3.0, 7.0], [3, 2], rules(), Task.CLASSES),  # xgboost's multi:softmax says 3.0
        ([3, 7], [3, 2], rules(tolerance=1.0), Task.NUMBERS),
        ([3, 7], [3, 2], rules(task="regression"), Task.NUMBERS),
        ([0.2, 0.9], [0, 1], rules(), Task.SCORES),
        ([0.2, 0.9], [False, True], rules(tolerance=0.1), Task.SCORES),
        ([0.2, 0.9], ["good", "bad"], rules(), Task.UNCLEAR),
        ([0.2, 0.9], ["good", "bad"], rules(positive="bad"), Task.SCORES),
        ([1.2, 2.9], [1, 3], rules(), Task.NUMBERS),
        ([1.2, 2.9], [1.5, 3], rules(), Task.NUMBERS),
        ([None, None], [1, 0], rules(), Task.UNCLEAR),
        ([None, "a"], ["a", "a"], rules(), Task.CLASSES),
        ([], [], rules(), Task.UNCLEAR),
    ],
)
def test_what_kind_of_question_it_is_shows_in_the_values_and_the_configuration(predicted, labels, said, task):
    assert task_of(pairs(predicted, labels), said) is task


def test_a_few_stray_labels_do_not_change_the_question():
    regression = pairs([1.5] * 95 + [2.5] * 5, [1.4] * 95 + ["n/a"] * 5)
    assert task_of(regression, rules()) is Task.NUMBERS
    scores = pairs([0.5] * 100, [1, 0] * 47 + [2, 3, 7, 9, 5, 6])
    assert task_of(scores, rules()) is Task.SCORES


@pytest.mark.parametrize(
    ("predicted", "labels", "said", "expected"),
    [
        (["a", "b", None], ["a", "c", "a"], rules(), [1, 0, 0]),
        ([0.5, 0.49, 0.7, 0.1], [1, 1, 0, 0], rules(), [1, 0, 0, 1]),
        ([0.5, 0.49, 0.8], [1, 1, 1], rules(threshold=0.6), [0, 0, 1]),
        ([0.9, 0.1, 0.9], ["bad", "good", "good"], rules(positive="bad"), [1, 1, 0]),
        # Without a tolerance nobody knows what is right; with one, binary fractions do not matter.
        ([1.5, 2.5], [1.4, 9.5], rules(), [-1, -1]),
        ([1.1, 1.3, 7.2, 0.9, 5.0], [1.0, 1.1, 7.1, 1.0, "x"], rules(tolerance=0.1), [1, 0, 1, 1, -1]),
        ([None, 2.5], [1.4, 2.5], rules(tolerance=0.1, task="regression"), [0, 1]),
    ],
)
def test_right_and_wrong(predicted, labels, said, expected):
    found = pairs(predicted, labels)
    assert right(found, task_of(found, said), said).tolist() == expected


def test_a_confusion_matrix_worked_out_by_hand():
    # 40 true positives, 10 false positives, 20 false negatives, 30 true negatives.
    found = measured([1] * 50 + [0] * 50, [1] * 40 + [0] * 10 + [1] * 20 + [0] * 30)
    assert found == pytest.approx({"accuracy": 0.7, "precision": 0.8, "recall": 2 / 3, "f1": 8 / 11})


def test_three_classes_are_averaged_without_weights_and_one_never_predicted_has_a_precision_of_zero():
    # a: 20 of 20 found, 30 claimed; b: 10 of 20 found, 10 claimed; c: never predicted.
    found = measured(["a"] * 20 + ["a"] * 10 + ["b"] * 10, ["a"] * 20 + ["b"] * 5 + ["c"] * 5 + ["b"] * 10)
    precision = (20 / 30 + 1 + 0) / 3
    recall = (1 + 10 / 15 + 0) / 3
    f1 = (2 * 20 / 50 + 2 * 10 / 25 + 0) / 3
    assert found == pytest.approx({"accuracy": 0.75, "precision": precision, "recall": recall, "f1": f1})


def test_a_named_class_is_what_precision_and_recall_are_of():
    predicted, labels = ["x"] * 30 + ["y"] * 30, ["x"] * 20 + ["y"] * 40
    found = measured(predicted, labels, rules(positive="x"))
    assert (found["precision"], found["recall"]) == pytest.approx((20 / 30, 1.0))


def test_what_is_not_defined_is_left_out():
    never = measured([0] * 40, [0] * 35 + [1] * 5)
    assert never.keys() == {"accuracy", "recall", "f1"}
    assert measured([0] * 40, [0] * 40).keys() == {"accuracy"}


def test_nothing_is_said_of_too_few():
    assert measured([1] * (ENOUGH - 1), [1] * (ENOUGH - 1)) == {}
    assert measured([1.5] * (ENOUGH - 1), [1.4] * (ENOUGH - 1)) == {}
    assert measured([1] * ENOUGH, [1] * ENOUGH)["accuracy"] == 1.0
    # The rank of four positives is their luck.
    assert "roc_auc" not in measured([0.1] * 40 + [0.9] * 4, [0] * 40 + [1] * 4)
    assert measured([0.1] * 40 + [0.9] * 5, [0] * 40 + [1] * 5)["roc_auc"] == 1.0


def test_regression_worked_out_by_hand():
    off = [1.0, -2.0, 3.0, 0.5] * 10
    found = measured([10.25 + o for o in off], [10.25] * 40)
    rmse = math.sqrt((1 + 4 + 9 + 0.25) / 4)
    assert found == pytest.approx({"mae": 6.5 / 4, "rmse": rmse, "bias": 2.5 / 4})


def test_a_square_that_overflows_is_left_out():
    found = measured([1e200, 3.5] * 20, [-1e200, 2.5] * 20, rules(task="regression"))
    assert found.keys() == {"mae", "bias"}


def test_the_area_under_the_curve_is_how_often_a_positive_has_the_higher_score():
    chance = random.Random(3)
    labels = [chance.random() < 0.3 for _ in range(200)]
    scores = [round(min(max(chance.gauss(0.6 if y else 0.4, 0.2), 0), 1), 1) + 0.01 for y in labels]
    scores = [min(score, 1.0) for score in scores]
    yes = [s for s, y in zip(scores, labels, strict=True) if y]
    no = [s for s, y in zip(scores, labels, strict=True) if not y]
    brute = np.mean([(a > b) + 0.5 * (a == b) for a in yes for b in no])
    found = measured(scores, labels)
    assert found["roc_auc"] == pytest.approx(brute)
    assert found["brier"] == pytest.approx(
        np.mean([(s - y) ** 2 for s, y in zip(scores, labels, strict=True)])
    )


@pytest.mark.parametrize("classes", [2, 5])
def test_river_says_the_same_of_classes(classes):
    chance = random.Random(classes)
    labels = [chance.randrange(classes) for _ in range(500)]
    predicted = [y if chance.random() < 0.7 else chance.randrange(classes) for y in labels]
    kinds = (metrics.Precision, metrics.Recall, metrics.F1)
    if classes > 2:
        kinds = (metrics.MacroPrecision, metrics.MacroRecall, metrics.MacroF1)
    names = ("accuracy", "precision", "recall", "f1")
    oracles = {name: kind() for name, kind in zip(names, (metrics.Accuracy, *kinds), strict=True)}
    for y, p in zip(labels, predicted, strict=True):
        for oracle in oracles.values():
            oracle.update(y, p)
    assert measured(predicted, labels) == pytest.approx({name: o.get() for name, o in oracles.items()})


def test_river_says_the_same_of_numbers():
    chance = random.Random(1)
    labels = [chance.gauss(10, 3) for _ in range(500)]
    predicted = [y + chance.gauss(0.3, 1) for y in labels]
    mae, rmse = metrics.MAE(), metrics.RMSE()
    for y, p in zip(labels, predicted, strict=True):
        mae.update(y, p)
        rmse.update(y, p)
    found = measured(predicted, labels)
    assert (found["mae"], found["rmse"]) == pytest.approx((mae.get(), rmse.get()))


def test_errors_are_distances_or_zero_and_one():
    numbers, classes = pairs([1.5, None, 4.5], [1.0, 2.5, 4.0]), pairs(["a", "b"], ["a", "a"])
    assert errors(numbers, Task.NUMBERS, rules()).tolist() == [0.5, 0.5]
    assert errors(classes, Task.CLASSES, rules()).tolist() == [0.0, 1.0]
