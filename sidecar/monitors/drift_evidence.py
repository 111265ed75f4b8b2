"""What the last micro-batches say about each signal: the numbers, before any verdict.

Holds the windows, the baseline each signal is compared with, and how much it moves in control. Everything
is an array over signals, because thirty features have a hundred of them and a batch must cost microseconds.

Burn-in (the first batches): the baseline is the reference. When it ends, the live mean becomes the
baseline, so that an old difference between training and traffic is not reported for ever, and the largest
excursion seen in control raises the ticket's gate ("self-calibrated"). The trap: a signal under a
verdict keeps the reference, or a break during burn-in would become the norm.
"""

from collections.abc import Mapping, Set

import numpy as np
import numpy.typing as npt

from sidecar.monitors.detectors import ChangeDetectors
from sidecar.monitors.drift_bets import Bets
from sidecar.monitors.drift_inflation import variance_inflation
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_seasons import MIN_SLOT_ROWS, Seasons
from sidecar.monitors.drift_signals import Floats, Signals

Mask = npt.NDArray[np.bool_]

# Names among the arrays of a saved state: what the bets have, and before the names of what seasons have.
_STAKES, _SEASONS = "stakes", "seasons."

RECENT_BATCHES = 8  # 512 rows: a shift of .15 sd is 3.4 standard errors
WINDOW_BATCHES = 16  # ~1,024 rows for PSI: its sampling bias with 20 bins is then .02
MIN_ROWS = 8  # with fewer values a batch says nothing of a signal
EXCURSION_FACTOR = 1.25
# Past hours are behind: a rhythm of half a deviation moves another tenth in an hour.
SEASON_FACTOR = 1.5
# Scores remembered for detectors that start again: 16,000 rows, beyond which only changes far below any
# gate are found. 4 kB a feature.
HISTORY_BATCHES = 256
# Before this many batches the variance of batches is not known, and dependent data would look severe.
MIN_BATCHES = 8
MIN_SPREAD_BATCHES = 3  # of the recent ones that must show a change: no single burst does


