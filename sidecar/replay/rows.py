"""Recorded rows, column by column, into the drift monitor: cleaned at once, judged as live rows are.

No dict a row and no call a value: a chunk of a file is a list or an array a column, and that is what cleaning
and binning work on. However rows are portioned, micro-batches end at the same rows; so verdicts are the same.
What it is not: the exchanges' way, where arrival times make the micro-batches (`exchanges`).

The trap: without a reference the first rows are held back until they are enough to learn from, because the
type of a column is decided once, by all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sidecar.batch import Batch
from sidecar.inference import MISSING
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.schema import Schema
from sidecar.monitors.segments import Segments
from sidecar.names import clean
from sidecar.policy import Policies
from sidecar.profiles.learn import LEARN_ROWS, LearntReferences
from sidecar.registry import Registry
from sidecar.replay.division import categories, divided
from sidecar.replay.findings import Findings
from sidecar.replay.quality import Found, RowQuality

Values = Sequence[Any]
"""One value a row: a list, or a numpy array (floats in one go cost a third of a list)."""
Columns = Mapping[str, Values]
NOTHING: Columns = {}

# Rows that say nothing of time are taken to come at a moderate rate; of a cooldown of 10,000 rows or
# an hour, the rows then decide.
ROWS_PER_SECOND = 100.0
_VERSION = ""


class RowReplay:
    """Feed rows in order with `feed`, then `finish`; `findings` has what came of them."""

    def __init__(
        self,
        references: LearntReferences,
        policies: Policies,
        model: str,
        chunk_rows: int,
        segments: Sequence[str] = (),
    ) -> None:
        self.rows = 0
        self.findings = Findings(references, chunk_rows)
        self._model = model
        self._references = references
        self._chunk_rows = chunk_rows
        self._schema = Schema(policies.of(model))
        judging = Settings(pace=OFFLINE, wall=self._wall, remember=False)
        self._drift = Drift(Registry(), references, policies, judging)
        self._segments = Segments(Registry(), divided(policies, model, segments))
        self._quality = RowQuality(references, policies)
        self._timed = False
        self.findings.listen(self._drift)
        self._held: list[_Portion] = []
        self._held_rows = 0
        self._learnt = self._judged = 0

    def feed(
        self,
        rows: int,
        features: Columns,
        outputs: Columns,
        times: Values | None = None,
        segments: Columns = NOTHING,
    ) -> None:
        """Judge `rows` more rows: a value a row in each column.

        `times` are seconds since the epoch and never go back, 0 where they are not known; without them there
        are no hours of the day. `segments` are what the rows are divided by.
        """
        self.rows += rows
        portion = _Portion(rows, features, outputs, times, segments)
        if self._references.of(self._model) is None:
            self._hold(portion)
            return
        self._judge(portion)

    def finish(self) -> None:
        """No more rows: of those that wait, too few ever came to learn from."""
        self._quality.finish(self._learnt + self._judged)
        self.findings.close()

    @property
    def problems(self) -> list[Found]:
        """What broke, in the order it was seen."""
        return self._quality.heard.found

    @property
    def learning(self) -> int:
        """How many rows wait to be learnt from, because no reference was given."""
        return self._held_rows

    def _judge(self, portion: "_Portion") -> None:
        at = 0
        while at < portion.rows:
            until = min(at + self._chunk_rows - self._judged % self._chunk_rows, portion.rows)
            batch = self._batch(portion.cut(at, until))
            self._timed = batch.times is not None
            self._drift.fold(batch)
            self._quality.fold(batch, self._learnt + self._judged, batch.times)
            self._judged += until - at
            at = until

    def _wall(self, time: float) -> float | None:
        """The time of the day that rows say; of those that say none there is none."""
        return time if self._timed and time > 0 else None

    def _batch(self, portion: "_Portion") -> Batch:
        schema, rows = self._schema, portion.rows
        schema.use(self._references.of(self._model))
        if portion.times is None:
            moments = None
            first, last = (row / ROWS_PER_SECOND for row in (self._judged, self._judged + rows - 1))
        else:
            moments = np.asarray(portion.times, np.float64)
            first, last = moments.item(0), moments.item(-1)
        names, values = list(portion.features), list(portion.features.values())
        features, _ = schema.features.clean(names, values, last, trusted=True)
        names, values = list(portion.outputs), list(portion.outputs.values())
        outputs, _ = schema.outputs.clean(names, values, last, trusted=True)
        batch = Batch(self._model, _VERSION, rows, first, last, features, outputs, times=moments)
        # A segment need not be a feature: only what divides the rows sees it as one.
        columns = {clean(name): categories(name, values) for name, values in portion.segments.items()}
        batch.segments = self._segments.divide(replace(batch, features={**features, **columns}))
        return batch

    def _hold(self, portion: "_Portion") -> None:
        """Keep rows until there are enough; then learn from exactly so many, and judge the rest."""
        self._held.append(portion)
        self._held_rows += portion.rows
        if self._held_rows < LEARN_ROWS:
            return
        held = _joined(self._held)
        self._held, self._held_rows = [], 0
        self._references.fold(self._batch(held.cut(0, LEARN_ROWS)))
        self._learnt = LEARN_ROWS
        if held.rows > LEARN_ROWS:
            self._judge(held.cut(LEARN_ROWS, held.rows))


@dataclass(frozen=True, slots=True)
class _Portion:
    rows: int
    features: Columns
    outputs: Columns
    times: Values | None
    segments: Columns

    def cut(self, first: int, last: int) -> "_Portion":
        if first == 0 and last == self.rows:
            return self
        times = None if self.times is None else self.times[first:last]
        features, outputs = _cut(self.features, first, last), _cut(self.outputs, first, last)
        return _Portion(last - first, features, outputs, times, _cut(self.segments, first, last))


def _cut(columns: Columns, first: int, last: int) -> Columns:
    return {name: values[first:last] for name, values in columns.items()}


def _joined(portions: list[_Portion]) -> _Portion:
    """Portions after one another, in lists."""
    features = _columns([(portion.rows, portion.features) for portion in portions])
    outputs = _columns([(portion.rows, portion.outputs) for portion in portions])
    segments = _columns([(portion.rows, portion.segments) for portion in portions])
    timed = all(portion.times is not None for portion in portions)
    times = [time for portion in portions for time in portion.times or ()] if timed else None
    return _Portion(sum(portion.rows for portion in portions), features, outputs, times, segments)


def _columns(parts: list[tuple[int, Columns]]) -> dict[str, list[Any]]:
    """Columns after one another; what a part lacks is missing in its rows."""
    names = dict.fromkeys(name for _, columns in parts for name in columns)
    joined: dict[str, list[Any]] = {name: [] for name in names}
    for rows, columns in parts:
        for name, values in joined.items():
            column = columns.get(name)
            if column is None:
                values += [MISSING] * rows
            else:
                values += column.tolist() if isinstance(column, np.ndarray) else column
    return joined
