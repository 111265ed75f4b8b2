"""Drift within one value of a segment: first what is usual for it is learnt, then its rows are judged.

The same `Judge` as of the model as a whole, around the value's own rows (`drift_usual`). What it is not: a
second alarm for one cause. While the whole says it (the same column, or any within 10,000 rows), a verdict
here is folded into it; and it waits a little before it speaks, so that the whole may speak first.

The trap: recorded rows are judged in portions, the whole first, so what it says may be of later rows than a
verdict here; only what was said up to the same row counts.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from sidecar.monitors.drift_judge import Allowed, Judge, MicroBatch, Settings
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_usual import Usual
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.monitors.drift_waiting import Waiting
from sidecar.reference import Reference

# Before it is judged, so much of a value is looked at: fifty rows a bin, in enough micro-batches that no
# single request is all of them. As many again make little difference (docs/drift.md).
LEARN_ROWS, LEARN_BATCHES = 1_024, 16
# What a ticket waits for the whole, in micro-batches of the model: as long as a change is looked at.
PATIENCE_BATCHES = 8
# After the whole is back a value gets as many of its own to be back, too: eight are its mean, four the calm.
RETURN_BATCHES = 16
# The newest verdicts that are over, of each value.
REMEMBERED = 32


_Column = tuple[str, str]


def _column(verdict: Verdict) -> _Column:
    return verdict.kind, verdict.name


class Within:
    """One value of a segment of a model. `tell` hears its verdicts: events, and tickets not folded."""

    def __init__(
        self,
        layout: DriftLayout,
        settings: Settings,
        model: str,
        key: tuple[str, str],
        tell: Callable[[Verdict], None],
    ) -> None:
        self.waiting = Waiting(layout.size)
        self.judge: Judge | None = None
        self.used = 0.0
        self.refused = False
        """Whether there was no place to judge it when enough was learnt."""
        self._usual: Usual | None = None
        self._learnt: Counts = np.zeros(layout.size, dtype=np.int64)
        self._rows = self._batches = 0
        self._layout, self._settings, self._tell = layout, settings, tell
        self._model, self._key = model, key
        # Of what stands: what was told, by signal; by column, when (micro-batch) the whole last said it.
        self._told: dict[int, Verdict] = {}
        self._covered: dict[_Column, int] = {}

    @property
    def learnt(self) -> Counts | None:
        """What it is judged against: rows in each bin of the model's layout."""
        return None if self._usual is None else self._usual.learnt

    @property
    def settled(self) -> bool:
        """Whether tickets may be raised, or are."""
        return self.judge is not None and (self.judge.evidence.settled or bool(self.judge.standing))

    def take(self, whole: Judge, allowed: Allowed, may_begin: Callable[[], bool]) -> None:
        """The waiting micro-batch is full: judge it, or learn from it. `may_begin`: there is a place."""
        counts, batch = self.waiting.take()
        self._batches += 1
        if self.judge is None or self._usual is None:
            self._learn(counts, batch, whole, may_begin)
            return
        self.judge.take(self._usual.counts(counts), batch, allowed)
        self.speak(whole, self.judge.rows - 1, batch.time)

    def speak(self, whole: Judge, row: int, time: float) -> None:
        """At a row of the model: tell what stands, has waited for the whole, and is not said by it."""
        standing = {} if self.judge is None else self.judge.standing
        self._told = {signal: said for signal, said in self._told.items() if standing.get(signal) is said}
        columns = {_column(verdict) for verdict in standing.values()}
        self._covered = {column: batch for column, batch in self._covered.items() if column in columns}
        for signal, verdict in standing.items():
            if self._said(verdict, whole, row, time):
                self._covered[_column(verdict)] = self._batches
            covered = self._covered.get(_column(verdict))
            verdict.folded = covered is not None and self._batches - covered < RETURN_BATCHES
            if not verdict.folded and signal not in self._told and self._waited(verdict, row, time):
                verdict.row, verdict.time = row, time  # it is raised now
                self._told[signal] = verdict
                self._tell(verdict)

    def standing(self) -> list[Verdict]:
        """The tickets that stand: raised here, or folded into the whole's."""
        all_of_them = {} if self.judge is None else self.judge.standing
        return [v for signal, v in all_of_them.items() if v.folded or signal in self._told]

    def begin(self, reference: Reference, learnt: Counts) -> Judge:
        """Be judged around rows with these counts."""
        self._usual = Usual(reference, self._layout, learnt)
        self.judge = Judge(self._model, self._usual.reference, self._settings, self._heard)
        self.judge.past = deque(maxlen=REMEMBERED)
        self._learnt = np.empty(0, dtype=np.int64)
        return self.judge

    def go_on(self) -> None:
        """The judge has its saved verdicts: those that were folded go on to be."""
        standing = {} if self.judge is None else self.judge.standing
        self._covered = {_column(verdict): self._batches for verdict in standing.values() if verdict.folded}

    def _learn(self, counts: Counts, batch: MicroBatch, whole: Judge, may_begin: Callable[[], bool]) -> None:
        self._learnt += counts
        self._rows += batch.rows
        if self._rows < LEARN_ROWS or self._batches < LEARN_BATCHES:
            return
        self.refused = not may_begin()
        if self.refused:  # learnt anew, for when a place is free
            self._learnt[:] = 0
            self._rows = self._batches = 0
        else:
            self.begin(whole.reference, self._learnt)

    def _heard(self, verdict: Verdict) -> None:
        verdict.segment, verdict.value = self._key
        if verdict.level is Level.EVENT:
            self._tell(verdict)

    def _waited(self, verdict: Verdict, row: int, time: float) -> bool:
        pace = self._settings.pace
        rows, seconds = row - verdict.row, time - verdict.time
        return rows >= PATIENCE_BATCHES * pace.rows and seconds >= PATIENCE_BATCHES * pace.seconds

    def _said(self, verdict: Verdict, whole: Judge, row: int, time: float) -> bool:
        """Whether the whole says it, or has just stopped to: near its gate, a verdict comes and goes."""
        for other in whole.verdicts():
            if other.level is Level.EVENT or other.row > row or self._over(other, row, time):
                continue
            near = abs(other.row - verdict.row) <= self._settings.corroboration_rows
            if near or _column(other) == _column(verdict):
                return True
        return False

    def _over(self, other: Verdict, row: int, time: float) -> bool:
        if other.ended_row is None or other.ended_time is None:
            return False
        rows, seconds = row - other.ended_row, time - other.ended_time
        return rows >= self._settings.cooldown_rows or seconds >= self._settings.cooldown_seconds
