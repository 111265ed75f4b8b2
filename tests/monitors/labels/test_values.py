"""Predictions and labels compare equal when a person would say that they are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.monitors.labels.values import (
    NONE,
    NOTHING,
    NUMBER,
    TEXT,
    key_of,
    key_of_row,
    value_of,
    values_of,
)


@pytest.mark.parametrize(
    "spellings",
    [
        (1, 1.0, "1", "1.0", True, "true", "True", " 1 ", "1e0"),
        (0, 0.0, "0", False, "false"),
        (0.25, "0.25"),
        ("cat", " cat", "cat\n"),
        (2**60, str(2**60)),
    ],
)
def test_one_value_in_different_spellings_is_one(spellings):
    assert len({value_of(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "Cat"), ("007", 7), (2**60, 2**60 + 1), ("1", "-1"), ("a", "b"), ("0x1", 1)]
)
def test_different_values_stay_different(one, other):
    assert value_of(one) != value_of(other)


@pytest.mark.parametrize("found", [None, float("nan"), float("inf"), "", "  ", [], {}, b"x", "1e999"])
def test_what_cannot_be_compared_is_nothing(found):
    assert value_of(found) == NOTHING


def test_a_text_is_kept_as_a_hash_that_a_float_holds_exactly():
    kind, number = value_of("a private diagnosis")
    assert kind == TEXT
    assert number == int(number) < 2**52


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_anything_has_a_value_that_is_finite(found):
    kind, number = value_of(found)
    assert kind in (NONE, NUMBER, TEXT)
    assert np.isfinite(number)


def test_a_column_is_read_as_its_values_are_whatever_holds_it():
    numbers, kinds = values_of(np.array([1.5, np.nan, 2.0], np.float32))
    assert (numbers.tolist(), kinds.tolist()) == ([1.5, 0.0, 2.0], [NUMBER, NONE, NUMBER])
    assert [a.tolist() for a in values_of(["x", 1, None])] == [
        [value_of("x")[1], 1.0, 0.0], [TEXT, NUMBER, NONE],
    ]  # fmt: skip
    assert values_of(np.array([True, False]))[0].tolist() == [1.0, 0.0]
    assert values_of(np.array(["x", "y"], object))[1].tolist() == [TEXT, TEXT]


def test_the_first_row_has_the_key_of_its_prediction_and_the_others_have_their_own():
    key = key_of("a")
    assert key_of_row(key, 0) == key
    assert len({key_of_row(key, row) for row in range(1000)}) == 1000
    assert key_of("\ud800") != key  # a lone surrogate is no reason to fail
