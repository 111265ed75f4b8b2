"""Levels are counted exactly up to a bound, numbers as their text."""

import numpy as np

from sidecar.profiles.levels import MAX_DISTINCT, MAX_LEVEL_CHARACTERS, Levels


def test_texts_and_numbers_are_counted_alike():
    levels = Levels()
    levels.count("a", 3)
    levels.count_numbers(np.array([1.0, 2.5, 1.0]))
    levels.count("1")
    assert (levels.counts, levels.full) == ({"a": 3, "1": 3, "2.5": 1}, False)


def test_of_more_than_can_be_told_apart_one_more_is_kept_in_whatever_order_they_come():
    many = np.arange(10_000) + 0.5
    first, later = Levels(), Levels()
    first.count_numbers(many)
    first.count("a")
    later.count("a")
    later.count_numbers(many)
    for levels in (first, later):
        assert levels.full
        levels.count("new")
        assert len(levels.counts) == MAX_DISTINCT + 1 and "new" not in levels.counts
    assert "a" not in first.counts and later.counts["a"] == 1
    first.count("0.5", 5)
    assert first.counts["0.5"] == 6


def test_numbers_that_follow_too_many_are_not_looked_at():
    levels = Levels()
    levels.count_numbers(np.arange(10_000) + 0.5)
    levels.count_numbers(np.array([0.5]))
    assert levels.counts["0.5"] == 1


def test_long_levels_are_cut():
    levels = Levels()
    levels.count("x" * 1_000)
    assert list(levels.counts) == ["x" * MAX_LEVEL_CHARACTERS]
