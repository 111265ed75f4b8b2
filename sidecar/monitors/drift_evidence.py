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

from sidecar.monitors.drift_baseline import Normal, adopted, calibrated_gate, noise
from sidecar.monitors.drift_bets import Bets
from sidecar.monitors.drift_heard import Heard
from sidecar.monitors.drift_inflation import noise_inflation, variance_inflation
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_recent import RECENT_BATCHES, Recent
from sidecar.monitors.drift_seasons import MIN_SLOT_ROWS, Seasons
from sidecar.monitors.drift_signals import Floats, Mask, Signals

# Names among the arrays of a saved state: what the bets have, and before the names of what parts have.
_STAKES, _SEASONS, _HEARD, _RECENT = "stakes", "seasons.", "heard.", "recent."

MIN_ROWS = 8  # with fewer values a batch says nothing of a signal
# Before this many batches the variance of batches is not known, and dependent data would look severe.
MIN_BATCHES = 8
# A batch of burn-in that is further off than a severe break, and chance, is none to learn from.
FAR_ERRORS = 3.0
# More than half of the rows null is a break even when it was there from the first row.
MOST_FROM_START = 0.5
MIN_SPREAD_BATCHES = 3  # of the recent ones that must show a change: no single burst does


class Evidence:
    """Windows and baselines of every signal of one model."""

    def __init__(self, layout: DriftLayout, signals: Signals, burn_in: int, *, remember: bool = True) -> None:
        size, bins = len(signals), layout.size
        self.signals = signals
        self.bets = Bets(layout, signals)
        self.batches = 0
        self.burn_in = max(burn_in, MIN_BATCHES)
        self.baseline = signals.mean.copy()
        # What the recent mean should be, and how far to either side it may be for that anyway.
        self.expected, self._slack = signals.mean.copy(), np.zeros(size)
        self._hour_rows = np.zeros(size)  # where there is slack: what it is known from
        self.gate = signals.ticket_gate.copy()
        self.recent = np.full(size, np.nan)
        self._newest = Recent(size, bins)
        self._burn_total, self._burn_rows = np.zeros(size), np.zeros(size)
        self._low, self._high = np.full(size, np.inf), np.full(size, -np.inf)
        # Nulls and new levels that the first batches had beyond the reference.
        self._from_start = np.zeros(size)
        self._bin_share = signals.shares_of_values
        self._burn_bins = np.zeros(bins, dtype=np.int32)
        self._known_rows = signals.reference_rows.copy()
        self._inflation, self._noise_inflation = np.ones(size), np.ones(size)
        self._settled_gate = signals.ticket_gate.copy()
        self.heard = Heard(signals, self.burn_in, remember=remember)
        self.seasons = Seasons(signals.weighted, bins)  # what is stuck is stuck at any hour
        self._bet()

    @property
    def window(self) -> Counts:
        """Rows of each bin in the newest 16 batches."""
        return self._newest.window

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
        scores = self.heard.score(total, rows)
        self._newest.take(self.batches, counts, total, rows)
        self.recent = self._newest.means(MIN_ROWS * RECENT_BATCHES)
        if self.batches >= MIN_BATCHES:
            self.bets.update(total, rows, counts, most)
        if not self.settled:
            self._calibrate(counts, total, safe_rows, told)
            self.heard.keep(self.batches, scores)
        changed = self.heard.update(self.batches, scores, told, float(rows.max(initial=0.0)))
        self.batches += 1
        if self.batches == MIN_BATCHES and not self.seasons.in_use:
            self._bear_the_start()
        if self.batches <= self.burn_in and self.batches % MIN_BATCHES == 0:
            self._measure_inflation()
        return changed

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every window and baseline, copied, by name: what `restore` takes."""
        mine = {name: value.copy() for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        for prefix, part in ((_SEASONS, self.seasons), (_HEARD, self.heard), (_RECENT, self._newest)):
            mine.update({prefix + name: value for name, value in part.state().items()})
        return {**mine, _STAKES: self.bets.state()}

    def restore(self, batches: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a saved state. Raises ValueError, unchanged, when it is of other signals or windows.

        Detectors have no state that could be saved: they are given the scores they had last once more.
        """
        mine = self.state()
        shapes = {name: (value.shape, value.dtype) for name, value in mine.items()}
        if shapes != {name: (value.shape, value.dtype) for name, value in arrays.items()} or batches < 0:
            raise ValueError("a drift state of other signals or windows")
        self.bets.restore(arrays[_STAKES])
        self.seasons.restore(_part(arrays, _SEASONS))
        self._newest.restore(_part(arrays, _RECENT))
        for name in vars(self).keys() & arrays.keys():
            setattr(self, name, arrays[name].copy())
        self.batches = batches
        self._bet()
        self.heard.restore(_part(arrays, _HEARD), batches)

    def settle(self, held: Mask) -> None:
        """End burn-in: adopt the live mean and the calibrated gate, but for signals under a verdict."""
        known = (self._burn_rows >= MIN_ROWS * self.burn_in) & ~held
        known[self.signals.weighted :] = False  # stuck is judged against the reference only
        self._measure_inflation()
        self._calibrate_gates(known)
        self._adopt(known)
        if not self.seasons.in_use:
            self._bear_past_hours()
        if self.signals.weighted:
            self._adopt_bins(known)
        self.bets.forget_gradual()
        self._bet()

    def beyond_gate(self) -> Mask:
        """Signals whose recent mean is further from the baseline than the ticket's gate."""
        if self.batches < RECENT_BATCHES:
            return np.zeros(len(self.signals), dtype=bool)
        return np.asarray(np.abs(self.recent - self.expected) >= self.gate)

    def lasting(self, signal: int) -> int:
        """For how many of the recent batches, counted back from now, the signal has been off."""
        off = self._off(signal)[::-1]
        return len(off) if off.all() else int(np.argmin(off))

    def spread(self, signal: int) -> bool:
        """Whether several batches show the change, and not one burst alone."""
        return int(self._off(signal).sum()) >= MIN_SPREAD_BATCHES

    def mean(self, signal: int, batches: int) -> float:
        """The mean of a signal over the newest `batches` (at most 8)."""
        total, rows = self._newest.each(signal, self.batches, batches)
        return float(total.sum() / max(rows.sum(), 1.0))

    def counts(self, batches: int) -> Counts:
        """Rows of each bin in the newest `batches` (at most 16)."""
        return self._newest.counts(self.batches, batches)

    def inflation(self, signal: int) -> float:
        """How much more its batches vary than independent rows would."""
        return float(self._inflation[signal])

    def calm(self) -> Mask:
        """Signals whose recent mean is back within half the gate."""
        gate = np.where(np.isfinite(self.signals.ticket_gate), self.gate, self.signals.severe_gate)
        return np.asarray(np.abs(self.recent - self.expected) < (gate + self._slack) / 2)

    def _calibrate(self, counts: Counts, total: Floats, rows: Floats, told: Mask) -> None:
        start = self.baseline + self._from_start
        far = self.signals.severe_gate + FAR_ERRORS * self.signals.deviation(start) / np.sqrt(rows)
        calm = told & (np.abs(total / rows - start) < far)
        self._burn_total += np.where(calm, total, 0.0)
        self._burn_rows += np.where(calm, rows, 0.0)
        self._burn_bins += counts
        if self.batches + 1 >= RECENT_BATCHES:
            self._low = np.fmin(self._low, np.where(calm, self.recent, np.nan))
            self._high = np.fmax(self._high, np.where(calm, self.recent, np.nan))

    def _measure_inflation(self) -> None:
        """What is bet on the next batch rests on those before it."""
        if not self.signals.weighted:
            return
        scores, like = self._live_scores(), self.signals.like
        self._inflation = variance_inflation(scores, self.signals.kinds)[like]
        self._noise_inflation = noise_inflation(scores)[like]
        self._bet()

    def _bear_the_start(self) -> None:
        """Nulls that were there from the first row are no break: they will be the baseline."""
        beyond = np.where(self.signals.is_rare, self.recent - self.baseline, 0.0)
        borne = (beyond > 0) & (beyond < MOST_FROM_START)
        chance = noise(self.signals, self.baseline + beyond, self._newest.rows(), self._inflation)
        self._from_start = np.where(borne, beyond + chance, 0.0)

    def _burn_mean(self) -> Floats:
        return np.asarray(self._burn_total / np.maximum(self._burn_rows, 1.0))

    def _live_scores(self) -> Floats:
        """Scores of burn-in, their deviation that of the share seen, not of the reference's."""
        now = np.where(np.isnan(self.recent), self.baseline, self.recent)
        mostly_calm = self._burn_rows > MIN_ROWS * self.batches
        return self.heard.last(self.batches, np.where(mostly_calm, self._burn_mean(), now))

    def _calibrate_gates(self, known: Mask) -> None:
        """A ticket is for more than burn-in itself did, beyond what chance makes of so few rows."""
        live = self._burn_mean()
        excursion = np.maximum(self._high - live, live - self._low)
        calibrated = known & np.isfinite(excursion)
        rows = self._burn_rows * RECENT_BATCHES / self.burn_in
        chance = noise(self.signals, live, rows, self._noise_inflation)
        wider = calibrated_gate(self.signals, live, np.where(calibrated, excursion, 0.0), chance)
        self.gate = np.where(calibrated, wider, self.gate)
        self._settled_gate = self.gate.copy()

    def _adopt(self, known: Mask) -> None:
        """What burn-in was like is normal; hours in use, it is about what they leave over."""
        live = Normal(self._burn_mean(), np.minimum(self._known_rows, np.maximum(self._burn_rows, 1.0)))
        if not self.seasons.in_use:
            live = adopted(self.signals, Normal(live.mean, self._burn_rows), self._inflation)
        self.baseline = np.where(known, live.mean, self.baseline)
        self._known_rows = np.where(known, live.rows, self._known_rows)
        self._expect(self.baseline, np.zeros(len(self.baseline)))
        self.heard.standardise(self.baseline, self.batches, self._burn_rows)

    def _expect(self, mean: Floats, slack: Floats) -> None:
        self.expected, self._slack = mean.copy(), slack

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
        seasons, own = self.seasons, self.signals.weighted
        teaches = np.ones(len(self.signals), dtype=bool)
        teaches[list(held)] = False
        before = seasons.hour_counts.copy() if not seasons.in_use else None
        over = seasons.learn(wall, total[:own], rows[:own], counts, teaches[:own])
        if over and before is not None and self.settled:
            self._bear_past_hours()
            self._bear_bins(before)
            self._bear_yesterday(wall)
            self._bet()
        if seasons.begin(wall):
            self._begin_anew()
        if not seasons.in_use:
            return total
        return total - rows * self._of_all(seasons.offset(wall, self.baseline[:own]))

    def _of_all(self, weighted: Floats) -> Floats:
        """What hours say of the weighted signals, and 0 of the rest."""
        return np.concatenate([weighted, np.zeros(len(self.signals) - self.signals.weighted)])

    def _bear_past_hours(self) -> None:
        """Widen the gates by what past hours were, until a season is known."""
        far = self._of_all(self.seasons.excursion(self.baseline[: self.signals.weighted]))
        wider = self.signals.gates(self.baseline) + far
        self.gate = np.where(far > 0, np.maximum(self._settled_gate, wider), self.gate)
        self._expect(self.baseline, np.zeros(len(far)))

    def _bear_yesterday(self, wall: float) -> None:
        """On the second day: this hour may be as it was and as those beside it were, or as on the whole."""
        hours = self.seasons.neighbourhood(wall, self.baseline[: self.signals.weighted])
        low, high, rows = map(self._of_all, hours)
        known = rows > 0
        slack = np.where(known, (high - low) / 2, 0.0)
        recent = self._newest.rows()
        both = 1 / (1 / np.maximum(recent, 1.0) + 1 / np.maximum(rows, 1.0))
        chance = noise(self.signals, self.baseline, both, self._noise_inflation)
        gate = slack + self.signals.gates(self.baseline) + chance
        self.gate = np.where(known, gate, self.gate)
        self._expect(np.where(known, (low + high) / 2, self.baseline), slack)
        self._hour_rows = rows

    def _bear_bins(self, hour: Counts) -> None:
        values = np.where(self.signals.is_value, hour, 0)
        if self.signals.weighted:
            columns = self.signals.column_of_bin
            rows = np.bincount(columns, values)[columns]
            self.seasons.end_hour_of_bins(
                np.where(rows >= MIN_ROWS * self.burn_in, values / np.maximum(rows, 1), 0)
            )

    def _begin_anew(self) -> None:
        """From now on scores are about what the hour does not explain: forget windows, calibrate again."""
        self.batches = 0
        self.gate = self.signals.gates(self.baseline)
        self._settled_gate = self.gate.copy()
        self._expect(self.baseline, np.zeros(len(self.baseline)))
        self.heard.forget()
        self._newest.forget_signals()
        for zeroed in (self._burn_total, self._burn_rows, self._burn_bins):
            zeroed[:] = 0
        self._low[:], self._high[:], self.recent[:] = np.inf, -np.inf, np.nan
        hours = np.maximum(self._of_all(self.seasons.fewest_rows()), MIN_SLOT_ROWS)
        self._known_rows = np.minimum(self._known_rows, hours)
        self._bet()

    def _bet(self) -> None:
        """Bet against what is known to be normal now."""
        narrow = np.where(np.isfinite(self.gate), self.gate, 0.0)
        wider = np.maximum(narrow - np.where(np.isfinite(self._settled_gate), self._settled_gate, 0.0), 0.0)
        shares = np.maximum(self._bin_share, self.seasons.fullest)
        # Yesterday's hours explain what moves slowly, and are known from fewer rows.
        wider = np.where(self._slack > 0, self._slack, wider)
        if not self.settled:
            wider = np.where(self._from_start > 0, self._from_start, wider)
        rows = np.where(self._slack > 0, np.minimum(self._known_rows, self._hour_rows), self._known_rows)
        inflation = np.where(self._slack > 0, self._noise_inflation, self._inflation)
        self.bets.calibrate(self.expected, shares, rows, inflation, wider)

    def _off(self, signal: int) -> Mask:
        """Of the recent batches, oldest first: which are beyond half the gate, on the recent side."""
        total, rows = self._newest.each(signal, self.batches)
        effect = total / np.maximum(rows, 1.0) - self.expected[signal]
        side = np.sign(self.recent[signal] - self.expected[signal])
        half = (min(self.gate[signal], self.signals.severe_gate[signal]) + self._slack[signal]) / 2
        return np.asarray((rows > 0) & (side * effect >= half))


def _part(arrays: Mapping[str, npt.NDArray[np.generic]], prefix: str) -> dict[str, npt.NDArray[np.generic]]:
    return {name.removeprefix(prefix): v for name, v in arrays.items() if name.startswith(prefix)}
