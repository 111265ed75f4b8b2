"""Data sets with a planted change: what is planted, where, and that nothing else changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.drift_recorded import CASES, ROWS, fuller, load, shifted, swapped, wider

RANDOM = np.random.default_rng(1)
VALUES = RANDOM.normal(3.0, 2.0, 10_000)
LEVELS = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10, dtype=object)
PLANTED = {case.name: case for case in CASES if case.planted}


def test_numbers_are_moved_in_deviations_and_spread_around_their_mean():
    assert shifted(0.5)(VALUES, RANDOM) - VALUES == pytest.approx(0.5 * VALUES.std())
    assert wider(1.5)(VALUES, RANDOM).mean() == pytest.approx(VALUES.mean())
    assert wider(1.5)(VALUES, RANDOM).std() == pytest.approx(1.5 * VALUES.std())


def test_levels_become_fuller_or_change_places():
    assert (swapped(LEVELS, RANDOM) == "b").sum() == 60
    assert (swapped(LEVELS, RANDOM) == "c").sum() == 10
    full = fuller(0.2)(np.repeat(LEVELS, 100), RANDOM)
    assert (full == "a").mean() == pytest.approx(0.6 + 0.2 * 0.4, abs=0.02)


@pytest.mark.parametrize("name", ["bananas, planted", "solar flares, planted"])
def test_only_what_is_planted_changes_and_only_in_the_second_half(name: str):
    case = PLANTED[name]
    reference, rows = load(case, Path())
    _, as_it_was = load(replace(case, planted={}), Path())
    assert set(rows) == set(reference) == {*case.changed, *case.unchanged}
    for column, values in rows.items():
        assert (len(reference[column]), len(values)) == (ROWS, 2 * ROWS)
        assert list(values[:ROWS]) == list(as_it_was[column][:ROWS])
        assert (list(values[ROWS:]) != list(as_it_was[column][ROWS:])) == (column in case.changed)


def test_every_column_has_one_truth():
    for case in CASES:
        assert len(set(case.columns)) == len(case.columns)
        assert set(case.planted) <= set(case.changed)
        assert bool(case.source) != bool(case.files[0])
