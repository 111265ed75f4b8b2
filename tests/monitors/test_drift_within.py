"""One value of a segment beside its model: who speaks, and when."""

import numpy as np
import pytest

from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE, Pace
from sidecar.monitors.drift_verdict import Level
from sidecar.monitors.drift_within import LEARN_BATCHES, LEARN_ROWS, PATIENCE_BATCHES, Within
from tests.monitors import drift_streams as streams
from tests.monitors.drift_streams import LOUD, Watch
from tests.monitors.test_drift_segments import REFERENCE, divided

KINDS = ["a"] * 60 + ["b"] * 30 + ["c"] * 10


def fed(watch: Watch, of: np.ndarray, shift: float, seed: int, at: float = 0.0, column: int = 0) -> None:
    """Rows of two values; those of the first are moved."""
    numbers = streams.draw("normal", len(of), 3, seed)
    numbers[of == 0, column] += shift
    batch = streams.batch(numbers, at, at + len(of) / 100)
    watch.monitor.fold(divided(batch, of, ["big", "small"]))


@pytest.mark.parametrize("share", [0.95, 0.6])
def test_a_value_that_is_most_rows_leaves_it_to_the_whole_to_speak(share):
    """Without waiting both would: a value has its evidence as soon as the whole has, or sooner."""
    watch = Watch(REFERENCE)
    random = np.random.default_rng(5)
    for seed in range(10):
        of = (random.random(5_000) >= share).astype(np.intp)
        fed(watch, of, 0.0 if seed < 6 else 0.5, seed + 1, at=50.0 * seed)
    loud = [v for v in watch.said if v.level in LOUD]
    assert {(v.segment, v.name) for v in loud} == {("", "f0")}
    events = [v for v in watch.said if v.segment and v.level is Level.EVENT]
    assert {(v.value, v.name) for v in events} == {("big", "f0")}


def test_a_ticket_waits_for_some_micro_batches_of_the_whole():
    told: list[int] = []
    for pace in (OFFLINE, Pace(rows=64, seconds=1.0)):
        watch = Watch(REFERENCE, settings=Settings(pace=pace))
        for step in range(700):
            of = (np.arange(100) % 10 > 0).astype(np.intp)  # a tenth are of the value that moves
            fed(watch, of, 0.0 if step < 640 else 1.0, step + 1, at=float(step))
        found = [v for v in watch.said if v.value == "big"]
        event = next(v for v in found if v.level is Level.EVENT)
        ticket = next(v for v in found if v.level in LOUD)
        assert ticket.row - event.row >= PATIENCE_BATCHES * pace.rows
        assert ticket.time - event.time >= PATIENCE_BATCHES * pace.seconds
        told.append(ticket.row)
    assert all(row >= 64_000 for row in told)


@pytest.mark.parametrize(("batches", "rows"), [(LEARN_BATCHES, LEARN_ROWS // LEARN_BATCHES), (3, 5_000)])
def test_neither_few_rows_nor_few_requests_are_what_is_usual(batches, rows):
    watch = Watch(REFERENCE)
    whole = watch.monitor._model("m", 0.0)
    assert whole is not None
    within = Within(whole.judge.layout, Settings(pace=OFFLINE), "m", ("tenant", "a"), watch.said.append)
    for at in range(batches):
        counts = whole.judge.layout.count(streams.batch(streams.draw("normal", rows, 3, at)), [rows])[0]
        within.waiting.add(counts, rows, rows, (at, at + 1.0), (at * rows, (at + 1) * rows))
        assert within.judge is None
        within.take(whole.judge, watch.monitor._allowed("m"), lambda: True)
    assert (within.judge is not None) == (batches >= LEARN_BATCHES)
    assert not within.refused


def test_without_a_place_it_learns_anew_until_there_is_one():
    watch = Watch(REFERENCE)
    whole = watch.monitor._model("m", 0.0)
    assert whole is not None
    within = Within(whole.judge.layout, Settings(pace=OFFLINE), "m", ("tenant", "a"), watch.said.append)
    free = iter([False, False, True])
    for at in range(3 * LEARN_BATCHES):
        counts = whole.judge.layout.count(streams.batch(streams.draw("normal", 64, 3, at)), [64])[0]
        within.waiting.add(counts, 64, 64, (at, at + 1.0), (at * 64, (at + 1) * 64))
        within.take(whole.judge, watch.monitor._allowed("m"), free.__next__)
        assert within.refused == (LEARN_BATCHES - 1 <= at < 3 * LEARN_BATCHES - 1)
    assert within.learnt is not None
    assert within.learnt[: whole.judge.layout.columns[0].stop].sum() == LEARN_ROWS


def test_a_level_that_is_common_within_a_value_may_be_rare_in_the_whole():
    """Bins lie in another order there: a tenant that has always sent c, and goes on to, is no drift."""
    from sidecar.profiles.build import ProfileBuilder

    builder = ProfileBuilder()
    builder.add(1_000, {"kind": KINDS * 10})
    watch = Watch(builder.reference())
    for at in range(20):
        kinds = [("c" if i % 5 else "b") if i % 2 else KINDS[i % 100] for i in range(2_000)]
        of = np.arange(2_000) % 2
        if at >= 16:
            kinds = ["a" if i % 10 == 3 and k == "c" else k for i, k in enumerate(kinds)]
        batch = streams.batch(np.empty((2_000, 0)), at * 20.0, kind=streams.levels("kind", kinds))
        watch.monitor.fold(divided(batch, of, ["even", "odd"]))
    found = [v for v in watch.monitor.verdicts() if v.segment]
    assert {v.value for v in found} == {"odd"}
    assert {v.signal for v in found} <= {"level a", "level c", "level b"}
    level_a = next(v for v in found if v.signal == "level a" and v.level in LOUD)
    assert (level_a.before, level_a.after) == (pytest.approx(0, abs=0.001), pytest.approx(0.2, abs=0.05))
