"""Do pairs of columns still go together as they did? Correlations of micro-batches, bet on pair by pair.

Of every pair the correlation within a micro-batch, as Fisher's z = atanh r: about normal with variance
1/(n - 3), whatever r is. Means of batches are taken off, so a shift of a column is no change here, and scores
are bounded, so heavy tails are not heavy. Burn-in learns the mean of z, how much more it varies than that
(dependent rows) and how far eight batches strayed; then each pair is bet on by the mixture Shiryaev-Roberts
e-detector of `drift_bets`, up and down, and the average over pairs passes B only after B batches on average.

What it is not: a test of independence. What no pair shows (an exclusive or of three columns) is not seen. The
trap: what goes together at night may not by day; only burn-in says what is usual.
"""

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_inflation import variance_inflation

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.integer[Any]]

# A correlation of fewer rows says nothing: its z would stray by a third and more.
MIN_ROWS = 16
# Cohen's q: .3 is what he calls a medium difference of two correlations (.5 v .25, .9 v .83). 512 rows know z
# to .044. And in r itself, since .99 v .98 is a medium difference that nobody minds.
GATE_Z, GATE_R = 0.3, 0.15
# Below the gate, in tilts for .15 (one pair in a thousand rows) to a correlation that is gone.
TOLERANCE, TILTS = 0.05, (0.15, 0.4, 1.0)
REFERENCE_ERRORS, EXCURSION_FACTOR = 2.0, 1.25
RECENT_BATCHES = 8
MIN_SPREAD_BATCHES = 3
# Identical columns have an infinite z; of binned scores nothing beyond this is told apart.
_LARGEST_R = np.float32(0.995)
# e^60: certain. Times e^25, single precision still has it.
_MOST = np.float32(1e26)
_MOST_NATS = 25.0
_TILTS = np.array(TILTS, np.float32)[:, None]
_HALF_SQUARES = _TILTS**2 / 2


def fisher(scores: Floats, first: Indices, second: Indices) -> Floats:
    """Fisher's z of each pair of columns, of scores of shape (…, rows, columns); NaN for nothing known.

    NaN scores are left out pair by pair. Without the bias r / (2(n - 1)) of few rows.
    """
    known = np.isfinite(scores)
    with np.errstate(invalid="ignore", divide="ignore"):
        if known.all():
            centred = scores - scores.mean(axis=-2, keepdims=True, dtype=np.float32)
            products = centred.swapaxes(-1, -2) @ centred
            square = products.diagonal(axis1=-2, axis2=-1)
            both = square[..., first] * square[..., second]
            count: float | Floats = float(scores.shape[-2])
        else:
            mask = known.astype(np.float32)
            total = np.where(known, scores, 0).sum(axis=-2, keepdims=True)
            mean = total / np.maximum(mask.sum(axis=-2, keepdims=True), 1)
            centred = np.where(known, scores - mean, 0).astype(np.float32)
            products = centred.swapaxes(-1, -2) @ centred
            squares = (centred**2).swapaxes(-1, -2) @ mask
            count = (mask.swapaxes(-1, -2) @ mask)[..., first, second]
            both = squares[..., first, second] * squares[..., second, first]
            both = np.where(count >= MIN_ROWS, both, 0.0)
        told = np.where(both > 1e-6, both, np.nan)
        r = np.minimum(np.maximum(products[..., first, second] / np.sqrt(told), -_LARGEST_R), _LARGEST_R)
        z = np.arctanh(r) - r / (2 * np.maximum(count - 1, 1))
    return np.asarray(z, dtype=np.float32)


