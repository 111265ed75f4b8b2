"""How much more batches vary than independent rows would, and what few of them say about it."""

import numpy as np
import pytest

from sidecar.monitors.drift_inflation import _without_breaks, variance_inflation


def autoregressive(phi: float, batches: int, columns: int, seed: int = 1) -> np.ndarray:
    """Standardised scores of batches of 64 rows, shape (batches, columns)."""
    noise = np.random.default_rng(seed).normal(size=(batches * 64, columns)) * np.sqrt(1 - phi**2)
    for at in range(1, len(noise)):
        noise[at] += phi * noise[at - 1]
    return noise.reshape(batches, 64, columns).sum(axis=1) / 8


@pytest.mark.parametrize(("phi", "batches"), [(0.9, 8), (0.3, 80)])
def test_the_unluckiest_column_is_as_dependent_as_three_quarters_are(phi: float, batches: int):
    """Alone, some columns of an autoregression look independent, and chance in them like a change."""
    scores = autoregressive(phi, batches, 200)
    alone = variance_inflation(scores)
    together = variance_inflation(scores, np.zeros(200, dtype=np.intp))
    assert alone.min() == 1.0
    assert together.min() == pytest.approx(np.quantile(alone, 0.25))
    assert together.min() > 1.3
    assert (together >= alone).all()


def test_kinds_of_signals_do_not_lend_each_other_dependence():
    scores = np.hstack([autoregressive(0.9, 80, 20), autoregressive(0.0, 80, 20)])
    found = variance_inflation(scores, np.repeat([0, 1], 20))
    assert found[:20].min() > 10
    assert np.median(found[20:]) == 1.0


def test_one_dependent_column_makes_no_other_one_so():
    scores = np.hstack([autoregressive(0.9, 80, 1), autoregressive(0.0, 80, 20)])
    assert np.median(variance_inflation(scores, np.zeros(21, dtype=np.intp))[1:]) == 1.0


def test_a_single_break_counts_as_three_deviations_of_what_batches_usually_have():
    scores = 2 * np.random.default_rng(1).normal(size=(400, 1))
    scores[7] = 100.0
    calm = _without_breaks(scores)
    assert calm[7, 0] == calm.max() == pytest.approx(3 * 2, rel=0.1)
