"""Were the features there, and were they what they should be? Rows, states of values, and a summary.

Counts what `Rows` cleaned; which rows are complete was decided there (`completeness.py`). Range and
unseen category are states of a value, they do not make its row incomplete.
"""

import math

import numpy as np
import numpy.typing as npt

from sidecar import catalog
from sidecar.batch import Batch, CleanColumn, State
from sidecar.metric import OTHER
from sidecar.monitors.recent import Recent
from sidecar.monitors.window import RollingWindow
from sidecar.registry import Registry

# The gauges of one family hold as many series; a window without its series would be of no use.
WINDOWS_LIMIT = catalog.FEATURE_MEAN.limit

_Key = tuple[str, str, str]


class Features:
    """A RowMonitor: states of every feature, complete rows, mean and spread of the numeric ones."""

    def __init__(self, registry: Registry) -> None:
        self._values = registry.counter(catalog.FEATURE_VALUES)
        self._rows = registry.counter(catalog.ROWS)
        self._rows_complete = registry.counter(catalog.ROWS_COMPLETE)
        self._mean = registry.gauge(catalog.FEATURE_MEAN)
        self._stddev = registry.gauge(catalog.FEATURE_STDDEV)
        self._min = registry.gauge(catalog.FEATURE_MIN)
        self._max = registry.gauge(catalog.FEATURE_MAX)
        self._windows: Recent[_Key, RollingWindow] = Recent(WINDOWS_LIMIT, lambda key: RollingWindow())

    def fold(self, batch: Batch) -> None:
        """Count the batch's rows and the states of their values."""
        model = (batch.model, batch.version)
        self._rows.add(batch.rows, *model)
        self._rows_complete.add(batch.complete, *model)
        for name, column in batch.features.items():
            self._count((*model, name), state_counts(column))
            if column.numbers is not None:
                self._windows[(*model, name)].add(column.numbers, batch.last)
        if batch.other_features.any():
            self._count((*model, OTHER), batch.other_features)

    def tick(self, now: float) -> None:
        """Bring the summaries up to date; those with nothing recent disappear."""
        for key, window in self._windows.items():
            recent = window.read(now)
            if not recent.count:
                self._forget(key)
            elif math.isfinite(recent.squares):
                self._mean.set(recent.mean, *key)
                self._stddev.set(recent.stddev, *key)
                self._min.set(recent.low, *key)
                self._max.set(recent.high, *key)

    def _count(self, key: _Key, counts: npt.NDArray[np.int64]) -> None:
        new = (*key, catalog.FEATURE_STATES[0]) not in self._values.values
        for state, count in zip(catalog.FEATURE_STATES, counts.tolist(), strict=True):
            if count or new:
                self._values.add_to((*key, state), count)

    def _forget(self, key: _Key) -> None:
        self._windows.discard(key)
        for gauge in (self._mean, self._stddev, self._min, self._max):
            gauge.discard(*key)


def state_counts(column: CleanColumn) -> npt.NDArray[np.int64]:
    """How many values of a column are in each state, in the order of `catalog.FEATURE_STATES`."""
    if not column.states.any():  # nearly always: all valid
        counts = np.zeros(len(State), np.int64)
        counts[State.VALID] = len(column.states)
        return counts
    return np.bincount(column.states, minlength=len(State))
