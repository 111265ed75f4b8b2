"""Bets against "nothing changed": the mixture Shiryaev-Roberts e-detector, for all columns at once.

Each bet multiplies its stake by a likelihood ratio; in control none is expected to grow. R <- (1 + R) e^x,
with x the log ratio of a batch, bets anew at every batch, so that no change is missed; an average of
such R passes B only after B batches on average, whatever the distribution (Shin, Ramdas and Rinaldo,
"E-detectors", 2023). Averaging over bets makes a mixture, over columns the guarantee of a whole model.

Means are bet on by tilting: x = l (S - n eps) - n psi(l), psi exact from the shares of the bins. Shares of
rows are bet on by p1 against the tolerated p0: the same tilt, its l chosen so that a rare share is not bet
against certainty. `severe` bets tolerate much and pay only for breaks; `gradual` ones back tickets that
corroborate each other. x is divided by the variance inflation, as dependent rows count for fewer.

What it is not: an effect size. The trap: the guarantee is about the reference (or the baseline learnt of
traffic) being right, so eps grows with its standard error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_signals import (
    LEVEL,
    MAX_LEVELS,
    MIN_SHARE,
    OTHER_LEVELS,
    RARE,
    SHIFT,
    STUCK,
    Signals,
)

Floats = npt.NDArray[np.float64]
# Logarithms need no more than seven digits, and there are a hundred a feature.
Stakes = npt.NDArray[np.float32]

# Deviations that are no break: a third of one is what mixes of traffic do. With the smallest tilt, .6, a mean
# must be .6 deviations off before the stake grows at all, which nobody calls gradual.
SEVERE_TOLERANCE, SEVERE_TILTS = 0.3, (0.6, 1.0, 1.5)
# Below a ticket's gate (.15): enough to tell that a ticket is no chance, in tilts for .1 to .5 deviations.
GRADUAL_TOLERANCE, GRADUAL_TILTS = 0.02, (0.1, 0.2, 0.4)
# A deviation of what is rare is many times its share: beyond what the reference leaves open, nothing.
RARE_TOLERANCE = 0.0
# Shares bet on, of what is above the tolerated one: a tenth of all rows null, a third, nearly all.
SEVERE_SHARES, BIN_SHARES = (0.1, 0.3, 0.9), (0.3, 0.9)
# In units of the ticket's gate: of nulls and what is new, which may be all of a sudden; and of levels. What
# is rare has little to lose, so a single bet is on less of it.
RARE_MORE, RARE_LESS, LEVEL_STEPS = (2.0, 4.0, 16.0), 4.0, (1.0, 4.0)
REFERENCE_ERRORS = 2.0
_ONE = np.float32(0.0)  # the stake that is added, as its logarithm
_SMALLEST = np.float32(-50.0)  # R is then nothing beside the 1 it is added to
_NEAR_CERTAIN = 0.97
_MOST_BETS = 10  # no column has e^10


@dataclass(frozen=True, slots=True)
class _Bet:
    """One bet: on a bin of the layout, or on a signal when `bin` is -1; `signal` is who is blamed."""

    column: int
    signal: int
    tolerance: float
    bin: int = -1
    tilt: float = 0.0  # of a mean
    psi: float = 0.0
    fraction: float = 0.0  # of a share
    step: float = 0.0
    down: bool = False


class Bets:
    """The stakes of one model. `calibrate` first, then `update` with every micro-batch."""

    def __init__(self, layout: DriftLayout, signals: Signals) -> None:
        self._signals = signals
        self._severe = _Book(list(_severe(layout, signals)), layout, signals)
        self._gradual = _Book(list(_gradual(layout, signals)), layout, signals)
        self._books = self._severe, self._gradual
        self._columns = len(layout.columns)

    def calibrate(self, mean: Floats, shares: Floats, rows: Floats, inflation: Floats, extra: Floats) -> None:
        """What is normal: means of signals, shares of bins among the values of their column.

        Known from so many `rows`; these, `inflation` and the `extra` tolerance are per signal.
        """
        for book in self._books:
            book.calibrate(mean, shares, rows, inflation, extra)

    def update(self, total: Floats, rows: Floats, counts: Counts, most: float) -> None:
        """Settle the bets on one micro-batch; none gains more than `most` nats."""
        weighted = self._signals.weighted
        amounts = np.concatenate([total[:weighted], counts]).astype(np.float32)
        among = rows.astype(np.float32)
        for book in self._books:
            book.update(amounts, among, most)

    def severe(self, needed: float) -> list[int]:
        """Signals to blame for stakes past `needed` nats, which start anew then."""
        if not self._columns:
            return []
        return self._severe.won(needed + log(self._columns))

    def gradual(self) -> float:
        """The evidence in nats that something changed, the columns together."""
        return self._gradual.together() - log(max(self._columns, 1))

    def evidence(self, column: int) -> float:
        """How much speaks against "nothing changed" in a column, in nats: its stakes, or what it just won."""
        return max(self._gradual.of_column(column), self._severe.last_won.get(column, 0.0), 0.0)

    def backed(self, needed: float) -> list[int]:
        """Signals of columns whose own evidence that something changed passes `needed` nats for the model."""
        return self._gradual.best(needed + log(self._columns)) if self._columns else []

    def forget_gradual(self) -> None:
        """What is normal is another now: evidence against what was is none against that."""
        self._gradual.log[:] = _SMALLEST

    def state(self) -> Stakes:
        """Every stake, as logarithms."""
        return np.concatenate([book.log for book in self._books])

    def restore(self, stakes: npt.NDArray[Any]) -> None:
        """Go on from saved stakes. Raises ValueError when they are of other bets."""
        if stakes.shape != self.state().shape or np.isnan(stakes).any():
            raise ValueError("the stakes of other bets")
        at = len(self._severe.log)
        self._severe.log, self._gradual.log = stakes[:at].copy(), stakes[at:].copy()


class _Book:
    """Bets of one kind, sorted by column, as arrays; indices in as few bytes as hold them."""

    def __init__(self, bets: list[_Bet], layout: DriftLayout, signals: Signals) -> None:
        self.log = np.full(len(bets), _SMALLEST, dtype=np.float32)
        self._signal = _small([bet.signal for bet in bets])
        self._weighted = signals.weighted
        # Rows a bet is over, and what its dependence is like: those of the signal, or of its column's values.
        like = [signals.like[bet.signal] if bet.bin < 0 else signals.primary[bet.column] for bet in bets]
        self._like = _small(like)
        # Whose amount is bet on: a signal's, or, after those, a bin's.
        sources = [
            at if bet.bin < 0 else signals.weighted + bet.bin for at, bet in zip(like, bets, strict=True)
        ]
        self._source = _small(sources)
        columns = np.array([bet.column for bet in bets], dtype=np.int32)
        self._starts = np.searchsorted(columns, np.arange(len(layout.columns)))
        rare = [signals.all[bet.signal].effect is RARE for bet in bets]
        apart = self._on_bin if self._on_bin.any() else np.array(rare, dtype=bool)
        weights = _log_weights(columns, apart).tolist()
        # What is bet is one of a few kinds; numbers for each bet would be five times as large.
        kinds = [_kind(bet, weight) for bet, weight in zip(bets, weights, strict=True)]
        self._kinds = np.array(list(dict.fromkeys(kinds)), dtype=np.float32).reshape(-1, 6)
        at = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
        self._kind = _small([at[kind] for kind in kinds])
        self._most_weight = max(weights, default=0.0)
        self._psi = np.array([bet.psi for bet in bets if bet.tilt], dtype=np.float32)  # of means
        self._per_amount = self._per_row = np.zeros(len(bets), dtype=np.float32)
        self.last_won: dict[int, float] = {}

    def calibrate(self, mean: Floats, shares: Floats, rows: Floats, inflation: Floats, extra: Floats) -> None:
        like, on_bin, stretch = self._like, self._on_bin, np.maximum(inflation[self._like], 1.0)
        tolerance, tilt, fraction, step, down, _ = self._kinds[self._kind].T
        is_mean, falls = tilt != 0, down > 0
        known = np.maximum(rows[like], 1.0) / stretch
        more = np.where(on_bin, 0.0, extra[like])
        normal = np.concatenate([mean[: self._weighted], shares])[self._source]
        allowed = np.maximum(tolerance, REFERENCE_ERRORS / np.sqrt(known))
        psi = np.zeros_like(tilt)
        psi[is_mean] = self._psi
        # Means: mean 0 and deviation 1 a row, both as the reference has it.
        up = tilt, -tilt * normal - np.abs(tilt) * (allowed + more) - psi
        # Shares.
        share = np.where(falls, 1 - normal, normal)
        smooth = np.clip(share, MIN_SHARE, 1 - MIN_SHARE)
        tolerated = share + np.sqrt(smooth * (1 - smooth)) * tolerance
        p0 = np.maximum(np.maximum(tolerated, _upper(share, known)), MIN_SHARE) + more
        open_ = is_mean | (p0 < _NEAR_CERTAIN)  # nothing to win where nearly all rows are anyway
        p0 = np.minimum(p0, _NEAR_CERTAIN)
        p1 = np.minimum(p0 + fraction * (1 - p0) + step, 1 - (1 - p0) / 20)
        odds, miss = np.log(p1 * (1 - p0) / (p0 * (1 - p1))), np.log((1 - p1) / (1 - p0))
        on_share = np.where(falls, -odds, odds), np.where(falls, odds + miss, miss)
        both = (np.where(is_mean, up[at], on_share[at]) * open_ / stretch for at in (0, 1))
        self._per_amount, self._per_row = (part.astype(np.float32) for part in both)

    def update(self, amounts: Stakes, rows: Stakes, most: float) -> None:
        gain = self._per_amount * amounts.take(self._source)
        gain += self._per_row * rows.take(self._like)
        # log(1 + R), a third of what `logaddexp` takes.
        stakes = np.maximum(self.log, _ONE) + np.log1p(np.exp(-np.abs(self.log)))
        self.log = np.maximum(stakes + np.minimum(gain, np.float32(most)), _SMALLEST)

    def won(self, needed: float) -> list[int]:
        self.last_won = {}
        if self._hopeless(needed):
            return []
        blamed = []
        stakes = self._stakes
        together = self._together_by_column(stakes)
        self.last_won = {at: float(together[at]) for at in np.flatnonzero(together >= needed).tolist()}
        for column in self.last_won:
            own = self._own(column)
            foremost = self._foremost(stakes[own], self._on_bin[own], needed)
            blamed.append(int(self._signal[own][foremost]))
            self.log[own] = _SMALLEST
        return blamed

    def best(self, needed: float) -> list[int]:
        """The signal with the best bet of each column past `needed`."""
        if self._hopeless(needed):
            return []
        stakes = self._stakes
        columns = np.flatnonzero(self._together_by_column(stakes) >= needed).tolist()
        return [int(self._signal[own][np.argmax(stakes[own])]) for own in map(self._own, columns)]

    def of_column(self, column: int) -> float:
        """The evidence of one column."""
        stakes = self._stakes[self._own(column)]
        return float(np.logaddexp.reduce(stakes)) if len(stakes) else 0.0

    def together(self) -> float:
        stakes = self._stakes
        top = float(stakes.max(initial=_SMALLEST))
        return top + float(np.log(np.exp(stakes - top).sum())) if len(stakes) else float(_SMALLEST)

    @property
    def _stakes(self) -> Stakes:
        """As logarithms, each with its part of its column's."""
        return np.asarray(self.log + self._kinds[:, -1][self._kind])

    @property
    def _on_bin(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._source >= self._weighted)

    def _own(self, column: int) -> slice:
        """The bets on a column."""
        until = self._starts[column + 1] if column + 1 < len(self._starts) else len(self.log)
        return slice(int(self._starts[column]), int(until))

    def _hopeless(self, needed: float) -> bool:
        return not len(self.log) or float(self.log.max()) + self._most_weight < needed - _MOST_BETS

    def _together_by_column(self, stakes: Stakes) -> Stakes:
        top = np.maximum.reduceat(stakes, self._starts)
        tops = np.repeat(top, np.diff(self._starts, append=len(stakes)))
        return np.asarray(top + np.log(np.add.reduceat(np.exp(stakes - tops), self._starts)))

    def _foremost(self, stakes: Stakes, on_bin: npt.NDArray[np.bool_], needed: float) -> int:
        """The best bet; but a mean or a null says more than "this bin is full" when it is as certain."""
        plain = np.where(on_bin, -np.inf, stakes)
        return int(np.argmax(plain if plain.max() >= needed else stakes))


