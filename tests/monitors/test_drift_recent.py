"""The newest micro-batches, whatever the number of rows in them."""

import numpy as np
import pytest

from sidecar.monitors.drift_recent import RECENT_BATCHES, WINDOW_BATCHES, Recent


def filled(batches: int, many: int = 1) -> Recent:
    """Batch i has i rows in the first bin and `many` in the second; signal 0 is i, of 10 rows."""
    recent = Recent(signals=2, bins=2)
    for at in range(batches):
        recent.take(at, np.array([at, many]), np.array([at, 0.0]), np.array([10.0, 0.0]))
    return recent


def test_the_window_is_of_the_newest_batches_alone():
    assert filled(20).window.tolist() == [sum(range(4, 20)), WINDOW_BATCHES]
    assert filled(20).counts(20, 3).tolist() == [17 + 18 + 19, 3]
    assert filled(2).counts(2, 3).tolist() == [0 + 1, 2]


def test_sums_come_oldest_first_and_a_signal_of_too_few_rows_has_no_mean():
    total, rows = filled(11).each(0, 11)
    assert total.tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert rows.tolist() == [10] * RECENT_BATCHES
    assert filled(11).each(0, 11, 2)[0].tolist() == [9, 10]
    assert filled(11).means(64) == pytest.approx([0.65, np.nan], nan_ok=True)


@pytest.mark.parametrize("many", [65_535, 65_536, 3_000_000])
def test_a_batch_may_have_more_rows_in_a_bin_than_two_bytes_hold(many: int):
    recent = filled(20, many)
    assert recent.window[1] == many * WINDOW_BATCHES
    assert recent.counts(20, 16)[1] == many * WINDOW_BATCHES
    again = Recent(signals=2, bins=2)
    again.restore(recent.state())
    for each in (recent, again):
        each.take(20, np.array([20, 1]), np.zeros(2), np.zeros(2))
    assert again.window.tolist() == recent.window.tolist() == [sum(range(5, 21)), many * 15 + 1]
    assert again.counts(21, 2).tolist() == [39, many + 1]


def test_what_signals_had_is_forgotten_and_the_window_is_not():
    recent = filled(20)
    recent.forget_signals()
    assert np.isnan(recent.means(1)).all()
    assert recent.window[1] == WINDOW_BATCHES