class PairEvidence:
    """What is usual of every pair of `columns`, and the stakes against it. Arrays over pairs.

    64 columns are 2,016 pairs: 0.15 MB, and 0.65 MB more until `burn_in` batches are over.
    """

    def __init__(self, columns: int, burn_in: int) -> None:
        first, second = np.triu_indices(columns, 1)
        places = np.min_scalar_type(columns)  # one byte, of at most 64
        self.first: Indices = first.astype(places)  # the columns of each pair
        self.second: Indices = second.astype(places)
        pairs = len(first)
        self.burn_in = burn_in
        self.batches = 0
        self.usual = np.zeros(pairs, np.float32)  # z
        self.gate = np.full(pairs, GATE_Z, np.float32)
        self._known = np.zeros(pairs, bool)
        self._inflation = np.ones(pairs, np.float32)
        self._allowed = np.zeros(pairs, np.float32)
        self._stakes = np.zeros((2, len(TILTS), pairs), np.float32)  # up and down
        self._recent = np.full((RECENT_BATCHES, pairs), np.nan, np.float32)  # change of z; NaN: not told
        self._recent_weight = np.zeros(RECENT_BATCHES, np.float32)
        self._history = np.full((burn_in, pairs), np.nan, np.float32)
        self._history_weight = np.zeros(burn_in, np.float32)

    @property
    def settled(self) -> bool:
        """Whether it is known what is usual."""
        return self.batches >= self.burn_in

    def update(self, scores: Floats, free: Mask, most: float = np.inf) -> None:
        """Take the scores of one micro-batch, shape (rows, columns).

        Pairs of columns that are not `free` (something else is the matter with them) are passed over, and
        what was bet on them is returned. A single bet gains `most` nats at most.
        """
        if len(scores) >= MIN_ROWS and len(self.usual):
            self.take(self.correlate(scores), len(scores), free, most)

    def correlate(self, scores: Floats) -> Floats:
        """z of each pair, of the scores of one micro-batch or of several of as many rows each."""
        return fisher(scores, self.first, self.second)

    def take(self, z: Floats, rows: int, free: Mask, most: float = np.inf) -> None:
        """The same of scores that were correlated already, of so many rows."""
        weight = np.float32(rows - 3)
        judged = free[self.first] & free[self.second]
        if not self.settled:
            self._history[self.batches] = np.where(judged, z, np.nan)
            self._history_weight[self.batches] = weight
            self.batches += 1
            if self.settled:
                self._settle()
            return
        if not judged.all():
            self._stakes[..., ~judged] = 0.0
        self._bet(np.where(judged & self._known, z - self.usual, np.nan), weight, min(most, _MOST_NATS))
        self.batches += 1

    def evidence(self) -> float:
        """Nats against "nothing changed", all pairs together: by chance in one of e^evidence batches."""
        total = float(self._stakes.sum(dtype=np.float64)) / (2 * len(TILTS))
        return log(max(total / max(int(np.count_nonzero(self._known)), 1), 1e-30))

    def foremost(self, most: int) -> list[int]:
        """The pairs whose stakes are highest, the highest first."""
        stakes = self._stakes.mean(axis=(0, 1))
        # Of stakes that reached the ceiling alike, the larger change.
        order = np.lexsort((-np.abs(self.moved()), -np.log1p(stakes).round()))[:most]
        return [int(pair) for pair in order if stakes[pair] > 1]

    def moved(self) -> Floats:
        """How far z of the recent batches is from what is usual; 0 where nothing is known."""
        rows = self._rows(self._recent_weight[:, None], self._recent)
        total = np.where(rows > 0, rows * self._recent, 0).sum(axis=0)
        return np.asarray(total / np.maximum(rows.sum(axis=0), 1e-6))

    def beyond_gate(self, pair: int) -> bool:
        """Whether the change of the recent batches matters."""
        before, after = self.correlations(pair)
        return bool(abs(self.moved()[pair]) >= self.gate[pair] and abs(after - before) >= GATE_R)

    def spread(self, pair: int) -> bool:
        """Whether several batches show the change, and not one burst alone."""
        change, _ = self._newest_first(pair)
        return bool((change >= self.gate[pair]).sum() >= MIN_SPREAD_BATCHES)

    def calm(self, pair: int) -> bool:
        """Whether a pair is back within half the gate; not while nothing is heard of it."""
        heard = np.isfinite(self._recent[:, pair]).any()
        return bool(heard and abs(float(self.moved()[pair])) < self.gate[pair] / 2)

    def correlations(self, pair: int) -> tuple[float, float]:
        """The correlation of a pair as usual, and of the batches since it seems to have changed."""
        change, weight = self._newest_first(pair)
        last = slice(self.lasting(pair))
        moved = float((change * weight)[last].sum() / max(weight[last].sum(), 1e-6))
        usual = float(self.usual[pair])
        return float(np.tanh(usual)), float(np.tanh(usual + moved * self._side(pair)))

    def lasting(self, pair: int) -> int:
        """In how many of the recent batches, counted back from now, a pair has been off, at least 1.

        The likeliest moment of a change, of those in the window: where the sum of what is more than half the
        gate is largest (Page's cumulative sum).
        """
        change, weight = self._newest_first(pair)
        return int(np.argmax(np.cumsum(weight * (change - self.gate[pair] / 2)))) + 1

    def forget(self) -> None:
        """Bet anew: what was is over."""
        self._stakes[:] = 0.0

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every array, copied, by name: what `restore` takes."""
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return {name: value.copy() for name, value in arrays.items() if name not in ("first", "second")}

    def restore(self, batches: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a saved state. Raises ValueError, unchanged, when it is of other columns."""
        mine = self.state()
        if batches >= self.burn_in:
            mine["_history"] = mine["_history"][:0].copy()
        if {n: (v.shape, v.dtype) for n, v in mine.items()} != {
            n: (v.shape, v.dtype) for n, v in arrays.items()
        } or batches < 0:
            raise ValueError("the correlations of other columns")
        for name, value in arrays.items():
            setattr(self, name, value.copy())
        self.batches = batches

    def _bet(self, change: Floats, weight: np.float32, most: float) -> None:
        at = self.batches % RECENT_BATCHES
        self._recent[at], self._recent_weight[at] = change, weight
        told = np.isfinite(change)
        rows = self._rows(weight, change)
        moved = _TILTS * (rows * np.where(told, change, 0))
        against = rows * (_TILTS * self._allowed + _HALF_SQUARES)
        self._stakes += told
        for stakes, gain in zip(self._stakes, (moved - against, -moved - against), strict=True):
            stakes *= np.exp(np.minimum(gain, np.float32(most)))
        np.minimum(self._stakes, _MOST, out=self._stakes)

    def _rows(self, weight: np.float32 | Floats, change: Floats) -> Floats:
        """Of changes, how many independent rows each rests on; 0 where nothing was told."""
        return np.where(np.isfinite(change), weight / self._inflation, 0).astype(np.float32)

    def _settle(self) -> None:
        """Burn-in is over: what is usual, how much it varies, how far it strayed."""
        weight = self._history_weight[:, None]
        told = np.isfinite(self._history)
        rows = np.where(told, weight, 0).sum(axis=0)
        total = np.nan_to_num(self._history * weight).sum(axis=0)
        self._known = told.sum(axis=0) >= self.burn_in / 2
        self.usual = np.where(self._known, total / np.maximum(rows, 1), 0).astype(np.float32)
        strayed = np.where(told, self._history - self.usual, 0).astype(np.float32)
        self._inflation = variance_inflation((strayed * np.sqrt(weight)).astype(float)).astype(np.float32)
        error = REFERENCE_ERRORS * np.sqrt(self._inflation / np.maximum(rows, 1))
        self._allowed = (TOLERANCE + error).astype(np.float32)
        means = _running(strayed * weight) / np.maximum(_running(np.where(told, weight, 0)), 1e-6)
        widest = np.abs(means).max(axis=0, initial=0.0)
        self.gate = np.maximum(GATE_Z, EXCURSION_FACTOR * widest).astype(np.float32)
        self._history = self._history[:0].copy()  # a view would keep all of it

    def _newest_first(self, pair: int) -> tuple[Floats, Floats]:
        """The change of each recent batch towards the side of their mean, and what it weighs."""
        at = np.arange(self.batches - 1, self.batches - 1 - RECENT_BATCHES, -1) % RECENT_BATCHES
        change = self._recent[at, pair]
        told = np.isfinite(change)
        weight = np.where(told, self._recent_weight[at] / self._inflation[pair], 0).astype(np.float32)
        return np.float32(self._side(pair)) * np.where(told, change, np.float32(0)), weight

    def _side(self, pair: int) -> float:
        return 1.0 if self.moved()[pair] >= 0 else -1.0


def _running(values: Floats) -> Floats:
    """Sums over RECENT_BATCHES consecutive rows."""
    sums = np.cumsum(np.vstack([np.zeros_like(values[:1]), values]), axis=0, dtype=np.float64)
    return np.asarray(sums[RECENT_BATCHES:] - sums[:-RECENT_BATCHES], dtype=np.float32)
