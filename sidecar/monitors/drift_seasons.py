"""What is normal at this hour: the mean of every signal by hour of the day, workdays and weekends apart.

A daily rhythm is no drift. For the first two days it cannot be told from one: the means of past hours then
only widen what is borne (`excursion`, `fullest`); from then on the hour's mean is expected (`offset`).
Hours are those of UTC, so that a change to summer time moves a rhythm by one hour and no more.

What it is not: a forecast; there is no trend and no year in it. The trap: what goes on to learn takes slow
drift for normal, so after two weeks, or a million rows of an hour, it has learnt; and what is under a verdict
teaches nothing.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_layout import Counts

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

HOUR, DAY = 3600.0, 86400.0
SLOTS = 48
# Two cycles: one day could have been an odd one.
CYCLES = 2
# Two weekends; a slot's mean is then that of ten workdays.
LEARN_DAYS = 14
ENOUGH_ROWS = 1_000_000
# Past hours are behind: a rhythm of half a deviation moves another tenth in an hour; and from the middle
# of the last hour to the end of this one it is an hour and a half.
FURTHER, HOURS_AHEAD = 1.5, 1.5
# Of fewer rows a mean is not known to a third of a ticket's gate (.15 deviations).
MIN_SLOT_ROWS = 512


class Seasons:
    """Means by hour of `signals` signals and the fullest hour of `bins` bins, for one model."""

    def __init__(self, signals: int, bins: int) -> None:
        self._total = np.zeros((SLOTS, signals), dtype=np.float32)
        self._rows = np.zeros((SLOTS, signals), dtype=np.float32)
        self._days = np.zeros(SLOTS, dtype=np.int32)  # on how many days a slot was seen
        self._last_day = np.full(SLOTS, -1, dtype=np.int64)
        self._hour_total, self._hour_rows = np.zeros(signals), np.zeros(signals)
        self._low, self._high = np.full(signals, np.inf), np.full(signals, -np.inf)
        self._last, self._steepest = np.full(signals, np.nan), np.zeros(signals)
        self._hour_counts = np.zeros(bins, dtype=np.int32)
        self.fullest = np.zeros(bins, dtype=np.float32)
        # The current hour, the first one, whether hours are in use; an array, to be saved like the rest.
        self._clock = np.array([-1, -1, 0], dtype=np.int64)

    @property
    def in_use(self) -> bool:
        """Whether what is expected depends on the hour."""
        return bool(self._clock[2])

    def learn(self, wall: float, total: Floats, rows: Floats, counts: Counts, calm: Mask) -> bool:
        """Take one micro-batch at a wall-clock time; True when an hour is over: what is borne may change.

        `calm` are the signals that nothing is said about.
        """
        hour, first, _ = self._clock.tolist()
        now = int(wall // HOUR)
        over = bool(hour >= 0 and now != hour)
        if over:
            self._end_hour()
        self._clock[0] = now
        if first < 0:
            self._clock[1] = first = now
        self._hour_total += np.where(calm, total, 0.0)
        self._hour_rows += np.where(calm, rows, 0.0)
        if not self.in_use:
            self._hour_counts += counts
        if now - first < LEARN_DAYS * 24:
            self._learn_slot(_slot(wall), int(wall // DAY), total, rows, calm)
        return over

    def begin(self, wall: float) -> bool:
        """True once: when two cycles are known, and hours come into use."""
        hour, first, used = self._clock.tolist()
        if used or first < 0 or hour - first < CYCLES * 24 or not self._known(_slot(wall)).any():
            return False
        self._clock[2] = 1
        return True

    def fewest_rows(self) -> Floats:
        """What the least known hour rests on, of those that were seen."""
        rows = self._rows[self._days > 0].astype(float)
        return rows.min(axis=0) if len(rows) else np.zeros(self._rows.shape[1])

    def offset(self, wall: float, baseline: Floats) -> Floats:
        """How far this hour's mean is from the baseline; 0 where it is not known."""
        slot = _slot(wall)
        rows, total = self._rows[slot], self._total[slot]
        if self._days[slot] < CYCLES:  # the first weekend: as on workdays, and the other way round
            other = (slot + 24) % SLOTS
            rows, total = rows + self._rows[other], total + self._total[other]
        mean = total / np.maximum(rows, 1.0)
        return np.where(self._known(slot), mean - baseline, 0.0)

    def excursion(self, baseline: Floats) -> Floats:
        """How far from the baseline this hour may come; 0 while no hour is over.

        Further than past ones: a rhythm goes on, at worst as steeply as it ever was between two hours.
        """
        far = np.maximum(self._high - baseline, baseline - self._low)
        further = np.maximum(FURTHER * far, far + HOURS_AHEAD * self._steepest)
        return np.where(np.isfinite(far), further, 0.0)

    def neighbourhood(self, wall: float, baseline: Floats) -> tuple[Floats, Floats, Floats]:
        """The least and the most that this hour, those beside it and the baseline were; rows of this hour.

        For the second day, when an hour was seen once: workdays and weekends alike, without the hour that is.
        """
        slot = _slot(wall)
        low, high, rows = baseline.copy(), baseline.copy(), np.zeros_like(baseline)
        for beside in (-1, 0, 1):
            pair = [at := (slot % 24 + beside) % 24, at + 24]
            total, seen = self._total[pair].sum(axis=0), self._rows[pair].sum(axis=0)
            if beside == 0:
                total, seen = total - self._hour_total, seen - self._hour_rows
                rows = np.where(seen >= MIN_SLOT_ROWS, seen, 0.0)
            mean = np.where(seen >= MIN_SLOT_ROWS, total / np.maximum(seen, 1.0), baseline)
            low, high = np.minimum(low, mean), np.maximum(high, mean)
        return low, high, rows

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every array by name, copied."""
        return {name: value.copy() for name, value in vars(self).items()}

    def restore(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a saved state, of the same shapes."""
        for name, value in arrays.items():
            setattr(self, name, value.copy())

    def _known(self, slot: int) -> Mask:
        pair = [slot, (slot + 24) % SLOTS]
        own = (self._days[slot] >= CYCLES) & (self._rows[slot] >= MIN_SLOT_ROWS)
        pooled = (self._days[pair].sum() >= CYCLES) & (self._rows[pair].sum(axis=0) >= MIN_SLOT_ROWS)
        return np.asarray(own | (pooled & (self._days[slot] < CYCLES)))

    def _learn_slot(self, slot: int, day: int, total: Floats, rows: Floats, calm: Mask) -> None:
        if self._last_day[slot] != day:
            self._last_day[slot] = day
            self._days[slot] += 1
        take = calm & (self._rows[slot] < ENOUGH_ROWS)
        self._total[slot] += np.where(take, total, 0.0)
        self._rows[slot] += np.where(take, rows, 0.0)

    def _end_hour(self) -> None:
        mean = self._hour_total / np.maximum(self._hour_rows, 1.0)
        some = self._hour_rows >= MIN_SLOT_ROWS
        self._low = np.where(some, np.minimum(self._low, mean), self._low)
        self._high = np.where(some, np.maximum(self._high, mean), self._high)
        step = np.where(some, np.abs(mean - self._last), np.nan)
        self._steepest = np.fmax(self._steepest, step)
        self._last = np.where(some, mean, np.nan)
        self._hour_total, self._hour_rows = np.zeros_like(self._low), np.zeros_like(self._low)

    def end_hour_of_bins(self, share: Floats) -> None:
        """`share`: of each bin in the hour that is over."""
        self.fullest = np.maximum(self.fullest, share).astype(np.float32)
        self._hour_counts[:] = 0

    @property
    def hour_counts(self) -> Counts:
        """Rows of each bin in this hour."""
        return self._hour_counts


def _slot(wall: float) -> int:
    """Hour of the day, and 24 more at weekends; 1970 began on a Thursday."""
    weekend = (int(wall // DAY) + 3) % 7 >= 5
    return int(wall % DAY // HOUR) + 24 * weekend
