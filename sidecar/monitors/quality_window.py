"""The rows that data quality is judged on: some at a time, side by side, so that a look costs little a row.

Numbers of all features are one matrix and their states another; each check works on all features at once.
Rows of small batches wait here until there are enough of them. What it is not: a judge; checks are.
The trap: two clients may send other columns, so windows are kept by layout and never mix them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from sidecar.batch import Batch, CleanColumn
from sidecar.reference import ColumnType

Numbers = npt.NDArray[np.float64]
States = npt.NDArray[np.uint8]
Levels = Sequence[str | None]

# As drift's micro-batches: a fifth of nulls, or a constant, cannot be chance in so many rows.
WINDOW_ROWS = 64

Layout = tuple[tuple[str, ColumnType], ...]


@dataclass(slots=True)
class Window:
    """Consecutive rows of one model with the same features.

    `states` is (features, rows), in the order of `names`; `numbers` is (numeric features, rows), in the
    order of `numeric`, NaN where there is no number. `requests` says how many brought the rows.
    """

    rows: int
    requests: int
    first: float
    last: float
    names: tuple[str, ...]
    states: States
    numeric: tuple[str, ...]
    numbers: Numbers
    levels: Mapping[str, Levels]


class Gathering:
    """Rows of one layout that wait for their window to be full."""

    def __init__(self, layout: Layout) -> None:
        self.names = tuple(name for name, _ in layout)
        self.numeric = tuple(name for name, type in layout if type is ColumnType.NUMBER)
        self._waiting: list[Window] = []

    def take(self, batch: Batch) -> Window | None:
        """A window that these rows complete, if they do."""
        window = self._window(batch)
        if not self._waiting and window.rows >= WINDOW_ROWS:
            return window
        self._waiting.append(window)
        if sum(waiting.rows for waiting in self._waiting) < WINDOW_ROWS:
            return None
        joined, self._waiting = _joined(self._waiting), []
        return joined

    def _window(self, batch: Batch) -> Window:
        columns = batch.features
        rows, names, numeric = batch.rows, self.names, self.numeric
        states = np.concatenate([columns[name].states for name in names]).reshape(len(names), rows)
        numbers = _numbers([columns[name] for name in numeric], rows)
        levels = {name: column.levels for name, column in columns.items() if column.levels is not None}
        requests = batch.requests or rows
        return Window(rows, requests, batch.first, batch.last, names, states, numeric, numbers, levels)


def layout_of(batch: Batch) -> Layout:
    """What makes rows comparable: which features they have, and of which types."""
    return tuple([(name, column.type) for name, column in batch.features.items()])


def _numbers(columns: Sequence[CleanColumn], rows: int) -> Numbers:
    if not columns:
        return np.empty((0, rows))
    found = [column.numbers for column in columns if column.numbers is not None]
    return np.concatenate(found).reshape(len(columns), rows)


def _joined(windows: list[Window]) -> Window:
    last = windows[-1]
    return Window(
        sum(window.rows for window in windows),
        sum(window.requests for window in windows),
        windows[0].first,
        last.last,
        last.names,
        np.concatenate([window.states for window in windows], axis=1),
        last.numeric,
        np.concatenate([window.numbers for window in windows], axis=1),
        {name: list(chain(*(window.levels[name] for window in windows))) for name in last.levels},
    )
