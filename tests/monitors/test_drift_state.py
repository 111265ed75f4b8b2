"""Drift judged on after a restart as if there had been none."""

import json
from typing import Any

import numpy as np
import pytest

from sidecar.monitors import drift_state
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.policy import Policies
from sidecar.profiles.learn import LearntReferences
from sidecar.profiles.state_file import dump, parse
from sidecar.reference import Reference
from sidecar.registry import Registry
from tests.monitors.drift_streams import OFFLINE_SETTINGS, batch, draw, reference

GIVEN = reference(draw("normal", 10_000, 4, seed=1))
BEFORE, AFTER = draw("normal", 6_400, 4, seed=2), draw("normal", 6_400, 4, seed=3)
AFTER[3_200:, 0] += 0.5
AFTER[3_200:, 1] *= 1.6


def monitor(said: list[Verdict], given: Reference = GIVEN) -> Drift:
    return Drift(Registry(), LearntReferences(default=given), Policies(), OFFLINE_SETTINGS, said.append)


def through_a_file(drift: Drift) -> dict[str, Any]:
    saved = {name: drift_state.encoded(state) for name, state in drift.state().items()}
    return parse("t", dump("t", saved))


def shown(said: list[Verdict]) -> list[tuple]:
    return [(v.row, v.name, v.signal, v.level, round(v.score, 9), v.since_row) for v in said]


def test_a_restart_in_between_changes_no_verdict():
    whole: list[Verdict] = []
    undisturbed = monitor(whole)
    first: list[Verdict] = []
    before = monitor(first)
    for drift in (undisturbed, before):
        drift.fold(batch(BEFORE))
    second: list[Verdict] = []
    after = monitor(second)
    assert after.restore(through_a_file(before), lambda at: at, 0.0) == ["m"]
    for drift in (undisturbed, after):
        drift.fold(batch(AFTER))

    assert {v.level for v in second} >= {Level.EVENT, Level.TICKET}
    assert shown(first + second) == shown(whole)
    states = [through_a_file(drift)["m"] for drift in (undisturbed, after)]
    assert states[0] == states[1]


def test_a_verdict_that_stands_goes_on_standing_and_recovers():
    drift = monitor([])
    drift.fold(batch(BEFORE))
    drift.fold(batch(AFTER))
    standing = [v for v in drift.verdicts() if v.standing]
    assert standing
    after = monitor([])
    after.restore(through_a_file(drift), lambda at: at + 100.0, 0.0)
    assert [v.time for v in after.verdicts() if v.standing] == [v.time + 100.0 for v in standing]
    after.fold(batch(draw("normal", 6_400, 4, seed=4)))
    assert not [v for v in after.verdicts() if v.standing]


def test_burn_in_goes_on_where_it_was():
    drift = monitor([])
    drift.fold(batch(BEFORE[:3_200]))
    after = monitor([])
    after.restore(through_a_file(drift), lambda at: at, 0.0)
    assert drift.settling() == after.settling() == {"m": (50, 80)}


def test_a_state_of_another_reference_is_left():
    drift = monitor([])
    drift.fold(batch(BEFORE))
    another = monitor([], reference(draw("normal", 10_000, 4, seed=9)))
    assert another.restore(through_a_file(drift), lambda at: at, 0.0) == []
    assert another.settling() == {}


def spoilt(document: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(document))
    copy["m"][key] = value
    return copy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 0), ("batches", -1), ("batches", "x"), ("rows", None), ("arrays", {}), ("arrays", []),
        ("seen", [True]), ("past", [{}]), ("past", [1]), ("standing", [[999, {}]]), ("standing", 1),
        ("waits", {}), ("waits", {"pending": [[999, 1]], "back": [], "cooling": [], "starts": []}),
        ("arrays", {"baseline": {"type": "<f8", "shape": [2], "data": "AAAA"}}),
        ("arrays", {"baseline": {"type": "object", "shape": [1], "data": "AAAA"}}),
        ("arrays", {"baseline": {"type": "<f8", "shape": [10**12], "data": ""}}),
    ],
)  # fmt: skip
def test_what_is_no_state_of_ours_is_left_and_never_raises(key, value):
    drift = monitor([])
    drift.fold(batch(BEFORE))
    after = monitor([])
    assert after.restore(spoilt(through_a_file(drift), key, value), lambda at: at, 0.0) == []
    after.fold(batch(BEFORE))
    assert after.settling() == {"m": (80, 80)}


def test_nothing_of_a_row_is_in_it_and_thirty_features_are_half_a_megabyte():
    given = reference(draw("normal", 10_000, 30, seed=1))
    drift = monitor([], given)
    drift.fold(batch(draw("normal", 20_000, 30, seed=2)))
    size = len(dump("t", through_a_file(drift)))
    assert size < 700_000
    assert np.isfinite(size)
