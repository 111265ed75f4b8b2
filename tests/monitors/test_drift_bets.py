"""The bets behind pages: what they are worth in control, after a break, and what a page is told it needs."""

from math import log

import numpy as np
import pytest

from sidecar.monitors.drift_bets import Bets, _upper
from sidecar.monitors.drift_budget import BatchRate, evidence_needed
from sidecar.monitors.drift_evidence import Evidence
from sidecar.monitors.drift_inflation import noise_inflation, variance_inflation
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_pace import OFFLINE, Pace
from sidecar.monitors.drift_signals import Signals
from tests.monitors import drift_streams as streams

GIVEN = streams.reference(streams.draw("normal", 15_000, 3, 0))
LAYOUT = DriftLayout(GIVEN)
SIGNALS = Signals(LAYOUT)
ROWS = 64


def counts(rows: np.ndarray) -> np.ndarray:
    """Bins of consecutive micro-batches."""
    return LAYOUT.count(streams.batch(rows), [ROWS] * (len(rows) // ROWS))


def bets(inflation: float = 1.0) -> Bets:
    fresh = Bets(LAYOUT, SIGNALS)
    known = np.full(len(SIGNALS), 15_000.0)
    stretch = np.full(len(SIGNALS), inflation)
    fresh.calibrate(SIGNALS.mean, SIGNALS.shares_of_values, known, stretch, np.zeros(len(SIGNALS)))
    return fresh


def play(fresh: Bets, rows: np.ndarray, needed: float = 24.0, most: float = np.inf) -> list[tuple[int, str]]:
    """(batch, signal) of what was won."""
    won = []
    for at, batch in enumerate(counts(rows)):
        fresh.update(*SIGNALS.sums(batch), batch, most)
        won += [(at, SIGNALS.all[signal].signal) for signal in fresh.severe(needed)]
    return won


def changed(rows: int, change) -> np.ndarray:
    drawn = streams.draw("normal", rows, 3, 5)
    drawn[:, 0] = change(drawn[:, 0])
    return drawn


def test_psi_is_the_logarithm_of_the_expected_factor_of_a_row():
    at = next(i for i, s in enumerate(SIGNALS.all) if s.signal == "location")
    column = LAYOUT.columns[0]
    shares = LAYOUT.shares[column.start : column.start + column.binning.values]
    one_row_each = np.zeros((column.binning.values, LAYOUT.size), dtype=np.int64)
    one_row_each[np.arange(column.binning.values), column.start + np.arange(column.binning.values)] = 1
    scores = np.array([SIGNALS.sums(row)[0][at] for row in one_row_each])
    for tilt in (-1.5, 0.6, 1.0):
        assert SIGNALS.psi(at, [tilt])[0] == pytest.approx(log(shares @ np.exp(tilt * scores)), abs=1e-3)


def test_stakes_stay_small_in_control_and_their_mean_is_no_more_than_the_batches_played():
    fresh = bets()
    assert play(fresh, streams.draw("normal", 64_000, 3, 9), needed=log(1000)) == []
    assert fresh.gradual() < log(1000)


@pytest.mark.parametrize(
    ("change", "signals"),
    [
        (lambda x: x + 2, {"location"}),
        (lambda x: x * 1000, {"scale"}),
        (lambda x: x * 0 + 5, {"location", "scale"}),
        (lambda x: x * 0 + 0.3, {"stuck", "scale"}),
    ],
    ids=["two deviations", "another unit", "far constant", "constant within"],
)
def test_a_break_is_won_by_one_batch_and_blamed_on_what_moved(change, signals: set[str]):
    batch, signal = play(bets(), changed(640, change))[0]
    assert (batch, signal in signals) == (0, True)


def test_half_a_deviation_is_never_a_break_but_backs_a_ticket():
    fresh = bets()
    assert play(fresh, changed(6_400, lambda x: x + 0.5)) == []
    assert fresh.gradual() > 24


def test_one_batch_of_few_requests_never_wins_alone():
    rows = changed(64, lambda x: x + 5)
    assert play(bets(), rows, needed=24.0, most=12.0) == []
    assert play(bets(), np.vstack([rows] * 3), needed=24.0, most=12.0) != []


def test_dependent_rows_win_less():
    rows = changed(640, lambda x: x + 1)
    assert play(bets(), rows)[0][0] < 4
    assert play(bets(inflation=19.0), rows) == []


def test_a_baseline_known_from_few_rows_is_no_evidence_against_the_rest():
    fresh, poorly = bets(), Bets(LAYOUT, SIGNALS)
    few, ones = np.full(len(SIGNALS), 200.0), np.ones(len(SIGNALS))
    poorly.calibrate(SIGNALS.mean, SIGNALS.shares_of_values, few, ones, np.zeros(len(SIGNALS)))
    rows = changed(12_800, lambda x: x + 0.14)  # two standard errors of 200 rows
    play(fresh, rows)
    play(poorly, rows)
    assert fresh.gradual() > 24
    assert poorly.gradual() < 9


def test_no_null_in_a_few_rows_is_no_proof_that_there_are_none():
    upper = _upper(np.array([0.0, 0.0, 0.3]), np.array([1_000.0, 20_000.0, 1e9]))
    assert upper == pytest.approx([0.004, 0.0002, 0.3], rel=0.02)


def test_a_percent_of_nulls_is_certain_within_a_few_hundred_rows():
    fresh, rng = bets(), np.random.default_rng(2)
    rows = streams.draw("normal", 960, 3, 5)
    nulls = rng.random(960) < 0.01
    batch = streams.batch(rows, f0=streams.column("f0", rows[:, 0], nulls))
    null = next(at for at, s in enumerate(SIGNALS.all) if (s.name, s.signal) == ("f0", "null"))
    found = []
    for at, bins in enumerate(LAYOUT.count(batch, [64] * 15)):
        fresh.update(*SIGNALS.sums(bins), bins, np.inf)
        found += [at for signal in fresh.backed(log(100_000)) if signal == null]
    assert found
    assert nulls[: 64 * (found[0] + 1)].sum() <= 7


def test_every_batch_is_bet_on_anew():
    fresh = bets()
    play(fresh, streams.draw("normal", 64_000, 3, 9), needed=np.inf)  # a stake bet only once is lost by now
    assert play(fresh, changed(640, lambda x: x + 1))[0][0] < 4


def test_a_model_of_many_columns_needs_more_of_each():
    fresh = bets()
    play(fresh, changed(640, lambda x: x + 0.8), needed=np.inf)
    most = fresh._severe.together()
    assert fresh.severe(most - 0.5) == []
    backed = fresh.evidence(0)  # of three columns: ln 3 nats more
    assert (fresh.backed(backed - 1.0), len(fresh.backed(backed - 1.2))) == ([], 1)


def test_a_value_that_nearly_all_rows_have_anyway_is_no_break():
    rows = np.zeros((15_000, 1))
    given = streams.reference(rows)
    layout = DriftLayout(given)
    evidence = Evidence(layout, Signals(layout), 80)
    for batch in layout.count(streams.batch(rows[:12_800]), [64] * 200):
        evidence.update(batch)
    assert evidence.bets.severe(12.0) == []


def test_saved_stakes_go_on_and_others_are_refused():
    fresh, again = bets(), bets()
    play(fresh, changed(640, lambda x: x + 0.8), needed=np.inf)
    again.restore(fresh.state())
    assert again.gradual() == fresh.gradual()
    for wrong in (fresh.state()[1:], np.full_like(fresh.state(), np.nan)):
        with pytest.raises(ValueError, match="other bets"):
            again.restore(wrong)


def autoregressive(phi: float, batches: int, signals: int) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(batches * 64, signals)) * np.sqrt(1 - phi**2)
    for at in range(1, len(noise)):
        noise[at] += phi * noise[at - 1]
    return noise.reshape(batches, 64, signals).sum(axis=1) / 8


def test_inflation_is_near_1_for_independent_rows_and_near_19_for_an_autoregression_of_9_tenths():
    assert np.mean(variance_inflation(autoregressive(0.0, 80, 100))) < 1.1
    assert 15 < np.median(variance_inflation(autoregressive(0.9, 80, 100))) < 30


def test_noise_is_what_neighbours_differ_by_and_no_rhythm():
    scores = autoregressive(0.0, 80, 100) + 4.0 * np.sin(np.linspace(0, np.pi / 2, 80))[:, None]
    assert np.median(variance_inflation(scores)) > 5
    assert np.median(noise_inflation(scores)) < 1.2
    assert 12 < np.median(noise_inflation(autoregressive(0.9, 80, 100))) < 25
    assert noise_inflation(np.empty((0, 2))).tolist() == [1.0, 1.0]


def test_a_break_among_the_first_batches_hardly_inflates():
    scores = np.random.default_rng(1).normal(size=(80, 50))
    scores[40:44] += 16.0
    assert np.max(variance_inflation(scores)) < 6


def test_inflation_of_what_was_never_seen_is_1():
    assert variance_inflation(np.full((80, 2), np.nan)).tolist() == [1.0, 1.0]
    assert variance_inflation(np.empty((0, 2))).tolist() == [1.0, 1.0]


def test_a_rarer_page_and_more_batches_need_more_evidence():
    assert evidence_needed(1e6, 1.0) == pytest.approx(log(2e6))
    assert evidence_needed(1e6, 0.01) < evidence_needed(1e6, 1.0) < evidence_needed(1e7, 1.0)


def test_the_rate_is_the_highest_possible_until_an_hour_was_seen():
    rate = BatchRate()
    for at in range(0, 3_590, 10):
        rate.count(float(at))
    assert rate.a_second(Pace(), 3_599.0) == 1.0
    rate.count(3_600.0)
    assert rate.a_second(Pace(), 3_600.0) == pytest.approx(0.1, rel=0.01)
    assert rate.a_second(OFFLINE, 3_600.0) == 1.0
    assert BatchRate(72_000, 0.0).a_second(Pace(), 7_200.0) == 1.0  # as many as a pace allows


def test_the_rate_of_long_ago_fades():
    rate = BatchRate()
    for at in range(0, 40 * 86_400, 600):
        rate.count(float(at))
    assert rate.a_second(Pace(), 40 * 86_400.0) == pytest.approx(1 / 600, rel=0.01)
    assert 7 * 144 - 2 < rate.batches < 14 * 144 + 2
