"""Batches that resemble each other are heard together, or a window takes their wandering for changes."""

import numpy as np
import pytest

from sidecar.monitors.drift_inflation import DEPENDENT, dependent_batches


def scores(memory: float, batches: int = 80, signals: int = 40, seed: int = 1) -> np.ndarray:
    """Standardised scores that remember the batch before them."""
    chance = np.random.default_rng(seed)
    found = chance.normal(size=(batches, signals))
    for at in range(1, batches):
        found[at] = memory * found[at - 1] + np.sqrt(1 - memory**2) * found[at]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_independent_batches_are_heard_one_by_one_and_dependent_ones_together(seed: int) -> None:
    assert dependent_batches(scores(0.0, seed=seed)) == 1
    # An autoregression of .9 over rows: batches of 64 correlate by .15.
    assert dependent_batches(scores(0.15, seed=seed)) == 1
    # Ten of them in turn.
    assert dependent_batches(scores(0.51, seed=seed)) == DEPENDENT


def test_few_batches_and_no_signals_prove_no_dependence() -> None:
    assert dependent_batches(scores(0.9, batches=4 * DEPENDENT - 1)) == 1
    assert dependent_batches(np.zeros((80, 0))) == 1
    assert dependent_batches(np.zeros((80, 3))) == 1


def test_a_break_in_burn_in_is_no_dependence() -> None:
    broken = scores(0.0)
    broken[60:, :5] += 10.0
    assert dependent_batches(broken) == 1


def test_a_column_that_said_nothing_is_left_out() -> None:
    known = scores(0.6)
    known[:, :15] = np.nan
    assert dependent_batches(known) == DEPENDENT
