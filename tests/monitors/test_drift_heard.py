"""What detectors hear: scores around what is normal, now and of what they heard before."""

import numpy as np
import pytest

from sidecar.monitors.detectors import MAX_SCORE
from sidecar.monitors.drift_heard import HISTORY_BATCHES, Heard
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_signals import Signals
from tests.monitors import drift_streams as streams

SIGNALS = Signals(DriftLayout(streams.reference(streams.draw("normal", 15_000, 2, 0))))
AT = {f"{signal.name} {signal.signal}": at for at, signal in enumerate(SIGNALS.all)}
NULL, LOCATION = AT["f0 null"], AT["f0 location"]
TOLD = np.ones(len(SIGNALS), dtype=bool)
ROWS = np.full(len(SIGNALS), 64.0)


def sums(null: float) -> np.ndarray:
    total = SIGNALS.mean * 64
    total[NULL] = null * 64
    return total


def after_burn_in(null: float = 0.1, adopt: float = 0.1) -> Heard:
    heard = Heard(SIGNALS, 80, remember=True)
    rng = np.random.default_rng(1)
    for batch in range(80):
        total = sums(0.0)
        total[NULL] = rng.binomial(64, null)
        heard.update(batch, heard.score(total, ROWS), TOLD, 64.0)
    baseline = SIGNALS.mean.copy()
    baseline[NULL] = adopt
    heard.standardise(baseline, 80, 80 * ROWS)
    return heard


def test_a_tenth_of_nulls_saturates_before_it_is_normal_and_is_0_afterwards():
    heard = Heard(SIGNALS, 80, remember=True)
    assert heard.score(sums(0.1), ROWS)[NULL] > MAX_SCORE
    assert after_burn_in().score(sums(0.1), ROWS)[NULL] == pytest.approx(0.0)
    assert after_burn_in().score(sums(0.25), ROWS)[NULL] == pytest.approx(0.15 * 8 / 0.3)


def test_what_was_heard_before_is_as_if_it_had_been_scored_so_from_the_beginning():
    scores = after_burn_in().last(80, SIGNALS.mean + np.where(np.arange(len(SIGNALS)) == NULL, 0.1, 0))
    assert np.mean(scores[:, NULL]) == pytest.approx(0.0, abs=0.35)
    assert np.std(scores[:, NULL]) == pytest.approx(1.0, abs=0.2)


def test_a_rise_of_what_was_never_rare_is_heard():
    heard, found = after_burn_in(), []
    rng = np.random.default_rng(2)
    for batch in range(80, 200):
        total = sums(0.0)
        total[NULL] = rng.binomial(64, 0.1 if batch < 140 else 0.22)
        found += [(batch, at) for at in heard.update(batch, heard.score(total, ROWS), TOLD, 64.0)]
    assert found
    assert {at for _, at in found} == {NULL}
    assert 140 <= found[0][0] < 155


def test_a_signal_that_said_nothing_and_nan_change_nothing():
    heard = after_burn_in()
    none = TOLD.copy()
    none[LOCATION] = False
    scores = heard.score(sums(0.1), ROWS)
    scores[LOCATION] = 25.0
    scores[NULL] = np.nan
    for batch in range(80, 300):
        assert heard.update(batch, scores, none, 64.0) == []
    assert np.isnan(heard.last(300, SIGNALS.mean)[-1, [LOCATION, NULL]]).all()


def test_the_last_scores_come_oldest_first_when_more_were_heard_than_are_kept():
    heard = Heard(SIGNALS, 80, remember=True)
    for batch in range(HISTORY_BATCHES + 10):
        heard.update(batch, np.full(len(SIGNALS), batch / 1000), TOLD, 64.0)
    kept = heard.last(HISTORY_BATCHES + 10, SIGNALS.mean)[:, LOCATION]
    assert kept[[0, -1]] == pytest.approx([0.010, (HISTORY_BATCHES + 9) / 1000])


def test_correlation_is_of_burn_in_and_0_while_there_is_little_of_it():
    heard = Heard(SIGNALS, 80, remember=True)
    rng = np.random.default_rng(1)
    for batch in range(80):
        scores = np.zeros(len(SIGNALS))
        scores[[LOCATION, AT["f1 location"]]] = rng.normal()
        heard.keep(batch, scores)
    assert heard.correlation(0, 1, 80) == pytest.approx(1.0)
    assert heard.correlation(0, 1, 7) == 0.0
    assert Heard(SIGNALS, 80, remember=True).correlation(0, 1, 80) == 0.0
