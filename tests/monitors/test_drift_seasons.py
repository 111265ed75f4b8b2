"""A daily rhythm is learnt, borne until then, and no reason to miss a change."""

import json

import numpy as np
import pytest

from sidecar.monitors import drift_state
from sidecar.monitors.drift_heard import HISTORY_BATCHES
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.drift_seasons import DAY, HOUR, Seasons
from sidecar.monitors.drift_verdict import Level
from tests.monitors import drift_streams as streams
from tests.monitors.drift_streams import LOUD, Watch

MONDAY = 4 * DAY  # 1970 began on a Thursday
EVERY = 120.0  # seconds a micro-batch: 46,080 rows a day
A_DAY = int(DAY / EVERY)
ROWS = np.array([1_000.0])
SETTINGS = Settings(pace=OFFLINE, wall=float)


def rhythm(moment: float, size: float = 0.5) -> float:
    """What is added at this time of the day: as different between day and night as a deviation."""
    return size * np.sin(2 * np.pi * moment / DAY)


def watch(seed: int = 0) -> Watch:
    rows = streams.draw("normal", 15_000, 3, seed)
    rows += rhythm(np.linspace(0, DAY, 15_000))[:, None]
    return Watch(streams.reference(rows), settings=SETTINGS)


def live(
    seen: Watch, first_day: float, days: float, seed: int, shift: float = 0.0, size: float = 0.5
) -> None:
    rng = np.random.default_rng(seed)
    for batch in range(int(days * A_DAY)):
        moment = MONDAY + first_day * DAY + batch * EVERY
        rows = rng.normal(size=(64, 3)) + rhythm(moment, size)
        rows[:, 0] += shift
        seen.monitor.fold(streams.batch(rows, moment))


def seasons(seen: Watch) -> Seasons:
    (model,) = seen.monitor._models.values()
    return model.judge.evidence.seasons


@pytest.fixture(scope="module")
def four_days() -> Watch:
    seen = watch()
    live(seen, 0, 4, seed=1)
    return seen


def test_hours_come_into_use_after_two_days():
    seen = watch()
    live(seen, 0, 1.9, seed=1)
    assert not seasons(seen).in_use
    live(seen, 1.9, 0.2, seed=2)
    assert seasons(seen).in_use


def test_what_detectors_heard_before_hours_came_into_use_is_forgotten():
    seen = watch()
    live(seen, 0, 2.1, seed=1)
    (model,) = seen.monitor._models.values()
    evidence = model.judge.evidence
    scores = evidence.heard.last(HISTORY_BATCHES, np.array(evidence.baseline))
    assert np.isfinite(scores).any(axis=1).sum() == evidence.batches < 0.2 * A_DAY


def test_a_rhythm_raises_no_page_before_it_is_known_and_nothing_at_all_after(four_days: Watch):
    assert Level.PAGE not in four_days.levels()
    known = int(2.1 * A_DAY) * 64
    assert [v for v in four_days.said if v.row >= known and v.level in LOUD] == []


@pytest.mark.parametrize(("shift", "within"), [(1.0, 600), (-1.0, 600), (2.0, 64)])
def test_on_the_second_day_a_change_is_one_against_this_hour_of_yesterday(shift: float, within: int):
    seen = watch()
    live(seen, 0, 1.5, seed=8)
    assert not set(seen.levels()) & set(LOUD)
    before = len(seen.said)
    live(seen, 1.5, 0.05, seed=9, shift=shift)
    found = next(v for v in seen.said[before:] if v.level in LOUD)
    assert found.name == "f0"
    assert found.row - int(1.5 * A_DAY) * 64 < within


def test_a_rhythm_that_goes_on_at_its_steepest_is_borne_on_the_first_day():
    hours = Seasons(1, 1)
    for hour in range(6):
        for quarter in range(4):
            total = np.array([1_000.0 * 0.1 * hour])
            hours.learn(MONDAY + hour * HOUR + quarter * 900, total, ROWS, np.array([1]), np.array([True]))
    assert hours.excursion(np.array([0.0])) == pytest.approx([0.6])  # .4 at most, and half as much again
    assert hours.excursion(np.array([0.35])) == pytest.approx([0.525])
    assert hours.excursion(np.array([0.2])) == pytest.approx([0.35])  # .2 off, and an hour and a half of .1


