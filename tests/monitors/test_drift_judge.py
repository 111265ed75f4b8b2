"""When a verdict is raised, ends and may be raised again: the judge's own numbers, as they are documented."""

from math import inf, log

import numpy as np
import pytest

from sidecar.monitors.drift_judge import TICKET_EVIDENCE, Allowed, Judge, MicroBatch, Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.drift_verdict import Level, Verdict
from tests.monitors import drift_streams as streams

GIVEN = streams.reference(streams.draw("normal", 15_000, 2, 0))


class Feed:
    """One model's judge, its rows one micro-batch of 64 after another, `seconds` apart."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.said: list[Verdict] = []
        self.judge = Judge("m", GIVEN, Settings(pace=OFFLINE), self.said.append)
        self.seconds = seconds
        self.time = 0.0
        self._seed = 0

    def send(self, batches: int, by: float = 0.0, arrivals: int = 64) -> None:
        """Rows whose f0 is moved, in so many requests a batch."""
        for _ in range(batches):
            self._seed += 1
            rows = streams.draw("normal", 64, 2, self._seed)
            rows[:, 0] += by
            counts = self.judge.layout.count(streams.batch(rows), [64])[0]
            self.time += self.seconds
            self.judge.take(counts, MicroBatch(64, arrivals, self.time, self.time), Allowed())

    def tickets(self) -> list[Verdict]:
        return [verdict for verdict in self.said if verdict.level is Level.TICKET]


@pytest.fixture
def known() -> Feed:
    """A model past its burn-in."""
    feed = Feed()
    feed.send(100)
    assert feed.said == []
    return feed


def test_a_ticket_needs_what_chance_makes_of_one_batch_in_a_hundred_thousand():
    assert pytest.approx(log(100_000)) == TICKET_EVIDENCE


@pytest.mark.parametrize(("arrivals", "pages"), [(7, 0), (8, 1)])
def test_one_batch_of_fewer_than_eight_requests_cannot_page(known: Feed, arrivals: int, pages: int):
    known.send(1, by=5.0, arrivals=arrivals)
    assert sum(verdict.level is Level.PAGE for verdict in known.said) == pages


def test_a_verdict_is_over_after_four_batches_back(known: Feed):
    known.send(30, by=0.5)
    known.send(8)  # the recent batches are all back then
    known.judge.evidence.calm = lambda: np.ones(len(known.judge.signals), dtype=bool)  # type: ignore[method-assign]
    known.judge._back.clear()
    standing = []
    for _ in range(5):
        known.send(1)
        standing.append(bool(known.judge.standing))
    assert standing == [True, True, True, False, False]


@pytest.mark.parametrize("seconds", [0.1, 60.0], ids=["rows", "an hour"])
def test_a_column_speaks_again_after_ten_thousand_rows_or_an_hour_whichever_is_sooner(seconds: float):
    feed = Feed(seconds)
    feed.send(100)
    feed.send(20, by=0.5)
    while feed.judge.standing:
        feed.send(1)
    over, ended = feed.judge.rows, feed.time
    while len(feed.tickets()) < 2:
        feed.send(1, by=0.5)
    again = feed.tickets()[-1]
    if seconds < 1:
        assert 10_000 <= again.row + 1 - over < 10_000 + 2 * 64
    else:
        assert 3_600.0 <= again.time - ended < 3_600.0 + 2 * seconds


def test_an_event_may_become_a_ticket_for_sixteen_batches(known: Feed):
    known.judge._event(0, known.time, "for the test")
    known.judge.evidence.beyond_gate = lambda: np.zeros(len(known.judge.signals), dtype=bool)  # type: ignore[method-assign]
    waits = []
    for _ in range(18):
        known.send(1)
        waits.append(dict(known.judge.waits()["pending"]).get(0, -inf) >= known.judge.evidence.batches)
    assert waits == [True] * 16 + [False] * 2
