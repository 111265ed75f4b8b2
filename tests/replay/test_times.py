"""When recorded rows were."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.replay.times import Clock, seconds

AT = 1_700_000_000.0


@pytest.mark.parametrize(
    "value",
    [
        AT, int(AT), int(AT) * 1_000, int(AT) * 10**6, int(AT) * 10**9, "1700000000", "1700000000000",
        "2023-11-14T22:13:20Z", "2023-11-14T22:13:20", " 2023-11-14 22:13:20 ", "2023-11-15T00:13:20+02:00",
        "2023-11-14T17:13:20.000-05:00", "20231114T221320",
    ],
)  # fmt: skip
def test_every_usual_way_to_say_a_moment_says_the_same_one(value):
    assert seconds(value) == AT


@pytest.mark.parametrize("value", [None, "", "noon", True, [1], math.nan, math.inf, 10**400, "14.11.2023"])
def test_what_says_no_time_is_no_number(value):
    assert math.isnan(seconds(value))


@given(st.one_of(st.text(max_size=30), st.integers(), st.floats(), st.none(), st.booleans()))
def test_nothing_raises(value):
    seconds(value)


@given(st.lists(st.floats(0, 1e9) | st.none(), max_size=60), st.integers(1, 7))
def test_the_clock_never_goes_back_and_is_the_same_in_any_portions(values, size):
    whole, portioned = Clock(), Clock()
    once = whole.times(values)
    parts = [portioned.times(values[at : at + size]) for at in range(0, len(values), size)]
    assert once == sorted(once) == [time for part in parts for time in part]
    assert (whole.rows, whole.unread, whole.back) == (portioned.rows, portioned.unread, portioned.back)


def test_rows_that_are_far_behind_are_counted_and_neighbours_that_overtook_are_not():
    clock = Clock()
    assert clock.times([AT, AT - 60, AT - 3_601, AT + 5, None]) == [AT, AT, AT, AT + 5, AT + 5]
    assert (clock.rows, clock.unread, clock.back, clock.known) == (5, 1, 1, True)


def test_before_the_first_known_time_there_is_none():
    clock = Clock()
    assert clock.times([None, "?"]) == [0.0, 0.0]
    assert not clock.known
    assert clock.times([AT]) == [AT]