def _kind(bet: _Bet, log_weight: float) -> tuple[float, ...]:
    return bet.tolerance, bet.tilt, bet.fraction, bet.step, float(bet.down), log_weight


def _small(numbers: Sequence[int]) -> npt.NDArray[np.unsignedinteger[Any]]:
    return np.array(numbers, dtype=np.min_scalar_type(max(numbers, default=0)))


def _upper(share: Floats, rows: Floats) -> Floats:
    """Wilson's upper bound of a share seen in so many rows: never nothing, where two standard errors are."""
    z = REFERENCE_ERRORS
    spread = np.sqrt(np.maximum(share * (1 - share), 0.0) / rows + (z / rows) ** 2 / 4)
    return np.asarray((share + z * z / rows / 2 + z * spread) / (1 + z * z / rows))


def _log_weights(column: npt.NDArray[np.int32], apart: npt.NDArray[np.bool_]) -> Stakes:
    """Half of a column's stake on what is `apart`, half on the rest, each evenly."""
    weights = np.zeros(len(column), dtype=np.float32)
    for at in np.unique(column).tolist():
        own = column == at
        kinds = [own & ~apart, own & apart]
        parts = [kind for kind in kinds if kind.any()]
        for kind in parts:
            weights[kind] = -log(len(parts) * int(kind.sum()))
    return weights


