"""Correlations of batches, and what is bet on them."""

import numpy as np
import pytest

from sidecar.monitors.drift_pairs import GATE_Z, PairEvidence, fisher

FIRST, SECOND = np.array([0], np.int32), np.array([1], np.int32)
FREE = np.ones(2, bool)


def pair(rng: np.random.Generator, rows: int, r: float) -> np.ndarray:
    one, other = rng.normal(size=(2, rows))
    return np.column_stack([one, r * one + np.sqrt(1 - r * r) * other]).astype(np.float32)


def settled(r: float, rows: int = 64) -> tuple[PairEvidence, np.random.Generator]:
    rng, evidence = np.random.default_rng(1), PairEvidence(2, 80)
    for _ in range(80):
        evidence.update(pair(rng, rows, r), FREE)
    assert evidence.settled
    return evidence, rng


@pytest.mark.parametrize("r", [-0.9, -0.3, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("rows", [16, 64, 256])
def test_z_has_the_mean_and_the_variance_that_fisher_says(r: float, rows: int):
    rng = np.random.default_rng(2)
    found = [float(fisher(pair(rng, rows, r), FIRST, SECOND)[0]) for _ in range(2_000)]

    assert np.mean(found) == pytest.approx(np.arctanh(r), abs=0.02)
    assert np.var(found) * (rows - 3) == pytest.approx(1, abs=0.12)


def test_a_shift_and_a_factor_change_no_correlation():
    scores = pair(np.random.default_rng(3), 64, 0.6)

    assert fisher(scores * 7 + [3, -5], FIRST, SECOND)[0] == pytest.approx(
        fisher(scores, FIRST, SECOND)[0], abs=1e-4
    )


def test_what_is_not_known_is_left_out_pair_by_pair():
    scores = np.column_stack([pair(np.random.default_rng(4), 200, 0.7), np.full(200, np.nan)])
    holes = scores.copy()
    holes[::2, 0] = np.nan

    z = fisher(holes.astype(np.float32), np.array([0, 0], np.int32), np.array([1, 2], np.int32))
    assert z[0] == pytest.approx(fisher(scores[1::2].astype(np.float32), FIRST, SECOND)[0], abs=0.1)
    assert np.isnan(z[1])


def test_constants_and_few_rows_have_no_correlation_and_identical_columns_a_finite_one():
    rng = np.random.default_rng(5)
    same = rng.normal(size=64).astype(np.float32)

    assert np.isnan(fisher(np.column_stack([same, np.ones(64)]).astype(np.float32), FIRST, SECOND)[0])
    assert 2.5 < fisher(np.column_stack([same, same]), FIRST, SECOND)[0] < 3
    few = np.full((64, 2), np.nan, np.float32)
    few[:10] = pair(rng, 10, 0.5)
    assert np.isnan(fisher(few, FIRST, SECOND)[0])


def test_burn_in_learns_what_is_usual():
    evidence, _ = settled(0.8)

    assert evidence.correlations(0)[0] == pytest.approx(0.8, abs=0.03)
    assert evidence.gate[0] == pytest.approx(GATE_Z)
    assert evidence.evidence() < 0


def test_stakes_stay_low_in_control_and_rise_when_the_pair_comes_apart():
    evidence, rng = settled(0.8)
    for _ in range(2_000):
        evidence.update(pair(rng, 64, 0.8), FREE)
    assert evidence.evidence() < 9
    assert not evidence.beyond_gate(0)

    for _ in range(3):
        evidence.update(pair(rng, 64, 0.0), FREE)
    assert evidence.evidence() > 20
    assert evidence.foremost(5) == [0]
    assert evidence.beyond_gate(0)
    assert evidence.spread(0)
    assert evidence.lasting(0) == 3
    before, after = evidence.correlations(0)
    assert before == pytest.approx(0.8, abs=0.03)
    assert after == pytest.approx(0, abs=0.25)


def test_a_single_odd_batch_is_never_beyond_the_gate():
    evidence, rng = settled(0.0, rows=256)
    evidence.update(pair(rng, 256, 0.99), FREE)

    assert not evidence.spread(0)


def test_a_medium_difference_of_two_tight_correlations_does_not_matter():
    evidence, rng = settled(0.98, rows=256)
    for _ in range(40):
        evidence.update(pair(rng, 256, 0.93), FREE)

    assert evidence.evidence() > 20
    assert abs(evidence.moved()[0]) > GATE_Z
    assert not evidence.beyond_gate(0)


def test_of_columns_that_are_not_free_nothing_is_bet_and_nothing_learnt():
    evidence, rng = settled(0.8)
    for _ in range(10):
        evidence.update(pair(rng, 64, 0.0), np.array([False, True]))
    assert evidence.evidence() < 0
    assert not evidence.beyond_gate(0)

    fresh = PairEvidence(2, 80)
    for at in range(80):
        fresh.update(pair(rng, 64, 0.8 if at % 2 else -0.8), np.array([True, bool(at % 2)]))
    assert fresh.correlations(0)[0] == pytest.approx(0.8, abs=0.03)


def test_dependent_rows_count_for_fewer():
    rng, evidence = np.random.default_rng(6), PairEvidence(2, 80)
    for _ in range(80):  # every row four times
        evidence.update(np.repeat(pair(rng, 16, 0.5), 4, axis=0), FREE)

    assert 3 < evidence._inflation[0] < 8


def test_stakes_have_a_ceiling_and_come_down_again():
    evidence, rng = settled(0.9)
    for _ in range(500):
        evidence.update(pair(rng, 64, -0.9), FREE)
    assert 50 < evidence.evidence() < 70
    for _ in range(200):
        evidence.update(pair(rng, 64, 0.9), FREE)
    assert evidence.evidence() < 9
    assert evidence.calm(0)


def test_a_single_bet_gains_no_more_than_it_may():
    evidence, rng = settled(0.0)
    evidence.update(pair(rng, 64, 0.99), FREE, most=2.0)

    assert evidence.evidence() < 3


def test_what_is_below_the_tolerance_is_never_bet_on():
    evidence, rng = settled(0.0)
    for _ in range(1_500):
        evidence.update(pair(rng, 64, 0.1), FREE)

    assert evidence.evidence() < 9


def test_what_was_bet_on_a_pair_is_returned_when_one_of_it_is_not_free():
    evidence, rng = settled(0.8)
    for _ in range(3):
        evidence.update(pair(rng, 64, 0.0), FREE)
    assert evidence.evidence() > 20
    evidence.update(pair(rng, 64, 0.0), np.array([True, False]))

    assert evidence.evidence() < 0


@pytest.mark.parametrize("batches", [30, 120])
def test_it_goes_on_from_its_state(batches: int):
    rng, evidence = np.random.default_rng(7), PairEvidence(3, 80)
    free = np.ones(3, bool)
    for _ in range(batches):
        evidence.update(rng.normal(size=(64, 3)).astype(np.float32), free)
    other = PairEvidence(3, 80)
    other.restore(evidence.batches, evidence.state())
    for _ in range(100):
        scores = rng.normal(size=(64, 3)).astype(np.float32)
        evidence.update(scores, free)
        other.update(scores, free)

    assert other.evidence() == evidence.evidence()
    assert all(np.array_equal(value, other.state()[name]) for name, value in evidence.state().items())


def test_the_state_of_other_columns_is_refused():
    state = PairEvidence(4, 80).state()
    with pytest.raises(ValueError, match="other columns"):
        PairEvidence(3, 80).restore(0, state)
    with pytest.raises(ValueError, match="other columns"):
        PairEvidence(4, 80).restore(80, state)  # settled, but with a history


def test_without_columns_there_is_nothing_to_say():
    for columns in (0, 1):
        evidence = PairEvidence(columns, 80)
        evidence.update(np.zeros((64, columns), np.float32), np.ones(columns, bool))
        assert evidence.evidence() < 0
        assert evidence.foremost(5) == []


def test_what_burn_in_needed_is_given_back_when_it_is_over():
    evidence, _ = settled(0.3)
    assert evidence._history.base is None and evidence._history.nbytes == 0
