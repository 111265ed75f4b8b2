"""The data-quality checks over recorded rows: what broke, from which row to which.

The checks are the live ones; here their windows are always the same 256 rows, however the file is read, so
that the same rows have the same problems. Their clock is the row: a problem's `since` is the row at which it
was seen, so that equal or missing times change nothing.

What it is not: a judge of files. A column that no row ever had is not looked at (`--partial`); one that goes
missing is. The trap: unlike drift, where no given reference says what is usual, the first rows do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.batch import Batch, CleanColumn, State
from sidecar.monitors.freshness import Freshness
from sidecar.monitors.quality import DataQuality
from sidecar.monitors.quality_problems import Problem, Problems
from sidecar.policy import Policies
from sidecar.reference import ColumnType, References
from sidecar.registry import Registry

# As many as a batch has under load (`monitors.rows`): what 64 rows cannot tell from chance, these can.
WINDOW_ROWS = 256


@dataclass(slots=True)
class Found:
    """A problem: seen at `row`, over at `until` (None: it stands at the end). "" is rows as such."""

    model: str
    row: int
    feature: str
    problem: str
    text: str
    until: int | None = None

    def shown(self, *, models: bool) -> dict[str, Any]:
        """As JSON has it; with its model where there are several."""
        names = ("row", "until", "feature", "problem", "text")
        shown = {name: getattr(self, name) for name in names}
        return {**shown, "model": self.model} if models else shown


@dataclass(slots=True)
class Heard:
    """Everything found, in the order it was seen."""

    found: list[Found] = field(default_factory=list)
    _standing: dict[tuple[str, str, str], Found] = field(default_factory=dict)

    def began(self, problem: Problem, row: int) -> None:
        """A problem was seen at this row."""
        found = Found(problem.model, row, problem.feature, problem.problem, problem.text)
        self.found.append(found)
        self._standing[_key(problem)] = found

    def ended(self, problem: Problem, row: int) -> None:
        """It was over by this row."""
        self._standing.pop(_key(problem)).until = row


class RowQuality:
    """Feed cleaned rows in order with `fold`, then `finish`; `heard.found` has what came of them."""

    def __init__(self, references: References, policies: Policies) -> None:
        self.heard = Heard()
        registry = Registry()
        problems = Problems(
            registry,
            lambda problem: self.heard.began(problem, int(problem.since)),
            lambda problem, now: self.heard.ended(problem, int(now)),
        )
        self._checks = DataQuality(registry, references, problems)
        self._ages = Freshness(registry, policies, problems, lambda row: self._time)
        self._columns: dict[str, ColumnType] = {}
        self._pieces: list[Batch] = []
        self._rows = 0
        self._time = 0.0

    def fold(self, batch: Batch, first_row: int, times: npt.NDArray[np.float64] | None) -> None:
        """Judge every window that these rows complete. `times` are the rows' own, None where unknown."""
        at = 0
        while at < batch.rows:
            until = min(at + WINDOW_ROWS - self._rows, batch.rows)
            self._pieces.append(_piece(batch, at, until))
            self._rows += until - at
            at = until
            if self._rows == WINDOW_ROWS:
                self._judge(first_row + at - 1, None if times is None else times.item(at - 1))

    def finish(self, rows: int) -> None:
        """No more rows than `rows` in all: look at the last ones too."""
        if self._rows:
            self._judge(rows - 1, None)

    def _judge(self, last_row: int, time: float | None) -> None:
        features = dict(self._joined())
        first = self._pieces[0]
        window = Batch(first.model, first.version, self._rows, float(last_row), float(last_row), features)
        self._pieces, self._rows = [], 0
        self._checks.fold(window)
        if time:
            self._time = time
            self._ages.fold(window)

    def _joined(self) -> Iterator[tuple[str, CleanColumn]]:
        """The window's columns, in an order that stays; those that never had a value are left out."""
        for name, column in chain.from_iterable(piece.features.items() for piece in self._pieces):
            if name not in self._columns and (column.states != State.MISSING).any():
                self._columns[name] = column.type
        for name, type in self._columns.items():
            parts = [_part(piece.features, name, type, piece.rows) for piece in self._pieces]
            yield name, parts[0] if len(parts) == 1 else _together(parts)


def _key(problem: Problem) -> tuple[str, str, str]:
    return problem.model, problem.feature, problem.problem


def _piece(batch: Batch, first: int, last: int) -> Batch:
    if first == 0 and last == batch.rows:
        return batch
    features = {name: _cut(column, first, last) for name, column in batch.features.items()}
    return Batch(batch.model, batch.version, last - first, 0.0, 0.0, features)


def _cut(column: CleanColumn, first: int, last: int) -> CleanColumn:
    return CleanColumn(
        column.name,
        column.type,
        column.states[first:last],
        None if column.numbers is None else column.numbers[first:last],
        None if column.levels is None else column.levels[first:last],
        None if column.times is None else column.times[first:last],
    )


def _part(columns: Mapping[str, CleanColumn], name: str, type: ColumnType, rows: int) -> CleanColumn:
    column = columns.get(name)
    return column if column is not None and column.type is type else _absent(name, type, rows)


def _absent(name: str, type: ColumnType, rows: int) -> CleanColumn:
    unknown = np.full(rows, np.nan)
    levelled = type in (ColumnType.CATEGORY, ColumnType.BOOLEAN)
    return CleanColumn(
        name,
        type,
        np.full(rows, State.MISSING, np.uint8),
        unknown if type is ColumnType.NUMBER else None,
        [None] * rows if levelled else None,
        unknown if type is ColumnType.TIMESTAMP else None,
    )


def _together(parts: list[CleanColumn]) -> CleanColumn:
    first = parts[0]
    numbers = [part.numbers for part in parts if part.numbers is not None]
    times = [part.times for part in parts if part.times is not None]
    levels = [part.levels for part in parts if part.levels is not None]
    return CleanColumn(
        first.name,
        first.type,
        np.concatenate([part.states for part in parts]),
        np.concatenate(numbers) if numbers else None,
        list(chain.from_iterable(levels)) if levels else None,
        np.concatenate(times) if times else None,
    )
