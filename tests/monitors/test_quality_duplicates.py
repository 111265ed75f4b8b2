"""Equal rows are found among the last few thousand, in bounded memory."""

import numpy as np

from sidecar.monitors.quality_duplicates import PLACES, Duplicates, row_hashes
from sidecar.monitors.quality_window import Window


def window(numbers, **levels):
    rows = numbers.shape[1]
    names = tuple(f"f{i}" for i in range(len(numbers)))
    states = np.zeros((len(numbers), rows), np.uint8)
    return Window(rows, rows, 0.0, 0.0, names, states, names, numbers, levels)


def test_small_whole_numbers_hash_apart():
    values = np.array([[float(a), float(b)] for a in range(200) for b in range(200)]).T
    assert len(np.unique(row_hashes(values, []))) == 40_000


def test_rows_that_differ_in_one_level_or_one_number_hash_apart():
    numbers = np.zeros((3, 4))
    numbers[2, 3] = 1e-9
    hashes = row_hashes(numbers, [["a", "a", "b", "a"], [None, None, None, None]])
    assert hashes[0] == hashes[1]
    assert len({*hashes.tolist()}) == 3


def test_equal_rows_are_counted_within_a_window_and_across():
    duplicates = Duplicates()
    rows = np.random.default_rng(0).normal(size=(3, 100))
    assert duplicates.count(window(rows)) == 0
    assert (
        duplicates.count(window(np.concatenate([rows[:, :50], rows[:, :50]], axis=1))) >= 98
    )  # a place may be taken


def test_a_row_is_forgotten_after_some_thousand_others():
    duplicates = Duplicates()
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 100))
    duplicates.count(window(rows))
    for _ in range(10):
        duplicates.count(window(rng.normal(size=(3, PLACES))))
    assert duplicates.count(window(rows)) < 5


def test_rows_without_anything_to_hash_are_not_equal():
    assert Duplicates().count(window(np.empty((0, 10)))) == 0


def test_features_that_are_coarse_by_nature_are_no_problem():
    duplicates = Duplicates()
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows = rng.integers(0, 30, (3, 256)).astype(float)
        assert not duplicates.is_surge(duplicates.count(window(rows)), 256)
    assert duplicates.usual > 0.1
