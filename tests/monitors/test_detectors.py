"""What the one door to river promises, whatever river does."""

import subprocess
import sys

import numpy as np
import pytest

from sidecar.monitors import detectors
from sidecar.monitors.detectors import ChangeDetector, ChangeDetectors


def first_change(detector: ChangeDetector, scores: np.ndarray) -> int | None:
    return next((i for i, score in enumerate(scores) if detector.update(float(score))), None)


def scores(mean: float, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1.0, count)


def test_a_change_of_the_mean_is_found():
    detector = ChangeDetector()
    assert first_change(detector, scores(0.0, 300)) is None
    assert first_change(detector, scores(4.0, 20)) is not None


def test_scores_that_do_not_change_raise_nothing():
    assert first_change(ChangeDetector(), scores(0.0, 20_000)) is None


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_never_blinds_it(poison: float):
    detector = ChangeDetector()
    first_change(detector, scores(0.0, 300))
    assert detector.update(poison) is False
    assert first_change(detector, scores(4.0, 20)) is not None


def test_one_enormous_score_is_neither_a_change_nor_a_blindfold():
    detector = ChangeDetector()
    first_change(detector, scores(0.0, 300))
    assert detector.update(1e9) is False
    assert first_change(detector, scores(0.0, 100, seed=2)) is None
    assert first_change(detector, scores(4.0, 40)) is not None


def test_a_second_change_is_found_after_the_first():
    detector = ChangeDetector()
    assert first_change(detector, np.concatenate([scores(0.0, 100), scores(5.0, 20)])) is not None
    first_change(detector, scores(5.0, 100, seed=3))
    assert first_change(detector, scores(0.0, 30)) is not None


def test_the_public_class_of_river_says_the_same_as_the_compiled_one(monkeypatch: pytest.MonkeyPatch):
    stream = np.concatenate([scores(0.0, 200), scores(2.0, 100), scores(-1.0, 100)])
    compiled = ChangeDetector()
    found = [i for i, score in enumerate(stream) if compiled.update(float(score))]

    monkeypatch.setattr(detectors, "AdaptiveWindowing", None)
    public = ChangeDetector()
    assert [i for i, score in enumerate(stream) if public.update(float(score))] == found
    assert found


def test_the_door_to_river_does_not_let_scipy_stats_in():
    code = "import sys, sidecar.monitors.detectors; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_many_together_find_what_each_would_find_alone():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(600, 5))
    scores[300:, 1] += 1.5
    scores[:, 2] *= 100.0
    scores[rng.random(scores.shape) < 0.05] = np.nan
    scores[40, 3] = np.inf
    deltas = [1e-4, 1e-4, 0.002, 0.5, 0.002]
    together = ChangeDetectors(deltas)
    apart = [ChangeDetector(delta) for delta in deltas]
    found = [together.update(row) for row in scores]
    assert found == [[at for at, one in enumerate(apart) if one.update(row[at])] for row in scores]
    assert any(1 in changed for changed in found[300:])


def test_what_was_nothing_but_zeros_is_found_as_early_and_takes_no_window_before():
    rng = np.random.default_rng(4)
    scores = np.zeros((700, 3))
    scores[400:, 0] = rng.normal(1.0, 1.0, size=300)  # nulls begin to come
    scores[::2, 1] = np.nan
    scores[600:, 1] = rng.normal(1.5, 1.0, size=100)
    together = ChangeDetectors([1e-4] * 3)
    apart = [ChangeDetector(1e-4) for _ in range(3)]
    found = [together.update(row) for row in scores[:400]]
    assert together._windows == {}
    found += [together.update(row) for row in scores[400:]]
    assert found == [[at for at, one in enumerate(apart) if one.update(row[at])] for row in scores]
    assert {at for changed in found for at in changed} == {0, 1}
    assert set(together._windows) == {0, 1}
