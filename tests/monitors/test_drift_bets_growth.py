"""How many rows a change of a size takes to be certain, where nothing is noise: what each bet is there for.

Every batch is exactly as shares say, fractions of a row and all. Each size is near what one of the bets is
on; with another bet in its place certainty comes earlier or later, or what is left alone is so no more.
"""

from collections.abc import Callable
from math import inf, log

import numpy as np
import pytest

from sidecar.monitors.drift_bets import Bets
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_signals import Signals
from sidecar.reference import ColumnProfile, ColumnType, Reference

YEAR = log(2 * 365.25 * 86_400)  # nats: a page a year of batches a second
TICKET = log(100_000)
NUMBER = ColumnProfile("x", ColumnType.NUMBER, 100_000, 0.0, tuple(float(i) for i in range(19)), (0.05,) * 20)
CATEGORY = ColumnProfile("x", ColumnType.CATEGORY, 100_000, levels={"a": 0.5, "b": 0.3, "c": 0.2})


class Steady:
    """Bets on one column, and batches in which one signal, or one bin, is otherwise than normal."""

    def __init__(
        self, profile: ColumnProfile, signal: str, normal: float | None = None, known: float = 1e5
    ) -> None:
        layout = DriftLayout(Reference(profile.rows, {"x": profile}))
        self.signals = Signals(layout)
        self.at = [s.signal for s in self.signals.all].index(signal)
        self.mean = self.signals.mean.copy()
        if normal is not None:
            self.mean[self.at] = normal
        self.bets = Bets(layout, self.signals)
        ones = np.ones(len(self.signals))
        self.bets.calibrate(self.mean, self.signals.shares_of_values, known * ones, ones, 0 * ones)

    def rows(
        self, certain: Callable[[Bets], list[int]], to: float, batch: float = 1.0, bin_: int | None = None
    ) -> float:
        """Until it is certain that the signal, or the bin, is `to`; infinite past a thousand batches."""
        total, counts = self.mean * batch, self.signals.shares_of_values * batch
        if bin_ is None:
            total[self.at] = to * batch
        else:
            counts[bin_] = to * batch
        for played in range(1, 1_001):
            self.bets.update(total, np.full(len(total), batch), counts, np.inf)
            if certain(self.bets):
                return played * batch
        return inf


def severe(bets: Bets) -> list[int]:
    return bets.severe(YEAR)


def gradual(bets: Bets) -> list[int]:
    return bets.backed(TICKET)


def about(rows: float) -> object:
    """A row more or less may be rounding."""
    return rows if rows == inf else pytest.approx(rows, rel=0.015, abs=0.5)


@pytest.mark.parametrize(
    ("by", "rows"), [(0.5, inf), (0.65, 567), (1.0, 83), (1.2, 50), (1.4, 33), (2.0, 15), (4.0, 5)]
)
def test_a_mean_breaks_by_more_than_half_a_deviation(by: float, rows: float):
    assert Steady(NUMBER, "location").rows(severe, by) == about(rows)
    assert Steady(NUMBER, "location").rows(severe, -by) == about(rows)


@pytest.mark.parametrize(("share", "rows"), [(0.05, 313), (0.1, 89), (0.3, 21), (0.6, 9), (1.0, 5)])
def test_nulls_break_when_they_are_a_tenth_of_the_rows_or_all(share: float, rows: float):
    assert Steady(NUMBER, "null").rows(severe, share) == about(rows)


@pytest.mark.parametrize(("share", "rows"), [(0.15, inf), (0.3, 185), (0.5, 51), (1.0, 11)])
def test_a_bin_that_fills_up_breaks(share: float, rows: float):
    assert Steady(NUMBER, "location").rows(severe, share, bin_=3) == about(rows)


@pytest.mark.parametrize(
    ("by", "batch", "rows"),
    [(0.06, 64, inf), (0.1, 64, 68 * 64), (0.25, 1, 422), (0.4, 1, 165), (0.7, 1, 68)],
)
def test_a_small_change_of_a_mean_backs_a_ticket(by: float, batch: float, rows: float):
    assert Steady(NUMBER, "location").rows(gradual, by, batch) == about(rows)


@pytest.mark.parametrize(("share", "rows"), [(0.02, 154), (0.05, 55), (0.1, 26), (0.5, 5)])
def test_a_few_more_nulls_back_a_ticket(share: float, rows: float):
    assert Steady(NUMBER, "null").rows(gradual, share) == about(rows)


@pytest.mark.parametrize(("share", "rows"), [(0.04, 940), (0.0, 540)])
def test_fewer_nulls_back_one_later(share: float, rows: float):
    assert Steady(NUMBER, "null", normal=0.1).rows(gradual, share, 4) == about(rows)


@pytest.mark.parametrize(
    ("by", "batch", "rows"), [(0.02, 64, inf), (0.05, 16, 3_328), (0.1, 1, 633), (0.2, 1, 175), (0.3, 1, 104)]
)
def test_a_level_backs_a_ticket_from_three_points_on(by: float, batch: float, rows: float):
    assert Steady(CATEGORY, "level b").rows(gradual, 0.3 + by, batch) == about(rows)


def test_of_a_mean_known_from_few_rows_two_standard_errors_are_borne():
    """Of 400 rows: a tenth of a deviation."""
    assert Steady(NUMBER, "location", known=400).rows(gradual, 0.14, 64) == inf
    assert Steady(NUMBER, "location", known=400).rows(gradual, 0.25, 64) < 64 * 64
    assert Steady(NUMBER, "location", known=1_600).rows(gradual, 0.14, 64) < 64 * 64
