"""Rows that wait until there are enough of them to be judged: an open micro-batch.

What it is not: the decision when it is full (`drift_pace`).
"""

import numpy as np

from sidecar.monitors.drift_judge import MicroBatch
from sidecar.monitors.drift_layout import Counts


class Waiting:
    """An open micro-batch of so many bins."""

    def __init__(self, bins: int) -> None:
        self.rows = 0
        self.first = 0.0
        self._counts: Counts = np.zeros(bins, dtype=np.int64)
        self._arrivals = 0
        self._last = 0.0
        self._span = (0, 0)

    def add(
        self, counts: Counts, rows: int, arrivals: int, times: tuple[float, float], span: tuple[int, int]
    ) -> None:
        """More rows: how many in each bin, in how many requests, first and last time, their span."""
        if not self.rows:
            self.first, self._span = times[0], span
        self._counts += counts
        self.rows += rows
        self._arrivals += arrivals
        self._last, self._span = times[1], (self._span[0], span[1])

    def take(self) -> tuple[Counts, MicroBatch]:
        """What waited; nothing waits then."""
        taken = self._counts, MicroBatch(self.rows, self._arrivals, self.first, self._last, self._span)
        self._counts = np.zeros_like(self._counts)
        self.rows = self._arrivals = 0
        return taken
