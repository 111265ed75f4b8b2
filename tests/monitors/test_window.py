"""The summary of the last minute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.monitors.window import SLOT_SECONDS, RollingWindow, moments


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), min_size=1, max_size=5))
@settings(max_examples=50)
def test_joined_moments_are_those_of_all_numbers_together(parts):
    window = RollingWindow()
    for part in parts:
        window.add(np.array(part), now=0.0)
    whole, joined = np.concatenate(parts), window.read(0.0)
    assert joined.count == whole.size
    assert joined.mean == pytest.approx(whole.mean(), abs=1e-6)
    assert joined.stddev == pytest.approx(whole.std(), abs=1e-3)
    assert (joined.low, joined.high) == (whole.min(), whole.max())


def test_numbers_far_from_zero_keep_their_spread():
    window = RollingWindow()
    for value in (1e9, 1e9 + 1, 1e9 + 2):
        window.add(np.array([value]), 0.0)
    assert window.read(0.0).stddev == pytest.approx(np.std([0, 1, 2]))


def test_nan_is_left_out_and_only_nan_is_nothing():
    assert moments(np.array([1.0, np.nan, 3.0])).mean == 2.0
    assert moments(np.array([np.nan])).count == 0


def test_the_window_covers_the_last_one_to_two_slots():
    window = RollingWindow()
    window.add(np.array([1.0]), 0.0)
    window.add(np.array([2.0]), SLOT_SECONDS)
    assert window.read(2 * SLOT_SECONDS - 1).count == 2
    assert window.read(2 * SLOT_SECONDS).mean == 2.0
    assert window.read(3 * SLOT_SECONDS).count == 0


def test_after_a_long_silence_nothing_old_is_left():
    window = RollingWindow()
    window.add(np.array([1.0]), 0.0)
    window.add(np.array([9.0]), 100 * SLOT_SECONDS)
    assert window.read(100 * SLOT_SECONDS).mean == 9.0


def test_a_slot_does_not_drift_with_the_moment_it_is_read():
    window = RollingWindow()
    window.add(np.array([1.0]), 0.0)
    window.add(np.array([2.0]), 1.9 * SLOT_SECONDS)
    assert window.read(2 * SLOT_SECONDS).mean == 2.0


def test_numbers_at_the_float_limit_do_not_raise():
    window = RollingWindow()
    for _ in range(3):
        window.add(np.array([1.7e308, -1.7e308]), 0.0)
    assert window.read(0.0).count == 6
