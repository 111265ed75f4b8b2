"""What is watched of each column: scores of its bins, standardised under the reference.

A signal is a weight per bin; its value in a micro-batch is the sum of weights over rows. Because every
weight comes from the reference's own ranks, heavy tails and units do not matter: ranks cut ADWIN's
false alarms on lognormal data from 890 to 10 per million rows. Pure numpy; decides nothing.

Location is the mean normal score of the bin (van der Waerden), scale the mean of its square; with the bin
holding ranks a to b and z the normal quantile: E[Z] = (phi(z_a) - phi(z_b)) / (b - a) and
E[Z^2] = 1 + (z_a phi(z_a) - z_b phi(z_b)) / (b - a).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sidecar.monitors.detectors import DEFAULT_DELTA
from sidecar.monitors.drift_layout import ColumnBins, Counts, DriftLayout
from sidecar.names import clean
from sidecar.reference import ColumnType

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Shares are judged as if never rarer than this: the first null in ten thousand rows is no alarm. At .001
# one percent of nulls takes 16 batches to see; at .0001 ten, but a handful in a million rows is an event.
MIN_SHARE = 0.0002
# A column that is almost constant in the reference has a score deviation near 0, which would make one
# odd row worth a hundred deviations.
MIN_SCORE_STDDEV = 0.3
# One-vs-rest signals for this many levels, the rest together: enough for Zipf-like data, 16 kB a column.
MAX_LEVELS = 10


@dataclass(frozen=True, slots=True)
class Effect:
    """How big a change of a signal must be, in its own unit: for a ticket, and to be severe at once."""

    unit: str
    ticket: float
    severe: float


# Tickets: .15 sd is what 512 rows can tell from noise, and below what models usually mind; half a point of
# nulls; three points of a category. Severe is what nobody calls gradual: at .75 sd a batch of 64
# is six standard errors away, ten points of nulls, a quarter of all rows in another category.
SHIFT = Effect("sd", ticket=0.15, severe=0.75)
RARE = Effect("share", ticket=0.005, severe=0.10)
LEVEL = Effect("share", ticket=0.03, severe=0.25)
# A bin that held at most half the rows now holds many: stuck. Never a ticket, it is severe or not; over when
# the fullest bin is within half of this of the usual (of 16 rows in 20 bins, three in one are nothing odd).
STUCK = Effect("share", ticket=float("inf"), severe=0.4)


OTHER_LEVELS = "other levels"


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing watched of one column (`column` is its index in the layout); `siblings` share its delta."""

    column: int
    kind: str
    name: str
    signal: str
    effect: Effect
    siblings: int = 1

    @property
    def delta(self) -> float:
        """Of its detector."""
        return DEFAULT_DELTA / self.siblings


