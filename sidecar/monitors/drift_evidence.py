"""What the last micro-batches say about each signal: the numbers, before any verdict.

Holds the windows, the baseline each signal is compared with, and how much it moves in control. Everything
is an array over signals, because thirty features have a hundred of them and a batch must cost microseconds.

Burn-in (the first batches): the baseline is the reference. When it ends, the live mean becomes the
baseline, so that an old difference between training and traffic is not reported for ever, and the largest
excursion seen in control raises the ticket's gate ("self-calibrated"). The trap: a signal under a
verdict keeps the reference, or a break during burn-in would become the norm.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sidecar.monitors.detectors import ChangeDetectors
from sidecar.monitors.drift_layout import Counts
from sidecar.monitors.drift_signals import Floats, Signals

Mask = npt.NDArray[np.bool_]

RECENT_BATCHES = 8  # 512 rows: a shift of .15 sd is 3.4 standard errors
WINDOW_BATCHES = 16  # ~1,024 rows for PSI: its sampling bias with 20 bins is then .02
MIN_ROWS = 8  # with fewer values a batch says nothing of a signal
EXCURSION_FACTOR = 1.25
# A severe break lasts two batches and 128 rows, so that one large request is none; seven standard
# errors is 1e-11 a test for means, and 1e-8 for shares of a few percent, whose tails are heavier.
SEVERE_BATCHES, SEVERE_ROWS, SEVERE_ERRORS = 2, 128, 7.0
# Rows that depend on each other count for fewer: AR(1) .9 has 8 times the variance, and needs 256 of them.
SEVERE_INDEPENDENT_ROWS = 32
# Scores remembered for detectors that start again: 16,000 rows, beyond which only changes far below any
# gate are found. 4 kB a feature.
HISTORY_BATCHES = 256
# Before this many batches the variance of batches is not known, and dependent data would look severe.
MIN_BATCHES = 8
FEW_BATCHES = 6.0
MIN_SPREAD_BATCHES = 3  # of the recent ones that must show a change: no single burst does


class Evidence:
    """Windows and baselines of every signal of one model."""

    def __init__(self, signals: Signals, bins: int, burn_in: int) -> None:
        size = len(signals)
        self.signals = signals
        self.batches = 0
        self.burn_in = max(burn_in, MIN_BATCHES)
        self.baseline = signals.mean.copy()
        self.gate = signals.ticket_gate.copy()
        self.recent = np.full(size, np.nan)
        self.window = np.zeros(bins, dtype=np.int64)
        self._detectors = ChangeDetectors([s.delta for s in signals.all[: signals.weighted]])
        self._history = np.full((HISTORY_BATCHES, signals.weighted), np.nan, dtype=np.float32)
        self._ring_counts = np.zeros((WINDOW_BATCHES, bins), dtype=np.int32)
        self._ring_total = np.zeros((RECENT_BATCHES, size))
        self._ring_rows = np.zeros((RECENT_BATCHES, size))
        self._burn_total, self._burn_rows = np.zeros(size), np.zeros(size)
        self._low, self._high = np.full(size, np.inf), np.full(size, -np.inf)
        self._calm_batches = np.zeros(size)
        self._score_sum, self._score_squares = np.zeros(size), np.zeros(size)
        self._primary = np.zeros((self.burn_in, len(signals.primary)), dtype=np.float32)
        self._streak_sign, self._streak = np.zeros(size), np.zeros(size)
        self._streak_rows, self._streak_score = np.zeros(size), np.zeros(size)

    @property
    def settled(self) -> bool:
        """Whether burn-in is over, so that gates are calibrated and tickets may be raised."""
        return self.batches >= self.burn_in

    def update(self, counts: Counts) -> list[int]:
        """Take one micro-batch; returns the signals whose detector found a change in it."""
        total, rows = self.signals.sums(counts)
        told = rows >= MIN_ROWS
        safe_rows = np.maximum(rows, 1.0)
        scores = (total - rows * self.signals.mean) / (self.signals.stddev * np.sqrt(safe_rows))
        self._remember(counts, total, rows)
        self._follow_streaks(total / safe_rows - self.baseline, rows, told)
        if not self.settled:
            self._calibrate(total, rows, scores, told)
        heard = np.where(told, scores, np.nan)[: self.signals.weighted].astype(np.float32)
        self._history[self.batches % HISTORY_BATCHES] = heard
        self.batches += 1
        return self._detectors.update(heard)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every window and baseline, copied, by name: what `restore` takes."""
        return {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def restore(self, batches: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a saved state. Raises ValueError, unchanged, when it is of other signals or windows.

        Detectors have no state that could be saved: they are given the scores they had last once more.
        """
        mine = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        shapes = {name: (value.shape, value.dtype) for name, value in mine.items()}
        if shapes != {name: (value.shape, value.dtype) for name, value in arrays.items()} or batches < 0:
            raise ValueError("a drift state of other signals or windows")
        for name, value in arrays.items():
            setattr(self, name, value.copy())
        self.batches = batches
        for at in range(max(batches - HISTORY_BATCHES, 0), batches):
            self._detectors.update(self._history[at % HISTORY_BATCHES])

    def settle(self, held: Mask) -> None:
        """End burn-in: adopt the live mean and the calibrated gate, but for signals under a verdict."""
        known = (self._burn_rows >= MIN_ROWS * self.burn_in) & ~held
        known[self.signals.weighted :] = False  # stuck is judged against the reference only
        live = np.where(known, self._burn_total / np.maximum(self._burn_rows, 1.0), self.baseline)
        excursion = np.maximum(self._high - live, live - self._low)
        calibrated = known & np.isfinite(excursion)
        wider = np.maximum(self.gate, EXCURSION_FACTOR * np.where(calibrated, excursion, 0.0))
        self.gate = np.where(calibrated, wider, self.gate)
        self.baseline = live

    def beyond_gate(self) -> Mask:
        """Signals whose recent mean is further from the baseline than the ticket's gate."""
        if self.batches < RECENT_BATCHES:
            return np.zeros(len(self.signals), dtype=bool)
        return np.asarray(np.abs(self.recent - self.baseline) >= self.gate)

    def lasting(self, signal: int) -> int:
        """For how many of the recent batches, counted back from now, the signal has been off."""
        off = self._off(signal)[::-1]
        return len(off) if off.all() else int(np.argmin(off))

    def spread(self, signal: int) -> bool:
        """Whether several batches show the change, and not one burst alone."""
        return int(self._off(signal).sum()) >= MIN_SPREAD_BATCHES

    def mean(self, signal: int, batches: int) -> float:
        """The mean of a signal over the newest `batches` (at most 8)."""
        order = [at % RECENT_BATCHES for at in range(max(self.batches - batches, 0), self.batches)]
        return float(self._ring_total[order, signal].sum() / max(self._ring_rows[order, signal].sum(), 1.0))

    def severe(self) -> Mask:
        """Signals far beyond anything gradual in every one of the last batches."""
        if self.batches < MIN_BATCHES:
            return np.zeros(len(self.signals), dtype=bool)
        enough = (self._streak >= SEVERE_BATCHES) & (self._streak_rows >= SEVERE_ROWS)
        if not enough.any():
            return enough
        inflation = self._inflation()
        enough &= self._streak_rows >= SEVERE_INDEPENDENT_ROWS * inflation
        errors = np.abs(self._streak_score) / np.sqrt(np.maximum(self._streak_rows, 1.0) * inflation)
        # A variance from few batches may be far too small: ask for more while it is.
        needed = SEVERE_ERRORS * (1 + FEW_BATCHES / np.maximum(self._calm_batches, 1.0)[self.signals.like])
        return np.asarray(enough & (errors >= needed))

    def severe_throughout(self, signal: int) -> bool:
        """Whether the recent mean as a whole is severe, which a change below it is not by chance."""
        off = abs(self.recent[signal] - self.baseline[signal])
        return bool(off >= self.signals.severe_gate[signal])

    def calm(self) -> Mask:
        """Signals whose recent mean is back within half the gate."""
        gate = np.where(np.isfinite(self.gate), self.gate, self.signals.severe_gate)
        return np.asarray(np.abs(self.recent - self.baseline) < gate / 2)

    def correlation(self, column: int, other: int) -> float:
        """Correlation of two columns' batch scores during burn-in, 0 when not known."""
        seen = self._primary[: min(self.batches, self.burn_in)]
        a, b = seen[:, column], seen[:, other]
        if len(a) < MIN_BATCHES or a.std() == 0 or b.std() == 0:
            return 0.0
        return float(np.corrcoef(a, b)[0, 1])

    def _remember(self, counts: Counts, total: Floats, rows: Floats) -> None:
        at = self.batches % WINDOW_BATCHES
        self.window += counts - self._ring_counts[at]
        self._ring_counts[at] = counts
        at = self.batches % RECENT_BATCHES
        self._ring_total[at], self._ring_rows[at] = total, rows
        recent_rows = self._ring_rows.sum(axis=0)
        enough = recent_rows >= MIN_ROWS * RECENT_BATCHES
        recent = self._ring_total.sum(axis=0) / np.maximum(recent_rows, 1.0)
        self.recent = np.where(enough, recent, np.nan)

    def _follow_streaks(self, effect: Floats, rows: Floats, told: Mask) -> None:
        sign = np.sign(effect) * (np.abs(effect) >= self.signals.severe_gate)
        goes_on = told & (sign != 0) & (sign == self._streak_sign)
        begins = told & (sign != 0) & ~goes_on
        stays = goes_on | ~told
        added = told & (sign != 0)
        self._streak_sign = np.where(begins, sign, np.where(stays, self._streak_sign, 0.0))
        score = rows * effect / self.signals.stddev
        self._streak = np.where(stays, self._streak, 0.0) + added
        self._streak_rows = np.where(stays, self._streak_rows, 0.0) + np.where(added, rows, 0.0)
        self._streak_score = np.where(stays, self._streak_score, 0.0) + np.where(added, score, 0.0)

    def _calibrate(self, total: Floats, rows: Floats, scores: Floats, told: Mask) -> None:
        calm = told & (self._streak == 0)
        self._calm_batches += calm
        self._score_sum += np.where(calm, scores, 0.0)
        self._score_squares += np.where(calm, scores**2, 0.0)
        self._burn_total += np.where(calm, total, 0.0)
        self._burn_rows += np.where(calm, rows, 0.0)
        self._primary[self.batches] = scores[self.signals.primary] if len(scores) else 0.0
        if self.batches + 1 >= RECENT_BATCHES:
            self._low = np.fmin(self._low, np.where(calm, self.recent, np.nan))
            self._high = np.fmax(self._high, np.where(calm, self.recent, np.nan))

    def _inflation(self) -> Floats:
        """How much more batches vary than independent rows would: at least 1."""
        batches = np.maximum(self._calm_batches, 1.0)
        variance = self._score_squares / batches - (self._score_sum / batches) ** 2
        return np.asarray(np.maximum(variance, 1.0)[self.signals.like])

    def _off(self, signal: int) -> Mask:
        """Of the recent batches, oldest first: which are beyond half the gate, on the recent side."""
        first = max(self.batches - RECENT_BATCHES, 0)
        order = [at % RECENT_BATCHES for at in range(first, self.batches)]
        rows = self._ring_rows[order, signal]
        effect = self._ring_total[order, signal] / np.maximum(rows, 1.0) - self.baseline[signal]
        side = np.sign(self.recent[signal] - self.baseline[signal])
        half = min(self.gate[signal], self.signals.severe_gate[signal]) / 2
        return np.asarray((rows > 0) & (side * effect >= half))
