"""The table says what a binary search says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.bin_search import Cells

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=300)
@given(
    st.lists(FLOATS, min_size=1, max_size=30, unique=True), st.lists(st.floats(allow_nan=False), max_size=50)
)
def test_any_number_is_found_where_a_binary_search_finds_it(edges, numbers):
    edges = np.array(sorted(edges))
    cells = Cells(edges)
    near = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)])
    asked = np.concatenate([np.array(numbers, dtype=np.float64), near, [np.inf, -np.inf, 0.0, -0.0]])
    if cells.usable:
        assert (cells.search(asked) == np.searchsorted(edges, asked, side="left")).all()


@pytest.mark.parametrize("draw", ["normal", "uniform", "standard_cauchy", "lognormal", "exponential"])
def test_the_edges_of_real_references_are_usable_or_left_to_the_binary_search(draw):
    random = np.random.default_rng(3)
    numbers = getattr(random, draw)(size=20_000)
    edges = np.quantile(numbers, np.arange(1, 20) / 20)
    cells = Cells(edges)
    assert cells.usable
    assert (cells.search(numbers) == np.searchsorted(edges, numbers, side="left")).all()


@pytest.mark.parametrize(
    "edges",
    [[], [1.0], [-1e308, 0.0, 1.0, 1e308], [0.0, 5e-324, 1e-323, 1.5e-323], [0, 1e-9, 2e-9, 3e-9, 1.0]],
)
def test_edges_that_no_table_serves_are_not_usable(edges):
    assert not Cells(np.array(edges, dtype=np.float64)).usable


def test_nan_gets_some_place_and_raises_nothing():
    cells = Cells(np.arange(10.0))
    assert 0 <= cells.search(np.array([np.nan, 3.5]))[0] <= 10
