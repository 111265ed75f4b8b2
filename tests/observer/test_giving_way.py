"""The observer leaves the cores to a relay that has no time left, and takes them again when it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.observer.giving_way import SMALLEST_CORES, GivingWay


def after(*pressures: float) -> float | None:
    giving_way = GivingWay()
    for pressure in pressures:
        giving_way.review(pressure)
    return giving_way.cores


def test_a_relay_with_time_to_spare_costs_the_observer_nothing() -> None:
    assert after(0.0, 0.3, 0.69, 0.84) is None


def test_a_relay_without_time_is_given_way_to_at_once() -> None:
    assert after(0.2, 0.95) == SMALLEST_CORES


def test_in_between_nothing_changes_so_that_it_does_not_go_back_and_forth() -> None:
    assert after(0.95, *[0.8] * 50) == SMALLEST_CORES


def test_once_the_relay_is_relieved_the_observer_comes_back_within_five_looks() -> None:
    assert after(0.95, 0.1) == pytest.approx(2 * SMALLEST_CORES)
    assert after(0.95, *[0.1] * 5) is None


@given(st.lists(st.floats(0, 2)))
def test_it_always_keeps_enough_to_go_on_reading(pressures: list[float]) -> None:
    cores = after(*pressures)
    assert cores is None or cores >= SMALLEST_CORES
