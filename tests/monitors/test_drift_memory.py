"""What drift holds of a model: at most 16 kB a feature, with what is needed after a restart or without."""

import gc
import tracemalloc

import numpy as np
import pytest

from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.policy import Policies
from sidecar.profiles.learn import LearntReferences
from sidecar.registry import Registry
from tests.monitors.drift_streams import batch, draw, reference

FEATURES = 30
KB = 1024
GIVEN = reference(draw("normal", 10_000, FEATURES, seed=1))
ROWS = [batch(draw("normal", 64 * batches, FEATURES, seed=2)) for batches in (79, 41)]


def held(remember: bool, rows: list) -> float:
    """kB a feature, as Python counts it, after these rows: the monitor and its series, without the registry
    (all monitors have one), the reference, and what detectors hold in a library of their own."""
    registry, references = Registry(), LearntReferences(default=GIVEN)
    settings = Settings(pace=OFFLINE, wall=float, remember=remember)
    Drift(Registry(), references, Policies(), settings).fold(ROWS[1])  # what is loaded once, is
    tracemalloc.start()
    try:
        drift = Drift(registry, references, Policies(), settings)
        for each in rows:
            drift.fold(each)
        drift._export()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / FEATURES / KB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("remember", [False, True])
def test_a_feature_takes_at_most_16_kb_once_burn_in_is_over(remember: bool):
    assert held(remember, ROWS) < 16


def test_burn_in_takes_some_more_while_it_lasts():
    assert held(True, ROWS[:1]) < 22


def test_what_is_not_needed_after_a_restart_is_not_held():
    assert held(True, ROWS) - held(False, ROWS) > 1.5


def test_what_restarts_need_changes_no_verdict():
    found = []
    for remember in (True, False):
        said: list = []
        settings = Settings(pace=OFFLINE, wall=float, remember=remember)
        drift = Drift(Registry(), LearntReferences(default=GIVEN), Policies(), settings, said.append)
        rng = np.random.default_rng(3)
        for day in range(14):  # of 5 hours each; hours come into use on the way
            rows = rng.normal(size=(64 * 60, FEATURES))
            if day > 11:
                rows[:, 0] += 0.5
            drift.fold(batch(rows, at=day * 18_000.0, until=day * 18_000.0 + 17_900))
        (model,) = drift._models.values()
        assert model.judge.evidence.seasons.in_use
        found.append([(v.row, v.name, v.signal, v.level, v.score) for v in said])
    assert found[0] == found[1] != []
