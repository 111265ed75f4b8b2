import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.admin.quantile import merged, quantile
from sidecar.registry import Distribution

BOUNDS = (1.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("q", "counts", "expected"),
    [
        (0.5, [10, 0, 0, 0], 0.5),
        (0.5, [0, 10, 0, 0], 1.5),
        (0.99, [0, 0, 100, 0], 3.98),
        (0.5, [5, 5, 0, 0], 1.0),
        (0.75, [5, 5, 0, 0], 1.5),
        (0.0, [0, 10, 0, 0], 1.0),
        (1.0, [0, 10, 0, 0], 2.0),
    ],
)
def test_a_quantile_is_interpolated_inside_its_bucket(q, counts, expected):
    assert quantile(q, BOUNDS, Distribution(counts)) == pytest.approx(expected)


def test_beyond_the_last_bound_the_last_bound_is_all_that_is_known():
    assert quantile(0.99, BOUNDS, Distribution([1, 0, 0, 99])) == 4.0


def test_without_observations_there_is_no_quantile():
    assert quantile(0.5, BOUNDS, Distribution([0, 0, 0, 0])) is None


@settings(max_examples=60)
@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any), st.floats(0, 1))
def test_a_quantile_never_leaves_the_bounds_and_grows_with_q(counts, q):
    found = quantile(q, BOUNDS, Distribution(counts))

    assert 0 <= found <= 4.0
    assert quantile(1.0, BOUNDS, Distribution(counts)) >= found


def test_histograms_with_the_same_bounds_add_up():
    together = merged([Distribution([1, 2], 3.0), Distribution([10, 20], 30.0)], 2)

    assert together == Distribution([11, 22], 33.0)