def test_the_neighbourhood_is_of_the_hours_beside_without_the_hour_that_is():
    hours = Seasons(1, 1)
    for hour in (*range(24), 29):
        mean = 0.1 * hour if hour < 24 else 9.0
        total = np.array([1_000.0 * mean])
        hours.learn(MONDAY + hour * HOUR, total, ROWS, np.array([1]), np.array([True]))
    low, high, rows = hours.neighbourhood(MONDAY + DAY + 5 * HOUR, np.array([0.45]))
    assert (low[0], high[0], rows[0]) == pytest.approx((0.4, 0.6, 1_000.0))
    assert hours.neighbourhood(MONDAY + DAY + 5 * HOUR, np.array([0.9]))[1] == pytest.approx([0.9])


def test_a_change_is_found_as_if_there_were_no_rhythm():
    seen = watch()
    live(seen, 0, 3, seed=3)
    before = len(seen.said)
    live(seen, 3, 0.1, seed=4, shift=0.5)
    found = next(v for v in seen.said[before:] if v.level in LOUD)
    assert (found.name, found.signal) == ("f0", "location")
    assert found.row - 3 * A_DAY * 64 < 1_000


def test_a_rhythm_that_stops_is_a_change():
    seen = watch()
    live(seen, 0, 3, seed=5, size=1.0)
    before = len(seen.said)
    live(seen, 3, 0.5, seed=6, size=0.0)
    assert set(LOUD) & {v.level for v in seen.said[before:]}


def test_weekends_are_learnt_apart():
    hours = Seasons(1, 1)
    for day, mean in ((0, 1.0), (1, 1.0), (5, 9.0), (6, 9.0)):
        for quarter in range(4):
            wall = MONDAY + day * DAY + 10 * HOUR + quarter * 900
            total, rows = np.array([1_000 * mean]), np.array([1_000.0])
            hours.learn(wall, total, rows, np.array([1_000]), np.array([True]))
    assert hours.offset(MONDAY + 8 * DAY + 10 * HOUR, np.zeros(1)) == pytest.approx([1.0])
    assert hours.offset(MONDAY + 12 * DAY + 10 * HOUR, np.zeros(1)) == pytest.approx([9.0])
    assert hours.offset(MONDAY + 8 * DAY + 11 * HOUR, np.zeros(1)).tolist() == [0.0]


def test_what_is_under_a_verdict_teaches_nothing():
    hours = Seasons(2, 1)
    for day in range(2):
        wall = MONDAY + day * DAY
        hours.learn(wall, np.array([5e3, 5e3]), np.array([1e3, 1e3]), np.array([1]), np.array([True, False]))
    assert hours.offset(MONDAY + 2 * DAY, np.zeros(2)).tolist() == [5.0, 0.0]


def test_what_was_learnt_of_hours_survives_a_restart():
    seen = watch()
    live(seen, 0, 2.5, seed=7)
    after = watch()
    saved = {k: json.loads(json.dumps(drift_state.encoded(v))) for k, v in seen.monitor.state().items()}
    assert after.monitor.restore(saved, lambda at: at, 0.0) == ["m"]
    assert seasons(after).in_use
    for name, value in seasons(seen).state().items():
        assert np.array_equal(value, seasons(after).state()[name]), name


def test_hours_are_learnt_for_two_weeks_or_from_a_million_rows():
    few, many = Seasons(1, 1), Seasons(1, 1)
    calm, bins = np.ones(1, dtype=bool), np.zeros(1, dtype=np.int64)
    learnt = []
    for day in range(16):
        before = few.state()["_rows"].sum()
        few.learn(day * DAY, np.zeros(1), np.full(1, 100.0), bins, calm)
        learnt.append(few.state()["_rows"].sum() > before)
        many.learn(600.0 * day, np.zeros(1), np.full(1, 400_000.0), bins, calm)
    assert learnt == [True] * 14 + [False] * 2
    assert many.state()["_rows"].max() == 1_200_000