def _severe(layout: DriftLayout, signals: Signals) -> Iterator[_Bet]:
    for column, (bins, own) in enumerate(zip(layout.columns, _by_column(layout, signals), strict=True)):
        for at in own.means:
            yield from _tilted(column, at, signals, SEVERE_TOLERANCE, SEVERE_TILTS)
        for at in own.rare:
            yield from (_Bet(column, at, SEVERE_TOLERANCE, fraction=part) for part in SEVERE_SHARES)
        for value in range(bins.binning.values if own.stuck or own.levels else 0):
            last = value == bins.binning.values - 1
            at = own.stuck[0] if own.stuck else own.others if last else own.levels[min(value, MAX_LEVELS)]
            if at in own.rare:
                continue  # its share is bet on already, and what was there from the start is borne
            yield from (
                _Bet(column, at, SEVERE_TOLERANCE, bins.start + value, fraction=part) for part in BIN_SHARES
            )


def _gradual(layout: DriftLayout, signals: Signals) -> Iterator[_Bet]:
    for column, own in enumerate(_by_column(layout, signals)):
        for at in own.means:
            yield from _tilted(column, at, signals, GRADUAL_TOLERANCE, GRADUAL_TILTS)
        for at in own.rare:
            steps = [factor * RARE.ticket for factor in RARE_MORE]
            yield from (_Bet(column, at, RARE_TOLERANCE, step=step) for step in steps)
            yield _Bet(column, at, RARE_TOLERANCE, step=RARE_LESS * RARE.ticket, down=True)
        for at in own.levels:
            for step in (factor * LEVEL.ticket for factor in LEVEL_STEPS):
                yield _Bet(column, at, GRADUAL_TOLERANCE, step=step)
                yield _Bet(column, at, GRADUAL_TOLERANCE, step=step, down=True)


def _tilted(
    column: int, at: int, signals: Signals, tolerance: float, tilts: tuple[float, ...]
) -> Iterator[_Bet]:
    both = [sign * size for size in tilts for sign in (1, -1)]
    for tilt, psi in zip(both, signals.psi(at, both), strict=True):
        yield _Bet(column, at, tolerance, tilt=tilt, psi=psi)


@dataclass(slots=True)
class _Own:
    """The signals of one column, by what they are."""

    means: list[int] = field(default_factory=list)
    rare: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    stuck: list[int] = field(default_factory=list)
    others: int = -1


def _by_column(layout: DriftLayout, signals: Signals) -> list[_Own]:
    found = [_Own() for _ in layout.columns]
    for at, signal in enumerate(signals.all):
        own = found[signal.column]
        kinds = ((SHIFT, own.means), (RARE, own.rare), (LEVEL, own.levels), (STUCK, own.stuck))
        next(kind for effect, kind in kinds if signal.effect is effect).append(at)
        if signal.signal == OTHER_LEVELS:
            own.others = at
    return found
