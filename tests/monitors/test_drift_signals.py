"""What is watched of a column."""

import numpy as np
import pytest

from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_signals import Signals
from sidecar.reference import ColumnProfile, ColumnType, Reference


def signals(profile: ColumnProfile) -> tuple[DriftLayout, Signals]:
    layout = DriftLayout(Reference(profile.rows, {profile.name: profile}))
    return layout, Signals(layout)


def number(*shares: float, null_ratio: float = 0.0) -> ColumnProfile:
    edges = tuple(float(i) for i in range(len(shares) - 1))
    return ColumnProfile("x", ColumnType.NUMBER, 100_000, null_ratio, edges, shares)


@pytest.mark.parametrize("shares", [(0.05,) * 20, (0.5, 0.2, 0.2, 0.1), (0.97, 0.03)])
def test_scores_have_mean_zero_under_the_reference(shares: tuple[float, ...]):
    layout, watched = signals(number(*shares, null_ratio=0.1))
    total, rows = watched.sums(np.round(layout.shares * 1_000_000).astype(np.int64))
    weighted = slice(0, watched.weighted)

    assert (total / rows)[weighted] == pytest.approx(watched.mean[weighted], abs=1e-3)


def test_an_odd_row_of_a_nearly_constant_column_is_no_hundred_deviations():
    """Its normal score, 3.4, over .3: the deviation of its scores is .1."""
    assert signals(number(0.999, 0.001))[1].scores(0).max() == pytest.approx(3.37 / 0.3, rel=0.01)


def test_a_number_is_watched_for_where_it_is_how_wide_and_whether_it_is_there():
    assert [s.signal for s in signals(number(*(0.05,) * 20))[1].all] == [
        "location", "scale", "null", "invalid", "stuck",
    ]  # fmt: skip


def test_the_false_alarm_rate_of_a_category_is_shared_by_its_levels():
    levels = {f"l{i}": 0.04 for i in range(25)}
    _, watched = signals(ColumnProfile("x", ColumnType.CATEGORY, 1_000, levels=levels))
    of_levels = [s for s in watched.all if "level" in s.signal]

    assert len(of_levels) == 10 + 2
    assert sum(s.delta for s in of_levels) == pytest.approx(1e-4)


def test_text_is_watched_for_nulls_only():
    assert [s.signal for s in signals(ColumnProfile("x", ColumnType.TEXT, 100))[1].all] == ["null", "invalid"]


def test_nulls_that_never_were_are_worth_as_much_as_where_one_row_in_five_thousand_is_null():
    """Not more, or the first null in a million rows were news; not less, or one percent of them were none."""
    at = [s.signal for s in signals(number(*(0.05,) * 20))[1].all].index("null")
    one_in = {
        rows: signals(number(*(0.05,) * 20, null_ratio=1 / rows))[1].stddev[at]
        for rows in (100_000, 5_000, 4_900)
    }
    never = signals(number(*(0.05,) * 20))[1]
    assert never.stddev[at] == one_in[100_000] == pytest.approx(one_in[5_000], rel=1e-9)
    assert one_in[4_900] > never.stddev[at]
    assert never.deviation(never.mean)[at] == never.stddev[at]


def test_a_reference_without_columns_watches_nothing():
    watched = Signals(DriftLayout(Reference(0, {})))
    assert len(watched) == 0
    assert len(watched.sums(np.zeros(0, dtype=np.int64))[0]) == 0
