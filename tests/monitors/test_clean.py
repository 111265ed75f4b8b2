"""The state of one value."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.batch import State
from sidecar.inference import MISSING
from sidecar.monitors.clean import Rules, clean_column, rules_for
from sidecar.reference import ColumnProfile, ColumnType, Expectation

NUMBER, CATEGORY, BOOLEAN = ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.BOOLEAN
TEXT, TIMESTAMP = ColumnType.TEXT, ColumnType.TIMESTAMP


def states(values, rules):
    return [State(state).name.lower() for state in clean_column("x", values, rules).states]


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (1, "valid"),
        (-2.5, "valid"),
        (np.float32(1.5), "valid"),
        (np.int64(3), "valid"),
        (None, "null"),
        (MISSING, "missing"),
        (math.nan, "nan"),
        (np.float32("nan"), "nan"),
        (math.inf, "inf"),
        (-math.inf, "inf"),
        (10**400, "inf"),
        (np.longdouble("1e400"), "inf"),
        ("12", "wrong_type"),
        ("", "wrong_type"),
        (True, "wrong_type"),
        (np.True_, "wrong_type"),
        ([1.0], "wrong_type"),
        ({"a": 1}, "wrong_type"),
        (b"1", "wrong_type"),
        (1j, "wrong_type"),
    ],
)
def test_a_value_in_a_number_column(value, state):
    for column in ([value], [value, 1.0], [None, value]):
        assert state in states(column, Rules(NUMBER))
    assert states([value], Rules(NUMBER)) == [state]


def test_numbers_are_kept_where_finite_and_nan_everywhere_else():
    column = clean_column("x", [1, 2.5, None, math.inf, "3", -math.inf, math.nan, 10**400], Rules(NUMBER))
    assert column.numbers.dtype == np.float64
    np.testing.assert_array_equal(column.numbers, [1, 2.5, *[math.nan] * 6])


def test_a_number_out_of_range_is_said_so_and_kept():
    column = clean_column("x", [-1, 0, 120, 121, None, math.inf], Rules(NUMBER, 0, 120))
    assert states([-1, 0, 120, 121, None, math.inf], Rules(NUMBER, 0, 120)) == [
        "out_of_range", "valid", "valid", "out_of_range", "null", "inf",
    ]  # fmt: skip
    assert column.numbers[:4].tolist() == [-1, 0, 120, 121]


@pytest.mark.parametrize(
    ("value", "level"),
    [("north", "north"), ("", ""), (3, "3"), (3.0, "3"), (True, "true"), (np.int32(4), "4"), (-0.0, "0")],
)
def test_what_is_a_level(value, level):
    column = clean_column("x", [value], Rules(CATEGORY))
    assert (list(column.levels), column.states.tolist()) == ([level], [State.VALID])


@pytest.mark.parametrize("value", [2.5, [1], {"a": 1}, b"x", 10**400])
def test_what_is_no_level_of_a_category(value):
    column = clean_column("x", [value, "a"], Rules(CATEGORY))
    assert list(column.levels) == [None, "a"]
    assert column.states.tolist() == [State.WRONG_TYPE, State.VALID]


def test_a_level_nobody_expected_is_unseen_and_a_null_is_not():
    rules = Rules(CATEGORY, levels=frozenset({"n", "s"}))
    assert states(["n", "x"], rules) == ["valid", "unseen_category"]
    assert states(["n", None, "x", MISSING, 3], rules) == [
        "valid", "null", "unseen_category", "missing", "unseen_category",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (True, "true"),
        (False, "false"),
        (1, "true"),
        (0.0, "false"),
        (2, None),
        ("true", None),
        (np.True_, "true"),
    ],
)
def test_what_is_a_boolean(value, level):
    assert list(clean_column("x", [value], Rules(BOOLEAN)).levels) == [level]
    assert states([value], Rules(BOOLEAN)) == ["valid" if level else "wrong_type"]


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("2026-11-22T10:00:00Z", "valid"),
        ("2026-11-22", "valid"),
        (1_700_000_000, "valid"),
        (1.7e9, "valid"),
        ("yesterday", "wrong_type"),
        (True, "wrong_type"),
        ([], "wrong_type"),
        (None, "null"),
        (math.nan, "nan"),
    ],
)
def test_what_is_a_time(value, state):
    assert states([value], Rules(TIMESTAMP)) == [state]


def test_text_is_only_there_or_not():
    assert states(["a", 1, [1], None, MISSING, math.nan, math.inf], Rules(TEXT)) == [
        "valid", "valid", "valid", "null", "missing", "nan", "inf",
    ]  # fmt: skip
    assert states([1.0, math.nan, None, -math.inf], Rules(TEXT)) == ["valid", "nan", "null", "inf"]
    assert states([1.0, math.nan], Rules(TEXT)) == ["valid", "nan"]
    column = clean_column("x", ["a"], Rules(TEXT))
    assert column.numbers is None and column.levels is None


def profile(**more):
    return ColumnProfile("x", NUMBER, 1_000, min=0.0, max=10.0, **more)


def test_what_the_operator_says_is_the_range():
    rules = rules_for(NUMBER, Expectation(min=5), profile(), given=True)
    assert (rules.low, rules.high) == (5, math.inf)


def test_the_range_of_a_given_reference_counts_only_far_outside():
    rules = rules_for(NUMBER, Expectation(), profile(), given=True)
    assert (rules.low, rules.high) == (-10, 20)


def test_the_range_of_a_learnt_reference_is_no_rule():
    rules = rules_for(NUMBER, Expectation(), profile(), given=False)
    assert (rules.low, rules.high) == (-math.inf, math.inf)


def test_the_levels_of_a_reference_count_only_if_it_knows_them_all():
    complete = ColumnProfile("x", CATEGORY, 100, levels={"a": 0.6, "b": 0.4})
    partial = ColumnProfile("x", CATEGORY, 100, levels={"a": 0.6, "b": 0.3})
    assert rules_for(CATEGORY, Expectation(), complete, given=True).levels == {"a", "b"}
    assert rules_for(CATEGORY, Expectation(), partial, given=True).levels is None
    assert rules_for(CATEGORY, Expectation(values=("z",)), complete, given=True).levels == {"z"}


anything = st.one_of(
    st.none(), st.just(MISSING), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)  # fmt: skip


@given(st.lists(anything, max_size=20), st.sampled_from(ColumnType))
@settings(max_examples=200)
def test_any_values_have_a_state_each_and_numbers_only_where_finite(values, type):
    rules = Rules(type, -5.0, 5.0, frozenset({"a"}))
    column = clean_column("x", values, rules)
    assert len(column.states) == len(values)
    usable = np.isin(column.states, [State.VALID, State.OUT_OF_RANGE, State.UNSEEN_CATEGORY])
    if type is NUMBER:
        assert (np.isfinite(column.numbers) == usable).all()
    if type in (CATEGORY, BOOLEAN):
        assert [level is not None for level in column.levels] == usable.tolist()


@given(st.lists(st.one_of(st.floats(), st.integers(-(10**20), 10**20)), min_size=1, max_size=20))
@settings(max_examples=100)
def test_the_fast_path_and_the_careful_path_agree(values):
    rules = Rules(NUMBER, -5.0, 5.0)
    fast, careful = clean_column("x", values, rules), clean_column("x", [*values, None], rules)
    assert fast.states.tolist() == careful.states[:-1].tolist()
    np.testing.assert_array_equal(fast.numbers, careful.numbers[:-1])
