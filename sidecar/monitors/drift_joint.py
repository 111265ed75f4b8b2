"""Joint drift: columns that no longer go together as they did, while each alone is as it was.

A join that is off by a row, a sign that flipped, two features swapped for half of the callers: no marginal
moves, and the model is asked about rows that cannot be. Watched are the normal scores of the bins (those of
drift's location) of at most 256 rows a micro-batch, in at most 64 columns; categories by whether they are at
their most frequent level. `drift_pairs` judges pairs; here is which columns, which rows, and the verdict.

There is one verdict a model (kind `joint`, name `correlation`), a ticket at most; which pairs, it says in
words. What moves alone is not joint: pairs of a column that drift has something to say about are passed over,
and a verdict about one is over when drift says it later. The trap: what is usual is learnt in burn-in only.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_judge import (
    EVENT_BATCHES,
    MIN_ARRIVALS,
    TICKET_EVIDENCE,
    Judge,
    MicroBatch,
    Settings,
)
from sidecar.monitors.drift_pairs import MIN_ROWS, RECENT_BATCHES, PairEvidence
from sidecar.monitors.drift_signals import LEVEL, SHIFT
from sidecar.monitors.drift_verdict import Level, Verdict

KIND, NAME = "joint", "correlation"

# 2,016 pairs. Of a wider reference the first columns are judged; the last few places are the outputs'.
MAX_COLUMNS, OUTPUT_COLUMNS = 64, 8
# z of 256 rows is known to .06; more a second would cost time and find nothing sooner that matters.
SAMPLE_ROWS = 256
# A batch of at most so many rows that several micro-batches share is gathered at once: .5 MB while it lasts.
_WHOLE_ROWS = 8_192
# A column at one value in nearly all rows correlates with whatever the few others are.
MAX_SHARE = 0.95
# Of batches that few requests brought at least so many must show it: one odd client is no change.
ODD_CLIENT_BATCHES = 4
# Pairs named in a verdict.
NAMED = 5
REMEMBERED = 32

Bins = Mapping[int, npt.NDArray[np.intp]]
"""The bin of each row of a batch, by column of the layout."""
Sample = npt.NDArray[np.unsignedinteger[Any]]
"""Bins of shape (rows, columns): a quarter of what their scores would take."""


class Joint:
    """The joint verdict about one model: add rows of a micro-batch, then take it, after the judge has."""

    def __init__(self, model: str, judge: Judge, settings: Settings, tell: Callable[[Verdict], None]) -> None:
        self._model, self._judge, self._settings, self._tell = model, judge, settings, tell
        self._columns = _columns(judge)
        self.pairs = PairEvidence(len(self._columns), settings.burn_in)
        self.standing: Verdict | None = None
        self.past: deque[Verdict] = deque(maxlen=REMEMBERED)
        tables = [_table(judge, column) for column in self._columns]
        self._scores = np.concatenate([*tables, np.empty(0, np.float32)])  # of each bin, column after column
        self._first = np.cumsum([0, *map(len, tables)])[:-1]  # the first bin's place, by column
        self._bins = np.min_scalar_type(max(map(len, tables), default=0))  # bins of a column, in so few bytes
        self._whole: Sample | None = None  # of a batch that micro-batches share
        # z of micro-batches of so many rows that are in it one after another, by their first row.
        self._ahead: dict[tuple[int, int], npt.NDArray[np.float32]] = {}
        self._z: npt.NDArray[np.float32] | None = None  # of the rows that wait, if they are one of these
        self._sample: Sample = np.empty((SAMPLE_ROWS, len(self._columns)), self._bins)
        self._rows = 0
        self._starts: deque[tuple[int, float]] = deque(maxlen=RECENT_BATCHES)
        self._until = -1  # the last batch at which an event may become a ticket
        self._sure = False
        self._blamed: tuple[int, ...] = ()
        self._back = 0
        self._silent = 0, float("-inf")  # row and time from which it may speak again

    def add(self, bins: Bins, first: int, rows: int, total: int) -> None:
        """Sample `rows` rows, from row `first` on, of a batch of `total`; evenly, as far as there is room."""
        room = SAMPLE_ROWS - self._rows
        whole = self._whole if first else None
        over = first + rows >= total
        self._whole = None if over else whole
        if whole is None:
            self._ahead = {}
        if room <= 0 or rows <= 0 or len(self._columns) < 2:
            return
        chosen = slice(first, first + rows, -(-rows // room))
        into = self._sample[self._rows : self._rows + len(range(*chosen.indices(total)))]
        if whole is None and not over and total <= _WHOLE_ROWS:
            whole = self._whole = np.empty((total, len(self._columns)), self._bins)
            self._gather(bins, slice(None), total, whole)
        if whole is None:
            self._gather(bins, chosen, total, into)
        else:
            into[:] = whole[chosen]
        self._z = None if whole is None or self._rows else self._correlated(whole, first, rows)
        self._rows += len(into)

    def _correlated(self, whole: Sample, first: int, rows: int) -> npt.NDArray[np.float32] | None:
        """z of these rows; as recorded rows are cut evenly, of all that may follow in one go."""
        count = (len(whole) - first) // rows
        if (first, rows) not in self._ahead and count > 1 and MIN_ROWS <= rows <= SAMPLE_ROWS:
            parts = whole[first : first + count * rows].reshape(count, rows, -1)
            found = self.pairs.correlate(self._scores.take(parts + self._first))
            self._ahead = {(first + at * rows, rows): z for at, z in enumerate(found)}
        return self._ahead.pop((first, rows), None)

    def _gather(self, bins: Bins, chosen: slice, total: int, into: Sample) -> None:
        for at, column in enumerate(self._columns):
            found = bins.get(column)
            # Outputs of a batch may be fewer than its rows: which row is whose is not known then.
            known = found is not None and len(found) == total
            null = self._judge.layout.columns[column].binning.null
            into[:, at] = found[chosen] if known else null  # type: ignore[index]

    def take(self, batch: MicroBatch) -> None:
        """The micro-batch is full, and the judge has judged it."""
        sample, self._rows = self._sample[: self._rows], 0
        z, self._z = self._z, None
        if len(sample) < MIN_ROWS or len(self._columns) < 2:
            return
        z = self.pairs.correlate(self._scores.take(sample + self._first)) if z is None else z
        alone = self._judge.moved()[self._columns]
        most = np.inf if batch.arrivals >= MIN_ARRIVALS else TICKET_EVIDENCE / ODD_CLIENT_BATCHES
        was_settled = self.pairs.settled
        self.pairs.take(z, len(sample), ~alone, most)
        if not was_settled:
            return
        self._starts.append((self._judge.rows - batch.rows, batch.began))
        self._detect(batch.time)
        if self.standing is not None:
            self._recover(alone, batch.time)
        elif self.pairs.batches <= self._until and self._may_speak(batch.time):
            self._ticket(batch.time)

    def verdicts(self) -> list[Verdict]:
        """Those that are over, oldest first, then the one that stands."""
        return [*self.past, *([self.standing] if self.standing else [])]

    def state(self) -> dict[str, Any]:
        """What to save: arrays by name, and the rest as JSON has it. Rows that wait are left out."""
        return {
            "arrays": self.pairs.state(),
            "batches": self.pairs.batches,
            "past": [asdict(verdict) for verdict in self.past],
            "standing": None if self.standing is None else asdict(self.standing),
            "waits": [self._until, self._sure, list(self._blamed), self._back, list(self._silent)],
            "starts": list(self._starts),
        }

    def go_on(
        self,
        document: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        past: Iterable[Verdict],
        standing: Verdict | None,
        moved: Callable[[float], float],
    ) -> None:
        """Take over what was saved; `moved` makes its times ours. Raises ValueError, TypeError, KeyError."""
        until, sure, blamed, back, (row, moment) = document["waits"]
        starts = [(int(at), moved(float(time))) for at, time in document["starts"]]
        pairs = tuple(int(pair) for pair in blamed)
        if any(not 0 <= pair < len(self.pairs.first) for pair in pairs) or (standing and not pairs):
            raise ValueError("a pair that is not there")
        silent = int(row), float("-inf") if moment is None else moved(float(moment))
        self.pairs.restore(int(document["batches"]), arrays)
        self._until, self._sure, self._blamed, self._back = int(until), bool(sure), pairs, int(back)
        self._silent, self.standing = silent, standing
        self._starts.extend(starts)
        self.past.extend(past)

    def _detect(self, time: float) -> None:
        sure = self.pairs.evidence() >= TICKET_EVIDENCE
        if sure and not self._sure and self.standing is None:
            event = self._verdict(Level.EVENT, self.pairs.foremost(NAMED), time)
            self.past.append(event)
            self._tell(event)
        if sure:
            self._until = self.pairs.batches + EVENT_BATCHES
        self._sure = sure

    def _ticket(self, time: float) -> None:
        pairs = [pair for pair in self.pairs.foremost(NAMED) if self.pairs.beyond_gate(pair)]
        if not any(map(self.pairs.spread, pairs)):
            return
        self._blamed, self._back = tuple(pairs), 0
        self.standing = self._verdict(Level.TICKET, pairs, time)
        self._tell(self.standing)

    def _recover(self, alone: npt.NDArray[np.bool_], time: float) -> None:
        """The verdict is over when all its pairs are back, or when its first turns out to be none."""
        first = self._blamed[0]
        explained = bool(alone[self.pairs.first[first]] or alone[self.pairs.second[first]])
        self._back = self._back + 1 if all(map(self.pairs.calm, self._blamed)) else 0
        if self.standing is None or not (explained or self._back >= self._settings.recovered):
            return
        self.standing.ended_row, self.standing.ended_time = self._judge.rows - 1, time
        self.past.append(self.standing)
        self.standing, self._until = None, -1
        self.pairs.forget()
        rows, seconds = self._settings.cooldown_rows, self._settings.cooldown_seconds
        self._silent = self._judge.rows + rows, time + seconds

    def _may_speak(self, time: float) -> bool:
        row, moment = self._silent
        return self._judge.rows >= row or time >= moment

    def _verdict(self, level: Level, pairs: list[int], time: float) -> Verdict:
        first = pairs[0]
        before, after = self.pairs.correlations(first)
        lasting = min(self.pairs.lasting(first), len(self._starts))
        since_row, since_time = self._starts[-lasting]
        others = "; ".join(f"{self._name(p)} %.2f -> %.2f" % self.pairs.correlations(p) for p in pairs[1:])
        why = "they go together otherwise than they did, each alone as it was"
        return Verdict(
            self._model, KIND, NAME, self._name(first), level, "r", self._judge.rows - 1, time, since_row,
            since_time, before, after, 0.0, f"{why}; also {others}" if others else why,
            evidence=self.pairs.evidence(),
        )  # fmt: skip

    def _name(self, pair: int) -> str:
        columns = self._judge.layout.columns
        one, other = (self._columns[int(side[pair])] for side in (self.pairs.first, self.pairs.second))
        return f"{columns[one].name} × {columns[other].name}"


def _columns(judge: Judge) -> list[int]:
    """The columns of the layout that have scores and vary: features first, places kept for outputs."""
    found: dict[str, list[int]] = {"feature": [], "output": []}
    of_values = judge.signals.shares_of_values
    for at, column in enumerate(judge.layout.columns):
        effect = judge.signals.all[judge.signals.primary[at]].effect
        shares = of_values[column.start : column.stop]
        if effect in (SHIFT, LEVEL) and shares.max(initial=0.0) <= MAX_SHARE:
            found[column.kind].append(at)
    outputs = found["output"][:OUTPUT_COLUMNS]
    return found["feature"][: MAX_COLUMNS - len(outputs)] + outputs


def _table(judge: Judge, column: int) -> npt.NDArray[np.float32]:
    """The score of each bin of a column; NaN for what is no value."""
    scores = np.full(judge.layout.columns[column].binning.size, np.nan, np.float32)
    values = judge.signals.scores(int(judge.signals.primary[column]))
    scores[: len(values)] = values
    return scores
