"""How many batches a change of a correlation takes to be certain, without noise, and how far it must go.

In burn-in z goes to and fro by one standard error of 64 rows, as that of independent rows; then it stays.
"""

from math import log

import numpy as np
import pytest

from sidecar.monitors.drift_pairs import PairEvidence

ROWS, BURN_IN = 64, 80
ERROR = 1 / np.sqrt(ROWS - 3)
CERTAIN = log(100_000)
FREE = np.ones(2, bool)


def known(usual: float = 0.0, wave: float = 0.0) -> PairEvidence:
    """A pair past its burn-in, in which z may have had a slow wave of its own."""
    evidence = PairEvidence(2, BURN_IN)
    for batch in range(BURN_IN):
        slow = wave * np.sin(2 * np.pi * batch / BURN_IN)
        stay(evidence, usual + slow + ERROR * (-1) ** batch)
    assert evidence.settled
    return evidence


def stay(evidence: PairEvidence, z: float, rows: int = ROWS) -> None:
    evidence.take(np.array([z], np.float32), rows, FREE)


def batches(change: float, rows: int) -> float:
    """Until it is certain; infinite past a thousand."""
    evidence = known()
    for batch in range(1, 1_001):
        stay(evidence, change, rows)
        if evidence.evidence() >= CERTAIN:
            return batch
    return np.inf


@pytest.mark.parametrize(
    ("change", "rows", "expected"),
    [
        (0.1, 64, np.inf),
        (0.16, 64, 180),
        (0.2, 64, 29),
        (0.3, 64, 10),
        (0.4, 16, 20),
        (0.7, 16, 7),
        (1.4, 16, 2),
    ],
)
def test_a_correlation_that_moves_is_certain_the_sooner_the_further(
    change: float, rows: int, expected: float
):
    assert batches(change, rows) == batches(-change, rows) == expected


@pytest.mark.parametrize(
    ("usual", "change", "beyond"),
    [
        (0.0, 0.28, False),  # less than .3 in z
        (0.0, 0.32, True),
        (0.7, 0.32, True),  # r from .604 to .770
        (0.9, 0.32, False),  # from .716 to .840, which is .124
    ],
)
def test_a_change_must_matter_in_z_and_in_r(usual: float, change: float, beyond: bool):
    evidence = known(usual)
    for _ in range(8):
        stay(evidence, usual + change)
    assert evidence.beyond_gate(0) == beyond


def test_what_burn_in_did_by_itself_is_borne_and_a_quarter_more():
    assert known().gate[0] == pytest.approx(0.3)
    largest = np.convolve(np.sin(2 * np.pi * np.arange(BURN_IN) / BURN_IN), np.full(8, 1 / 8), "valid").max()
    assert known(wave=0.6).gate[0] == pytest.approx(1.25 * 0.6 * largest, rel=0.02)


@pytest.mark.parametrize(("rows", "heard"), [(15, 0), (16, 1)])
def test_fewer_than_sixteen_rows_say_nothing(rows: int, heard: int):
    evidence = PairEvidence(2, BURN_IN)
    evidence.update(np.random.default_rng(1).normal(size=(rows, 2)).astype(np.float32), FREE)
    assert evidence.batches == heard
