"""How far recent rows are from the reference: numbers that can be checked by hand."""

import numpy as np
import pytest

from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_scores import distances, kolmogorov_smirnov
from sidecar.reference import ColumnProfile, ColumnType, Reference

QUARTERS = ColumnProfile(
    "x", ColumnType.NUMBER, 1_000_000, edges=(1.0, 2.0, 3.0), shares=(0.25, 0.25, 0.25, 0.25)
)


def far(counts: list[int], profile: ColumnProfile = QUARTERS) -> tuple[float, float, float]:
    layout = DriftLayout(Reference(profile.rows, {"x": profile}))
    found = distances(layout, np.array(counts))
    return float(found.psi[0]), float(found.js[0]), float(found.tv[0])


def test_known_shares_give_the_known_distances():
    # 40/30/20/10 against quarters: worked out by hand, the bias of 100,000 rows is below the tolerance.
    psi, js, tv = far([40_000, 30_000, 20_000, 10_000, 0, 0])
    assert (psi, js, tv) == pytest.approx((0.228217, 0.027869, 0.2), abs=1e-3)


def test_without_drift_psi_is_zero_on_average():
    draws = np.random.default_rng(1).multinomial(1_000, [0.25] * 4, size=500)
    assert np.mean([far([*draw, 0, 0])[0] for draw in draws.tolist()]) == pytest.approx(0, abs=3e-4)


def test_a_bin_that_empties_is_finite():
    psi, js, tv = far([1_000, 0, 0, 0, 0, 0])
    assert np.isfinite([psi, js, tv]).all()
    assert psi > 1


def test_no_rows_are_no_distance():
    assert far([0, 0, 0, 0, 0, 0]) == (0, 0, 0)


def test_nulls_count_as_a_bin():
    assert far([200, 200, 200, 200, 200, 0])[2] == pytest.approx(0.2, abs=0.01)


def test_ks_is_the_largest_difference_of_cumulative_shares_at_bin_edges():
    number = ColumnProfile("x", ColumnType.NUMBER, 1_000, 0.0, (1.0, 2.0, 3.0), (0.25, 0.25, 0.25, 0.25))
    level = ColumnProfile("c", ColumnType.CATEGORY, 1_000, 0.0, levels={"a": 0.5, "b": 0.5})
    layout = DriftLayout(Reference(1_000, {"x": number, "c": level}))
    window = np.zeros(layout.size, dtype=np.int64)
    window[:6] = [0, 10, 40, 50, 30, 5]  # nulls and rubbish do not count
    found = kolmogorov_smirnov(layout, window)
    assert found[0] == pytest.approx(0.4)
    assert np.isnan(found[1])
    assert np.isnan(kolmogorov_smirnov(layout, np.zeros_like(window))).all()
