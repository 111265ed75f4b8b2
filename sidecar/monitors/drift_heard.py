"""What detectors hear: the sums of every micro-batch, standardised to mean 0 and deviation 1 in control.

Keeps the scores of burn-in until it is over; then, where states are saved, the last ones: detectors cannot be
saved, and hear them again after a restart. What it is not: the judge of a change's size. The trap: scores are
made with a mean and a deviation, first the reference's, then the adopted ones (`standardise`). With the
reference's alone, nulls that were always a tenth of the rows would score beyond the largest a detector takes,
before a change and after it, and it would never be heard.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sidecar.monitors.detectors import ChangeDetectors
from sidecar.monitors.drift_inflation import dependent_batches
from sidecar.monitors.drift_signals import Floats, Mask, Signals

# Scores remembered for detectors that start again: 8,000 rows, beyond which only changes far below any
# gate are found. 2 kB a feature, kept only where they may be needed.
HISTORY_BATCHES = 128
# Of fewer batches a correlation says nothing.
MIN_CORRELATED = 8


class Heard:
    """The scores of one model's signals; after burn-in only if it is to `remember` them."""

    def __init__(self, signals: Signals, burn_in: int, *, remember: bool) -> None:
        self._signals = signals
        self._remember = remember
        self._batches = max(burn_in, HISTORY_BATCHES) if remember else burn_in
        self._centre, self._scale = signals.mean.copy(), signals.stddev.copy()
        self._sizes = np.zeros(self._batches)
        self._scores = self._nothing()
        self._primary = np.zeros((burn_in, len(signals.primary)), dtype=np.float32)
        # Batches that a detector hears as one, and the sum of those it has not heard yet.
        self._joined = np.ones(1, dtype=np.int32)
        self._unheard = np.zeros((2, signals.weighted), dtype=np.float32)
        self._detectors = self._fresh()

    def score(self, total: Floats, rows: Floats) -> Floats:
        """The scores of one micro-batch's sums."""
        return np.asarray((total - rows * self._centre) / (self._scale * np.sqrt(np.maximum(rows, 1.0))))

    def update(self, batch: int, scores: Floats, told: Mask, size: float) -> list[int]:
        """Take scores of a batch of `size` rows; returns signals in which a change was just found.

        Signals that are not `told` say nothing.
        """
        heard = np.where(told, scores, np.nan)[: self._signals.weighted].astype(np.float32)
        if len(self._scores):
            at = batch % self._batches
            self._scores[at], self._sizes[at] = heard, size
        return self._hear(batch, heard)

    def _hear(self, batch: int, scores: npt.NDArray[np.float32]) -> list[int]:
        """Let detectors hear so many batches at once that they are independent."""
        joined = int(self._joined[0])
        if joined == 1:
            return self._detectors.update(scores)
        said = np.isfinite(scores)
        self._unheard += np.where(said, scores, 0.0), said
        if (batch + 1) % joined:
            return []
        total, count = self._unheard
        together = np.where(count > 0, total / np.sqrt(np.maximum(count, 1.0)), np.nan)
        self._unheard = np.zeros_like(self._unheard)
        return self._detectors.update(together)

    def keep(self, batch: int, scores: Floats) -> None:
        """Remember a batch of burn-in, for `correlation`."""
        self._primary[batch] = scores[self._signals.primary] if len(scores) else 0.0

    def correlation(self, column: int, other: int, batches: int) -> float:
        """Correlation of two columns' scores in so many batches of burn-in, 0 when not known."""
        seen = self._primary[:batches]
        a, b = seen[:, column], seen[:, other]
        if len(a) < MIN_CORRELATED or a.std() == 0 or b.std() == 0:
            return 0.0
        return float(np.corrcoef(a, b)[0, 1])

    def last(self, batches: int, mean: Floats) -> Floats:
        """The last scores of so many batches, as if shares were `mean`; shape (batches, weighted)."""
        factor = (self._scale / self._signals.deviation(mean))[: self._signals.weighted]
        return np.asarray(self._scores[self._order(batches)] * factor)

    def standardise(self, centre: Floats, batches: int, rows: Floats) -> None:
        """From now on around `centre`. The last of so many batches, of `rows` rows in all, are heard anew."""
        scale = self._signals.deviation(centre)
        order = self._order(batches)
        own = slice(None, self._signals.weighted)
        sizes = self._sizes[order]
        each = np.outer(sizes, np.minimum(rows[own] / max(float(sizes.sum()), 1.0), 1.0))
        sums = self._scores[order] * self._scale[own] + np.sqrt(each) * (self._centre - centre)[own]
        self._scores[order] = sums / scale[own]
        self._centre, self._scale = centre, scale
        self._joined[0] = dependent_batches(self._scores[order].astype(np.float64))
        self._begin()
        self.replay(batches)
        if not self._remember:
            self._scores = self._scores[:0].copy()  # a view would keep all of it

    def forget(self) -> None:
        """Start anew, around what is normal now."""
        self._joined[0] = 1
        self._begin()
        self._scores = self._nothing()

    def replay(self, batches: int) -> None:
        """Let detectors hear the last scores of so many batches."""
        first = max(batches - self._batches, 0)
        for number, at in enumerate(self._order(batches), first):
            self._hear(number, self._scores[at])

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every array by name, copied."""
        return {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def restore(self, arrays: Mapping[str, npt.NDArray[np.generic]], batches: int) -> None:
        """Go on from a saved state, of the same shapes."""
        for name, value in arrays.items():
            setattr(self, name, value.copy())
        self._begin()
        self.replay(batches)

    def _begin(self) -> None:
        self._unheard = np.zeros_like(self._unheard)
        self._detectors = self._fresh()

    def _nothing(self) -> npt.NDArray[np.float32]:
        return np.full((self._batches, self._signals.weighted), np.nan, dtype=np.float32)

    def _fresh(self) -> ChangeDetectors:
        return ChangeDetectors([s.delta for s in self._signals.all[: self._signals.weighted]])

    def _order(self, batches: int) -> list[int]:
        return [at % self._batches for at in range(max(batches - self._batches, 0), batches)]