class Evidence:
    """Windows and baselines of every signal of one model."""

    def __init__(self, layout: DriftLayout, signals: Signals, burn_in: int) -> None:
        size, bins = len(signals), layout.size
        self.signals = signals
        self.bets = Bets(layout, signals)
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
        self._primary = np.zeros((self.burn_in, len(signals.primary)), dtype=np.float32)
        self._far = np.zeros(size)  # the side on which the last batch was severely far off, 0 for none
        self._bin_share = signals.shares_of_values.copy()
        self._burn_bins = np.zeros(bins, dtype=np.int64)
        self._known_rows = signals.reference_rows.copy()
        self._inflation = np.ones(size)
        self._settled_gate = signals.ticket_gate.copy()
        self.seasons = Seasons(size, bins)
        self._bet()

    @property
    def settled(self) -> bool:
        """Whether burn-in is over, so that gates are calibrated and tickets may be raised."""
        return self.batches >= self.burn_in

    def update(
        self,
        counts: Counts,
        most: float = np.inf,
        wall: float | None = None,
        held: Set[int] = frozenset(),
    ) -> list[int]:
        """Take one micro-batch; returns the signals whose detector found a change in it.

        `most` is what a single bet may gain from it, in nats; `wall` its time of the day, None where there is
        none; the signals `held` teach nothing about seasons.
        """
        total, rows = self.signals.sums(counts)
        if wall is not None:
            total = self._in_season(wall, counts, total, rows, held)
        told = rows >= MIN_ROWS
        safe_rows = np.maximum(rows, 1.0)
        scores = (total - rows * self.signals.mean) / (self.signals.stddev * np.sqrt(safe_rows))
        self._remember(counts, total, rows)
        effect = total / safe_rows - self.baseline
        self._far = np.where(told & (np.abs(effect) >= self.signals.severe_gate), np.sign(effect), 0.0)
        if self.batches >= MIN_BATCHES:
            self.bets.update(total, rows, counts, most)
        if not self.settled:
            self._calibrate(counts, total, rows, scores, told)
        heard = np.where(told, scores, np.nan)[: self.signals.weighted].astype(np.float32)
        self._history[self.batches % HISTORY_BATCHES] = heard
        self.batches += 1
        if self.batches <= self.burn_in and self.batches % MIN_BATCHES == 0:
            self._measure_inflation()
        return self._detectors.update(heard)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every window and baseline, copied, by name: what `restore` takes."""
        mine = {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        seasons = {_SEASONS + name: value for name, value in self.seasons.state().items()}
        return {**mine, **seasons, _STAKES: self.bets.state()}

    def restore(self, batches: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a saved state. Raises ValueError, unchanged, when it is of other signals or windows.

        Detectors have no state that could be saved: they are given the scores they had last once more.
        """
        mine = self.state()
        shapes = {name: (value.shape, value.dtype) for name, value in mine.items()}
        if shapes != {name: (value.shape, value.dtype) for name, value in arrays.items()} or batches < 0:
            raise ValueError("a drift state of other signals or windows")
        self.bets.restore(arrays[_STAKES])
        of_seasons = {
            name.removeprefix(_SEASONS): v for name, v in arrays.items() if name.startswith(_SEASONS)
        }
        self.seasons.restore(of_seasons)
        for name, value in arrays.items():
            if name != _STAKES and not name.startswith(_SEASONS):
                setattr(self, name, value.copy())
        self.batches = batches
        self._bet()
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
        self._settled_gate = self.gate.copy()
        self.baseline = live
        self._known_rows = np.where(known, np.minimum(self._known_rows, self._burn_rows), self._known_rows)
        if self.signals.weighted:
            self._adopt_bins(known)
        self.bets.forget_gradual()
        self._bet()

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

    def counts(self, batches: int) -> Counts:
        """Rows of each bin in the newest `batches` (at most 16)."""
        order = [at % WINDOW_BATCHES for at in range(max(self.batches - batches, 0), self.batches)]
        return np.asarray(self._ring_counts[order].sum(axis=0, dtype=np.int64))

    def inflation(self, signal: int) -> float:
        """How much more its batches vary than independent rows would."""
        return float(self._inflation[signal])

    def calm(self) -> Mask:
        """Signals whose recent mean is back within half the gate."""
        gate = np.where(np.isfinite(self.signals.ticket_gate), self.gate, self.signals.severe_gate)
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

    def _calibrate(self, counts: Counts, total: Floats, rows: Floats, scores: Floats, told: Mask) -> None:
        calm = told & (self._far == 0)
        self._burn_total += np.where(calm, total, 0.0)
        self._burn_rows += np.where(calm, rows, 0.0)
        self._burn_bins += counts
        self._primary[self.batches] = scores[self.signals.primary] if len(scores) else 0.0
        if self.batches + 1 >= RECENT_BATCHES:
            self._low = np.fmin(self._low, np.where(calm, self.recent, np.nan))
            self._high = np.fmax(self._high, np.where(calm, self.recent, np.nan))

    def _measure_inflation(self) -> None:
        """What is bet on the next batch rests on those before it."""
        if not self.signals.weighted:
            return
        measured = variance_inflation(self._history[: min(self.batches, HISTORY_BATCHES)].astype(float))
        self._inflation = measured[self.signals.like]
        self._bet()

    def _adopt_bins(self, known: Mask) -> None:
        """Bins of columns none of whose signals is held have the share they had in burn-in."""
        columns = self.signals.column_of[: self.signals.weighted]
        free = np.bincount(columns, ~known[: self.signals.weighted]) == 0
        values = np.where(self.signals.is_value, self._burn_bins, 0)
        rows = np.bincount(self.signals.column_of_bin, values)[self.signals.column_of_bin]
        adopt = free[self.signals.column_of_bin] & (rows >= MIN_ROWS * self.burn_in)
        self._bin_share = np.where(adopt, values / np.maximum(rows, 1.0), self._bin_share)

    def _in_season(self, wall: float, counts: Counts, total: Floats, rows: Floats, held: Set[int]) -> Floats:
        """The sums less what this hour of the day is expected to add; learns what that is."""
        seasons = self.seasons
        teaches = np.ones(len(self.signals), dtype=bool)
        teaches[list(held)] = False
        before = seasons.hour_counts.copy() if not seasons.in_use else None
        if seasons.learn(wall, total, rows, counts, teaches) and before is not None and self.settled:
            self._bear_what_was(before)
        if seasons.begin(wall):
            self._begin_anew()
        if not seasons.in_use:
            return total
        offset = seasons.offset(wall, self.baseline)
        offset[self.signals.weighted :] = 0.0  # what is stuck is stuck at any hour
        return np.asarray(total - rows * offset)

    def _bear_what_was(self, hour: Counts) -> None:
        """An hour is over: widen the gates by what past ones were, until a season is known."""
        far = self.seasons.excursion(self.baseline)
        far[self.signals.weighted :] = 0.0
        wider = self.signals.ticket_gate + SEASON_FACTOR * far
        self.gate = np.where(far > 0, np.maximum(self._settled_gate, wider), self.gate)
        values = np.where(self.signals.is_value, hour, 0)
        if self.signals.weighted:
            columns = self.signals.column_of_bin
            rows = np.bincount(columns, values)[columns]
            self.seasons.end_hour_of_bins(
                np.where(rows >= MIN_ROWS * self.burn_in, values / np.maximum(rows, 1), 0)
            )
        self._bet()

    def _begin_anew(self) -> None:
        """From now on scores are about what the hour does not explain: forget windows, calibrate again."""
        self.batches = 0
        self.gate = self.signals.ticket_gate.copy()
        self._settled_gate = self.gate.copy()
        self._detectors = ChangeDetectors([s.delta for s in self.signals.all[: self.signals.weighted]])
        self._history[:] = np.nan
        for zeroed in (self._ring_total, self._ring_rows, self._burn_total, self._burn_rows, self._burn_bins):
            zeroed[:] = 0
        self._low[:], self._high[:], self.recent[:] = np.inf, -np.inf, np.nan
        hours = np.maximum(self.seasons.fewest_rows(), MIN_SLOT_ROWS)
        self._known_rows = np.minimum(self._known_rows, hours)
        self._bet()

    def _bet(self) -> None:
        """Bet against what is known to be normal now."""
        narrow = np.where(np.isfinite(self.gate), self.gate, 0.0)
        wider = np.maximum(narrow - np.where(np.isfinite(self._settled_gate), self._settled_gate, 0.0), 0.0)
        shares = np.maximum(self._bin_share, self.seasons.fullest)
        self.bets.calibrate(self.baseline, shares, self._known_rows, self._inflation, wider)

    def _off(self, signal: int) -> Mask:
        """Of the recent batches, oldest first: which are beyond half the gate, on the recent side."""
        first = max(self.batches - RECENT_BATCHES, 0)
        order = [at % RECENT_BATCHES for at in range(first, self.batches)]
        rows = self._ring_rows[order, signal]
        effect = self._ring_total[order, signal] / np.maximum(rows, 1.0) - self.baseline[signal]
        side = np.sign(self.recent[signal] - self.baseline[signal])
        half = min(self.gate[signal], self.signals.severe_gate[signal]) / 2
        return np.asarray((rows > 0) & (side * effect >= half))