class Signals:
    """Every signal of a layout, as arrays. `mean` and `stddev` are per row, under the reference.

    The last `stuck` signals have no weights: their value is the fullest bin that is usually not full.
    """

    def __init__(self, layout: DriftLayout) -> None:
        built = [(at, s) for at, column in enumerate(layout.columns) for s in _of_column(column, layout)]
        numbers = [at for at, c in enumerate(layout.columns) if c.binning.values > 1 and _is_number(c)]
        weighted = [_signal(layout, at, part.name, part.effect, part.siblings) for at, part in built]
        stuck = [_signal(layout, at, "stuck", STUCK, 1) for at in numbers]
        self.all = weighted + stuck
        self.weighted = len(weighted)
        self.ticket_gate = np.array([s.effect.ticket for s in self.all])
        self.severe_gate = np.array([s.effect.severe for s in self.all])
        usual = [_fullest_usual(layout, at) for at in numbers]
        self.mean = np.array([part.mean for _, part in built] + usual)
        self.stddev = np.array([part.stddev for _, part in built] + [1.0] * len(stuck))
        # Signals of one kind are of one statistic: location, scale, a rare share, a level's.
        kinds = [s.signal if s.effect is SHIFT else str(s.effect) for s in weighted]
        self.kinds = np.unique(kinds, return_inverse=True)[1]
        self._is_share = np.array([s.effect.unit == "share" and s.effect is not STUCK for s in self.all])
        self.is_rare = np.array([s.effect is RARE for s in self.all])
        self._layout = layout
        self._gather(built)
        self._stuck_columns = np.array(numbers, dtype=np.intp)
        self._usual = layout.shares > 0.5
        self.is_value = _is_value(layout)  # which bins hold values; shape (bins,)
        self.column_of = np.array([s.column for s in self.all], dtype=np.int32)
        rows = np.array([float(max(c.profile.rows, 1)) for c in layout.columns])
        self.reference_rows = rows[self.column_of]
        first = {s.column: at for at, s in reversed(list(enumerate(weighted)))}
        # The signal that stands for its column: location, or the most frequent level.
        self.primary = np.array([first.get(at, 0) for at in range(len(layout.columns))], dtype=np.intp)
        # Whose dependence between rows is like this signal's own; stuck goes by location.
        self.like = np.array([*range(self.weighted), *(first[s.column] for s in stuck)], dtype=np.int32)
        # What its rows are: shifts and levels are judged among values, nulls and what is new among all rows.
        self._rows_at = (self.column_of + np.int32(len(layout.columns)) * self.is_rare)[self.like]

    def __len__(self) -> int:
        return len(self.all)

    def deviation(self, mean: Floats) -> Floats:
        """The standard deviation of a row's value where the means are these; a score's stays 1."""
        share = np.clip(mean, MIN_SHARE, 1 - MIN_SHARE)
        return np.where(self._is_share, np.sqrt(share * (1 - share)), self.stddev)

    def gates(self, mean: Floats) -> Floats:
        """How big a change is a ticket's, where the means are these: more, where what was rare is not."""
        usual = np.clip(SHIFT.ticket * self.deviation(mean), RARE.ticket, LEVEL.ticket)
        return np.where(self.is_rare, usual, self.ticket_gate)

    @property
    def column_of_bin(self) -> npt.NDArray[np.intp]:
        """Of each bin, the column; shape (bins,)."""
        sizes = [column.binning.size for column in self._layout.columns]
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def shares_of_values(self) -> Floats:
        """Of each bin of values, its share among those of its column in the reference; shape (bins,)."""
        values = np.where(self.is_value, self._layout.shares, 0.0)
        if not self.weighted:
            return values
        sums = np.add.reduceat(values, self._layout.starts)
        return np.asarray(values / np.maximum(sums, 1e-12)[self.column_of_bin])

    def psi(self, signal: int, tilts: Sequence[float]) -> list[float]:
        """ln E[exp(tilt x score)] of a row under the reference: exact, as a score has a value per bin."""
        weights = self.scores(signal)
        shares = _smooth(self._layout.columns[self.all[signal].column], self._layout)
        found: list[float] = np.log(np.exp(np.outer(tilts, weights - shares @ weights)) @ shares).tolist()
        return found

    def scores(self, signal: int) -> Floats:
        """The score of each value bin of a weighted signal's column."""
        column = self._layout.columns[self.all[signal].column]
        own = slice(self._starts[signal], self._ends[signal])
        found = np.zeros(column.binning.size)
        found[self._bins[own] - column.start] = self._weights[own]
        return found[: column.binning.values]

    def sums(self, counts: Counts) -> tuple[Floats, Floats]:
        """The sum of weights, and the rows it is over, for each signal of one micro-batch's counts."""
        if not self.weighted:
            return np.empty(0), np.empty(0)
        starts = self._layout.starts
        total = np.add.reduceat(counts[self._bins] * self._weights, self._starts)
        every = [np.add.reduceat(counts * self.is_value, starts), np.add.reduceat(counts, starts)]
        rows = np.concatenate(every)[self._rows_at].astype(np.float64)
        if not len(self._stuck_columns):
            return total, rows
        fullest = np.maximum.reduceat(np.where(self._usual, 0, counts), starts)[self._stuck_columns]
        return np.concatenate([total, np.minimum(fullest, rows[self.weighted :])]), rows

    def _gather(self, built: "list[tuple[int, _Part]]") -> None:
        """Every signal's bins and their weights one after another; those that weigh nothing are left out."""
        lengths = [len(part.bins) for _, part in built]
        starts = [self._layout.columns[at].start for at, _ in built]
        bins = [start + part.bins for start, (_, part) in zip(starts, built, strict=True)]
        self._bins = np.concatenate([*bins, np.empty(0)]).astype(np.int32)
        self._weights = np.concatenate([*(part.weights for _, part in built), np.empty(0)])
        self._ends = np.cumsum(lengths, dtype=np.intp)
        self._starts = self._ends - np.array(lengths, dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A signal in the making: `weights` of `bins` of its column; `siblings` share the column's delta."""

    name: str
    effect: Effect
    siblings: int
    bins: npt.NDArray[np.intp]
    weights: Floats
    mean: float
    stddev: float


def _signal(layout: DriftLayout, at: int, name: str, effect: Effect, siblings: int) -> Signal:
    column = layout.columns[at]
    return Signal(at, column.kind, column.name, name, effect, siblings)


def _is_number(column: ColumnBins) -> bool:
    return column.profile.type is ColumnType.NUMBER


def _of_column(column: ColumnBins, layout: DriftLayout) -> Iterator[_Part]:
    shares = layout.shares[column.start : column.stop]
    if _is_number(column):
        yield from _shifts(column, shares)
    elif column.binning.levels:
        yield from _levels(column, shares)
    yield _share("null", RARE, 1, shares, [column.binning.null])
    yield _share("invalid", RARE, 1, shares, [column.binning.invalid])


def _shifts(column: ColumnBins, shares: Floats) -> Iterator[_Part]:
    values = column.binning.values
    if values < 2:
        return
    smooth = _smoothed(column, shares[:values])
    location, scale = _normal_scores(smooth)
    for name, scores in (("location", location), ("scale", scale)):
        stddev = float(np.sqrt(smooth @ (scores - smooth @ scores) ** 2))
        if stddev < 1e-6:
            continue  # two equal halves have no scale of their own
        standard = (scores - smooth @ scores) / max(stddev, MIN_SCORE_STDDEV)
        yield _Part(name, SHIFT, 1, np.arange(values), standard, 0.0, 1.0)


def _smoothed(column: ColumnBins, shares: Floats) -> Floats:
    """Half a row added, so that a bin empty in the reference still has a rank."""
    smooth = shares + 0.5 / max(column.profile.rows, 1)
    return np.asarray(smooth / smooth.sum())


def _smooth(column: ColumnBins, layout: DriftLayout) -> Floats:
    return _smoothed(column, layout.shares[column.start : column.start + column.binning.values])


def _is_value(layout: DriftLayout) -> npt.NDArray[np.bool_]:
    found = np.zeros(layout.size, dtype=bool)
    for column in layout.columns:
        found[column.start : column.start + column.binning.values] = True
    return found


def _fullest_usual(layout: DriftLayout, at: int) -> float:
    """The largest share of a bin that does not hold most rows anyway."""
    column = layout.columns[at]
    shares = layout.shares[column.start : column.stop]
    return float(shares[shares <= 0.5].max(initial=0.0))


def _levels(column: ColumnBins, shares: Floats) -> Iterator[_Part]:
    levels = column.binning.levels
    values = shares[: column.binning.values]
    among_values = np.concatenate([values / max(float(values.sum()), 1e-12), [0.0, 0.0]])
    siblings = min(len(levels), MAX_LEVELS) + 1 + (len(levels) > MAX_LEVELS)
    for at, level in enumerate(levels[:MAX_LEVELS]):
        yield _share(f"level {clean(level)}", LEVEL, siblings, among_values, [at])
    if len(levels) > MAX_LEVELS:
        tail = list(range(MAX_LEVELS, len(levels)))
        yield _share("rare levels", LEVEL, siblings, among_values, tail)
    # What the reference hardly has is new: half a point of it matters, not three.
    others = RARE if among_values[len(levels)] <= RARE.ticket else LEVEL
    yield _share(OTHER_LEVELS, others, siblings, among_values, [len(levels)])


def _share(name: str, effect: Effect, siblings: int, shares: Floats, bins: list[int]) -> _Part:
    share = float(shares[bins].sum())
    bounded = min(max(share, MIN_SHARE), 1 - MIN_SHARE)
    stddev = float(np.sqrt(bounded * (1 - bounded)))
    return _Part(name, effect, siblings, np.array(bins), np.ones(len(bins)), share, stddev)


def _normal_scores(shares: Floats) -> tuple[Floats, Floats]:
    """Mean normal score, and mean squared normal score, of bins with these shares."""
    edges = np.clip(np.cumsum(shares)[:-1], 1e-12, 1 - 1e-12)
    z = np.array([NormalDist().inv_cdf(float(edge)) for edge in edges])
    density = np.concatenate([[0.0], np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), [0.0]])
    z_density = np.concatenate([[0.0], z, [0.0]]) * density
    return -np.diff(density) / shares, 1.0 - np.diff(z_density) / shares
