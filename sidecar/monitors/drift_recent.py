"""The newest micro-batches: what every signal had in each of 8, and the rows of every bin in each of 16.

What it is not: a judgement; means are compared in `drift_evidence`, bins with the reference's shares in
`drift_scores`. The trap: a batch's place is its number modulo the batches kept, so whoever asks says how many
batches there were.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_layout import Counts
from sidecar.monitors.drift_signals import Floats

RECENT_BATCHES = 8  # 512 rows: a shift of .15 sd is 3.4 standard errors
WINDOW_BATCHES = 16  # ~1,024 rows for PSI: its sampling bias with 20 bins is then .02
# Two bytes hold the rows of a bin, until a batch has more.
_NARROW = np.uint16
_MOST_NARROW = np.iinfo(_NARROW).max
_COUNTS = "_counts"


class Recent:
    """The newest batches of so many signals and bins. `window` is the rows of each bin in all 16."""

    def __init__(self, signals: int, bins: int) -> None:
        self.window = np.zeros(bins, dtype=np.int32)
        self._counts: npt.NDArray[Any] = np.zeros((WINDOW_BATCHES, bins), dtype=_NARROW)
        self._total = np.zeros((RECENT_BATCHES, signals))
        self._rows = np.zeros((RECENT_BATCHES, signals), dtype=np.float32)

    def take(self, batch: int, counts: Counts, total: Floats, rows: Floats) -> None:
        """Batch number `batch`: rows of each bin, and of each signal the sum and the rows it is over."""
        at = batch % WINDOW_BATCHES
        self.window += counts - self._counts[at]
        if counts.max(initial=0) > _MOST_NARROW:
            self._counts = self._counts.astype(np.int32)
        self._counts[at] = counts
        at = batch % RECENT_BATCHES
        self._total[at], self._rows[at] = total, rows

    def rows(self) -> Floats:
        """Of each signal, the rows in the newest 8 batches."""
        return np.asarray(np.add.reduce(self._rows), dtype=np.float64)

    def means(self, at_least: int) -> Floats:
        """Of each signal, the mean of the newest 8 batches; NaN where they have fewer rows than so many."""
        rows = self.rows()
        return np.where(rows >= at_least, np.add.reduce(self._total) / np.maximum(rows, 1.0), np.nan)

    def each(self, signal: int, batches: int, most: int = RECENT_BATCHES) -> tuple[Floats, Floats]:
        """Sums and rows of a signal in the newest `most` of so many batches, the oldest first."""
        order = _order(batches, min(most, RECENT_BATCHES), RECENT_BATCHES)
        return self._total[order, signal], self._rows[order, signal].astype(np.float64)

    def counts(self, batches: int, most: int) -> Counts:
        """Rows of each bin in the newest `most` (at most 16) of so many batches."""
        order = _order(batches, most, WINDOW_BATCHES)
        return np.asarray(self._counts[order].sum(axis=0, dtype=np.int64))

    def forget_signals(self) -> None:
        """What signals had was about another normal."""
        self._total[:] = 0
        self._rows[:] = 0

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every array by name, copied."""
        mine = {name: value.copy() for name, value in vars(self).items()}
        return {**mine, _COUNTS: mine[_COUNTS].astype(np.int32)}

    def restore(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a saved state, of the same shapes."""
        for name, value in arrays.items():
            setattr(self, name, value.copy())
        if self._counts.max(initial=0) <= _MOST_NARROW:
            self._counts = self._counts.astype(_NARROW)


def _order(batches: int, most: int, kept: int) -> list[int]:
    return [at % kept for at in range(max(batches - most, 0), batches)]
