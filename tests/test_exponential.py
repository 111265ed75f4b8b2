import math
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.exponential import MAX_BUCKETS, MAX_SCALE, Exponential

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60)


def filled(values: list[float]) -> Exponential:
    found = Exponential(0.0)
    for value in values:
        found.add(value)
    return found


def holds(histogram: Exponential, index: int, value: float) -> bool:
    """Whether the value lies in the bucket, but for the rounding of a logarithm; from the definition."""
    exact = Fraction(math.log2(value)) * Fraction(2) ** histogram.scale
    tiny = Fraction(2) ** histogram.scale / 2**45
    return index - tiny < exact <= index + 1 + tiny


@settings(max_examples=80)
@given(VALUES)
def test_every_value_lies_in_a_bucket_that_counts_it_and_there_are_160_at_most(values):
    found = filled(values)

    assert found.count == len(values)
    assert found.high - found.low < MAX_BUCKETS
    assert (min(found.counts), max(found.counts)) == (found.low, found.high)
    for value in values:
        assert any(holds(found, index, value) for index in found.counts)


@given(VALUES, VALUES)
@settings(max_examples=80)
def test_the_difference_of_two_moments_is_what_came_between(first, then):
    found = filled(first)
    before = found.copy()
    for value in then:
        found.add(value)
    alone = filled(then)
    alone._coarsen(alone.scale - found.scale)

    assert found.minus(before).counts == alone.counts
    assert math.isclose(found.minus(before).sum, sum(then), rel_tol=1e-6, abs_tol=1e-3)


def test_a_power_of_two_is_the_upper_end_of_its_bucket():
    for scale in (20, 3, 0, -1):
        found = Exponential(0.0, scale=scale)
        found.add(4.0)
        (index,) = found.counts
        assert Fraction(2) ** scale * 2 in (index + 1, Fraction(index + 1), index + Fraction(1, 2))


def test_one_value_is_kept_at_the_finest_scale_and_zero_is_apart():
    found = filled([0.0, 0.0, 0.25])

    assert (found.scale, found.zero, found.count) == (MAX_SCALE, 2, 3)


def test_the_whole_range_of_numbers_fits():
    found = filled([5e-324, 1.7e308])

    assert found.count == 2
    assert found.high - found.low < MAX_BUCKETS
