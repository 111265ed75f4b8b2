"""Where a batch of rows is cut into micro-batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.batch import Batch
from sidecar.monitors.drift_pace import OFFLINE, Pace, cuts


def rows(count: int, first: float = 0.0, last: float = 0.0) -> Batch:
    return Batch("m", "1", count, first, last)


def test_offline_a_micro_batch_is_sixty_four_rows_wherever_the_chunks_end():
    found = [(cut.rows, cut.full) for cut in cuts(OFFLINE, rows(150), pending_rows=14, started=0.0)]
    assert found == [(50, True), (64, True), (36, False)]


def test_rows_that_came_at_once_stay_together_however_many():
    assert [cut.rows for cut in cuts(Pace(), rows(5_000), 0, 0.0)] == [5_000]


def test_a_steady_thousand_rows_a_second_is_a_batch_a_second():
    found = list(cuts(Pace(), rows(5_000, 0.0, 4.999), 0, 0.0))
    assert len(found) == pytest.approx(5, abs=1)
    assert all(990 <= cut.rows <= 1_010 for cut in found if cut.full)


def test_thin_traffic_is_cut_after_half_a_minute():
    found = list(cuts(Pace(), rows(40, 0.0, 78.0), 0, 0.0))
    assert (found[0].rows, found[0].time) == (16, 30.0)


@settings(max_examples=100)
@given(st.integers(1, 3_000), st.integers(0, 100), st.floats(0, 1e6), st.floats(0, 100), st.booleans())
def test_no_row_is_lost_and_only_the_last_cut_is_open(
    count: int, pending: int, first: float, span: float, offline: bool
):
    pace = OFFLINE if offline else Pace()
    found = list(cuts(pace, rows(count, first, first + span), pending, first - 1.0))

    assert sum(cut.rows for cut in found) == count
    assert all(cut.full for cut in found[:-1])
    assert all(first <= cut.time <= first + span + 1e-6 for cut in found)


def test_rows_with_times_of_their_own_are_cut_by_those():
    times = np.concatenate([np.full(100, 5.0), np.arange(100) * 0.1 + 6.0])
    known = Batch("m", "1", 200, times[0], times[-1], times=times)
    found = list(cuts(Pace(), known, 0, 0.0))
    assert (found[0].rows, found[0].time) == (101, 6.0)
    assert sum(cut.rows for cut in found) == 200


def test_offline_no_time_however_long_makes_a_micro_batch():
    found = list(cuts(OFFLINE, rows(150, 0.0, 1e9), 0, 0.0))
    assert [cut.rows for cut in found] == [64, 64, 22]


@settings(max_examples=50)
@given(st.integers(1, 400), st.integers(0, 63), st.floats(0, 1e6))
def test_offline_only_rows_count_whatever_the_times_are(count: int, pending: int, lasting: float):
    batch = rows(count, 1.0, 1.0 + lasting)
    almost = Pace(seconds=0.0, slow_seconds=1e300)  # the same, told by looking at the times
    assert list(cuts(OFFLINE, batch, pending, 0.5)) == list(cuts(almost, batch, pending, 0.5))
