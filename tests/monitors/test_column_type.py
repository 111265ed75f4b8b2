"""What a column is when nobody says."""

import math

import pytest

from sidecar.inference import MISSING
from sidecar.monitors.column_type import MAX_LEVELS, SETTLED_AFTER, ColumnTypeVote
from sidecar.reference import ColumnType


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([1, 2.5], "number"),
        ([0, 1], "number"),
        (["n", "s"], "category"),
        ([True, False], "boolean"),
        ([[1, 2], {"a": 1}], "text"),
        (["x" * 101], "text"),
        ([f"user-{i}" for i in range(MAX_LEVELS + 1)], "text"),
        ([None, MISSING, math.nan], "text"),
        ([None, "N/A", 1.0, 2.0], "number"),
        ([math.nan, "n"], "category"),
    ],
)
def test_the_majority_of_usable_values_decides(values, type):
    assert ColumnTypeVote().see(values) is ColumnType(type)


def test_a_first_batch_of_nulls_does_not_decide():
    vote = ColumnTypeVote()
    assert vote.see([None] * 2_000) is ColumnType.TEXT
    assert vote.see([1.0]) is ColumnType.NUMBER


def test_a_first_odd_value_is_outvoted():
    vote = ColumnTypeVote()
    assert vote.see(["N/A"]) is ColumnType.CATEGORY
    assert vote.see([1.0, 2.0]) is ColumnType.NUMBER


def test_once_settled_a_type_never_changes():
    vote = ColumnTypeVote()
    vote.see([1.0] * SETTLED_AFTER)
    assert vote.see(["text"] * 10 * SETTLED_AFTER) is ColumnType.NUMBER


def test_levels_that_grow_past_a_category_over_many_batches_make_text():
    vote = ColumnTypeVote()
    types = [vote.see([f"user-{i}"]) for i in range(MAX_LEVELS + 1)]
    assert types[0] is ColumnType.CATEGORY
    assert types[-1] is ColumnType.TEXT


def test_integer_outputs_are_classes_until_they_show_to_be_a_quantity():
    assert ColumnTypeVote(integers_are_classes=True).see([0, 1, 1]) is ColumnType.CATEGORY
    assert ColumnTypeVote(integers_are_classes=True).see(list(range(100))) is ColumnType.NUMBER
    assert ColumnTypeVote(integers_are_classes=True).see([1, 0.93]) is ColumnType.NUMBER
    assert ColumnTypeVote(integers_are_classes=True).see([0.1, 0.9]) is ColumnType.NUMBER
