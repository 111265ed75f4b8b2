"""What burn-in teaches: whose rows the baseline is of, and how wide a ticket's gate is."""

import numpy as np
import pytest

from sidecar.monitors.drift_baseline import Normal, adopted, calibrated_gate, noise
from sidecar.monitors.drift_bets import REFERENCE_ERRORS
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_signals import LEVEL, RARE, SHIFT, Signals
from tests.monitors import drift_streams as streams

REFERENCE_ROWS = 15_000
SIGNALS = Signals(DriftLayout(streams.reference(streams.draw("normal", REFERENCE_ROWS, 1, 0))))
AT = {signal.signal: at for at, signal in enumerate(SIGNALS.all)}
NONE = np.zeros(len(SIGNALS))
ROWS = 5_000.0


def live(**means: float) -> Normal:
    mean = SIGNALS.mean.copy()
    for name, value in means.items():
        mean[AT[name]] = value
    return Normal(mean, np.full(len(SIGNALS), ROWS))


def test_a_live_mean_that_chance_explains_is_of_the_rows_of_both():
    normal = adopted(SIGNALS, live(location=0.02), np.ones(len(SIGNALS)))
    assert normal.mean[AT["location"]] == pytest.approx(0.005)
    assert normal.rows[AT["location"]] == ROWS + REFERENCE_ROWS


def test_a_live_mean_that_chance_does_not_explain_is_of_live_rows_alone():
    normal = adopted(SIGNALS, live(location=0.1, null=0.05), np.ones(len(SIGNALS)))
    assert normal.mean[AT["location"]] == 0.1
    assert normal.mean[AT["null"]] == 0.05
    assert set(normal.rows[[AT["location"], AT["null"]]]) == {ROWS}


def test_a_live_mean_that_chance_may_just_explain_is_of_both_and_borne_as_far_as_the_live_one():
    """Of a hundred signals the unluckiest is three errors off: its burn-in alone would be wrong."""
    normal = adopted(SIGNALS, live(location=0.05), np.ones(len(SIGNALS)))
    assert normal.mean[AT["location"]] == pytest.approx(0.0125)
    tolerated = REFERENCE_ERRORS / np.sqrt(normal.rows[AT["location"]])
    assert tolerated == pytest.approx(0.05 - 0.0125)


@pytest.mark.parametrize(("errors", "whose"), [(1.9, "both"), (3.9, "both"), (4.1, "live"), (6.0, "live")])
@pytest.mark.parametrize("inflation", [1.0, 19.0])
def test_how_many_errors_apart_chance_explains(errors: float, whose: str, inflation: float):
    off = errors * np.sqrt(inflation * (1 / ROWS + 1 / REFERENCE_ROWS))
    mean = adopted(SIGNALS, live(location=off), np.full(len(SIGNALS), inflation)).mean[AT["location"]]
    assert mean == pytest.approx(off if whose == "live" else off / 4)


def test_dependent_rows_explain_more_by_chance():
    normal = adopted(SIGNALS, live(location=0.1), np.full(len(SIGNALS), 19.0))
    assert normal.rows[AT["location"]] == ROWS + REFERENCE_ROWS


def test_the_largest_excursion_of_chance_widens_no_gate_and_a_larger_one_does():
    chance = noise(SIGNALS, SIGNALS.mean, np.full(len(SIGNALS), 512.0), np.ones(len(SIGNALS)))
    assert chance[AT["location"]] == pytest.approx(2.5 / np.sqrt(512))
    by_chance = calibrated_gate(SIGNALS, SIGNALS.mean, chance, chance)
    assert by_chance[AT["location"]] == SHIFT.ticket
    assert calibrated_gate(SIGNALS, SIGNALS.mean, NONE + 0.4, NONE)[AT["location"]] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("share", "gate"), [(0.0, RARE.ticket), (0.01, 0.0149), (0.1, LEVEL.ticket), (0.5, LEVEL.ticket)]
)
def test_half_a_point_of_nulls_is_much_where_there_are_none_and_little_where_they_are_many(
    share: float, gate: float
):
    assert SIGNALS.gates(live(null=share).mean)[AT["null"]] == pytest.approx(gate, rel=0.01)
