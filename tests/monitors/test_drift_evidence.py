"""Windows, baselines and gates of one model's signals: what burn-in makes of them."""

import numpy as np
import pytest

from sidecar.monitors.drift_evidence import Evidence
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_signals import SHIFT, Signals
from tests.monitors import drift_streams as streams

GIVEN = streams.reference(streams.draw("normal", 15_000, 2, 0))
LAYOUT = DriftLayout(GIVEN)
SIGNALS = Signals(LAYOUT)
AT = {f"{signal.name} {signal.signal}": at for at, signal in enumerate(SIGNALS.all)}
LOCATION, NULL = AT["f0 location"], AT["f0 null"]
NOBODY = np.zeros(len(SIGNALS), dtype=bool)
BURN_IN = 80


def seen(f0: np.ndarray, nulls: np.ndarray | None = None, held: np.ndarray = NOBODY) -> Evidence:
    """What is known after as many batches of f0; f1 is as its reference."""
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    rows = streams.draw("normal", len(f0), 2, 3)
    counts = LAYOUT.count(streams.batch(rows, f0=streams.column("f0", f0, nulls)), [64] * (len(f0) // 64))
    for at, batch in enumerate(counts):
        evidence.update(batch)
        if at + 1 == BURN_IN:
            evidence.settle(held)
    return evidence


def normal(rows: int = 64 * BURN_IN, seed: int = 1) -> np.ndarray:
    return streams.draw("normal", rows, 1, seed)[:, 0]


def autoregressive(phi: float, seed: int = 1) -> np.ndarray:
    noise = normal(seed=seed) * np.sqrt(1 - phi**2)
    for at in range(1, len(noise)):
        noise[at] += phi * noise[at - 1]
    return noise


def test_traffic_unlike_the_reference_becomes_the_baseline():
    evidence = seen(normal() + 0.4, np.random.default_rng(1).random(64 * BURN_IN) < 0.1)
    assert evidence.baseline[LOCATION] == pytest.approx(0.4, abs=0.05)
    assert evidence.baseline[NULL] == pytest.approx(0.1, abs=0.01)
    assert evidence.beyond_gate().sum() == 0


def test_what_is_under_a_verdict_keeps_the_reference():
    held = NOBODY.copy()
    held[LOCATION] = True
    evidence = seen(normal() + 0.4, held=held)
    assert evidence.baseline[LOCATION] == 0.0
    assert evidence.beyond_gate()[LOCATION]


def test_batches_that_are_severely_off_teach_nothing():
    rows = normal()
    rows[:640] += 4.0
    assert seen(rows).baseline[LOCATION] == pytest.approx(0.0, abs=0.05)


def test_independent_rows_keep_the_gate_and_a_slow_rhythm_widens_it():
    assert seen(normal()).gate[LOCATION] == SHIFT.ticket
    wave = 0.5 * np.sin(np.linspace(0, 2 * np.pi, 64 * BURN_IN))
    assert seen(normal() + wave).gate[LOCATION] > 0.5


def test_dependent_rows_are_chance_and_no_rhythm():
    gates = [seen(autoregressive(0.9, seed)).gate[LOCATION] for seed in range(5)]
    assert np.median(gates) < 0.35
    assert seen(autoregressive(0.9)).inflation(LOCATION) > 12


def test_nulls_that_were_there_from_the_first_row_are_no_break_and_more_of_them_later_are():
    rng = np.random.default_rng(4)
    share = np.where(np.arange(64 * BURN_IN) < 64 * 60, 0.1, 0.6)
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    rows, won = normal(), []
    nulls = rng.random(len(rows)) < share
    batch = streams.batch(streams.draw("normal", len(rows), 2, 3), f0=streams.column("f0", rows, nulls))
    for at, counts in enumerate(LAYOUT.count(batch, [64] * BURN_IN)):
        evidence.update(counts)
        won += [(at, signal) for signal in evidence.bets.severe(18.0)]
    assert won
    assert 60 <= won[0][0] < 63
    assert {signal for _, signal in won} == {NULL}


def test_nulls_that_come_during_burn_in_are_a_break():
    nulls = np.random.default_rng(4).random(64 * BURN_IN) < 0.2
    nulls[: 64 * 20] = False
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    batch = streams.batch(
        streams.draw("normal", 64 * BURN_IN, 2, 3), f0=streams.column("f0", normal(), nulls)
    )
    won = []
    for counts in LAYOUT.count(batch, [64] * BURN_IN)[:30]:
        evidence.update(counts)
        won += evidence.bets.severe(18.0)
    assert NULL in won


def test_a_change_must_show_in_three_batches():
    for size, spread in ((1, False), (2, False), (3, True)):
        nulls = np.zeros(64 * (BURN_IN + 8), dtype=bool)
        nulls[-64 * size :: 4] = True
        burst = seen(normal(len(nulls)), nulls)
        assert (burst.beyond_gate()[NULL], burst.spread(NULL)) == (True, spread)


@pytest.mark.parametrize(("values", "says"), [(7, False), (8, True)])
def test_of_fewer_than_eight_values_a_batch_says_nothing(values: int, says: bool):
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    for counts in LAYOUT.count(streams.batch(streams.draw("normal", 8 * values, 2, 3)), [values] * 8):
        evidence.update(counts)
    assert np.isfinite(evidence.recent[LOCATION]) == says


def test_a_break_is_bet_on_from_the_ninth_batch():
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    rows = streams.draw("normal", 64 * 10, 2, 3)
    rows[:, 0] += 5.0
    won = []
    for at, counts in enumerate(LAYOUT.count(streams.batch(rows), [64] * 10)):
        evidence.update(counts)
        won += [at for signal in evidence.bets.severe(18.0) if SIGNALS.all[signal].name == "f0"]
    assert won[0] == 8


@pytest.mark.parametrize(("off", "baseline"), [(0.8, 0.4), (1.6, 0.0)])
def test_batches_that_are_a_break_beyond_chance_teach_nothing(off: float, baseline: float):
    """A break is .75 deviations; three standard errors of 64 rows are .375 more."""
    rows = normal()
    rows.reshape(BURN_IN, 64)[::2] += off
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    batch = streams.batch(streams.draw("normal", len(rows), 2, 3), f0=streams.column("f0", rows))
    for counts in LAYOUT.count(batch, [64] * BURN_IN):
        evidence.update(counts)
    evidence.settle(NOBODY)
    assert evidence.baseline[LOCATION] == pytest.approx(baseline, abs=0.1)


@pytest.mark.parametrize(("share", "teaches"), [(0.06, True), (0.16, False)])
def test_batches_with_ten_points_of_new_nulls_teach_nothing(share: float, teaches: bool):
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    every = round(1 / share)
    nulls = np.arange(64 * BURN_IN) % every == 0
    nulls[: 64 * 16] = False  # what is there in the first batches is borne
    batch = streams.batch(
        streams.draw("normal", len(nulls), 2, 3), f0=streams.column("f0", normal(len(nulls)), nulls)
    )
    for counts in LAYOUT.count(batch, [64] * BURN_IN):
        evidence.update(counts)
    assert (evidence._burn_mean()[NULL] > 0.04) == teaches


@pytest.mark.parametrize(("share", "borne"), [(0.4, True), (0.6, False)])
def test_nulls_of_more_than_half_of_the_rows_are_a_break_even_from_the_start(share: float, borne: bool):
    nulls = np.random.default_rng(4).random(64 * 20) < share
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    batch = streams.batch(
        streams.draw("normal", len(nulls), 2, 3), f0=streams.column("f0", normal(len(nulls)), nulls)
    )
    won = []
    for counts in LAYOUT.count(batch, [64] * 20):
        evidence.update(counts)
        won += evidence.bets.severe(18.0)
    assert (NULL not in won) == borne


def test_what_yesterday_may_explain_is_calm():
    evidence = seen(normal())
    evidence.recent[LOCATION], evidence.gate[LOCATION] = 0.45, 0.55
    assert not evidence.calm()[LOCATION]
    evidence._slack[LOCATION] = 0.4
    assert evidence.calm()[LOCATION]


def test_hours_that_are_over_when_burn_in_is_are_borne_at_once():
    evidence = Evidence(LAYOUT, SIGNALS, BURN_IN)
    at = np.arange(64 * BURN_IN) / (64 * BURN_IN) * 6 * 3600
    rows = streams.draw("normal", len(at), 2, 3)
    rows[:, 0] += 0.5 * np.sin(2 * np.pi * at / 86_400)
    for batch, counts in enumerate(LAYOUT.count(streams.batch(rows), [64] * BURN_IN)):
        evidence.update(counts, wall=float(at[64 * batch]))
    evidence.settle(NOBODY)
    furthest = evidence.baseline[LOCATION] - 0.06  # of the first hour
    assert evidence.gate[LOCATION] > SHIFT.ticket + 1.4 * furthest


def test_a_bin_that_was_as_full_in_a_past_hour_is_not_stuck():
    half = np.where(np.arange(640) % 2, normal(640, 7), 0.3)
    rows = streams.draw("normal", 640, 2, 8)
    counts = LAYOUT.count(streams.batch(rows, f0=streams.column("f0", half)), [64] * 10)
    column = LAYOUT.columns[0]
    won = {}
    for share in (0.0, 0.6):
        evidence = seen(normal())
        evidence.seasons.fullest[column.start : column.start + column.binning.values] = share
        evidence._bet()
        for batch in counts:
            evidence.update(batch)
        won[share] = [SIGNALS.all[at].signal for at in evidence.bets.severe(18.0)]
    assert "stuck" in won[0.0]
    assert "stuck" not in won[0.6]
