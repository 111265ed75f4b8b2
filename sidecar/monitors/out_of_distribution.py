"""Rows the reference gives no reason to expect: numbers further out than its tails reach.

A row is out of distribution when one of its numbers is so far out that the reference expects less than one
such row in a few thousand, or when three are moderately far. How far that is follows from the reference's own
tails, so a heavy tail is allowed to be heavy. Counted, never judged: drift judges. Only numbers take part;
a category that nobody knows is a state of its own value. Without a reference there is nothing to count.

The trap: the largest value of a sample is exceeded by one of as many fresh rows, in each feature, so bounds
are drawn beyond it.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sidecar import catalog_quality as catalog
from sidecar.batch import Batch
from sidecar.monitors.recent import Recent
from sidecar.names import clean
from sidecar.reference import ColumnProfile, ColumnType, Reference, References
from sidecar.registry import Registry

MODELS_LIMIT = 50
# Of a row in control, all features together: one in 10,000. The tails of 5,000 rows are uncertain by a factor
# of ten, which keeps it under one in 1,000; ten times less would miss every tenth row at six deviations.
_ROW_CHANCE = 1 / 10_000
# Three numbers of a row, each as far out as one row in 20,000 has it: by chance only if they are the same.
_TOGETHER, _EACH_CHANCE = 3, 1 / 20_000
_TAIL = 0.05
# Fewer different values than this have no tail that could be continued.
_MIN_EDGES = 10
# The powers of two tails of one normal feature differ by less than this in 5,000 rows.
_ALIKE = 0.4
# A side without any spread (amounts at 0): as of an exponential law.
_NO_TAIL = 1.0
# Far beyond any law that has a mean; keeps the bound a number.
_STEEPEST = 50.0

Bounds = npt.NDArray[np.float64]


class OutOfDistribution:
    """A RowMonitor: rows far outside the reference."""

    def __init__(self, registry: Registry, references: References) -> None:
        self._rows = registry.counter(catalog.OUT_OF_DISTRIBUTION_ROWS)
        self._references = references
        self._models: Recent[str, _Model] = Recent(MODELS_LIMIT, lambda name: _Model())

    def fold(self, batch: Batch) -> None:
        """Count the odd rows of a batch."""
        reference = self._references.of(batch.model)
        if reference is None:
            return
        model = self._models[batch.model]
        model.use(reference)
        self._rows.add(model.odd_rows(batch), batch.model, batch.version)

    def tick(self, now: float) -> None:
        """Nothing here depends on time."""


@dataclass(frozen=True, slots=True)
class _Far:
    """The names in order, and their bounds, shape (features, 1) each: of one number, and of three."""

    names: tuple[str, ...]
    low: Bounds
    high: Bounds
    lowest: Bounds
    highest: Bounds


class _Model:
    """The bounds of one model's features."""

    def __init__(self) -> None:
        self._reference: Reference | None = None
        self._bounds: dict[str, tuple[float, ...]] = {}
        self._far: _Far | None = None
        self._layout: tuple[str, ...] = ()

    def use(self, reference: Reference) -> None:
        if reference is self._reference:
            return
        self._reference, self._far = reference, None
        profiles = [p for p in reference.features.values() if p.type is ColumnType.NUMBER and p.shares]
        chance = _ROW_CHANCE / max(2 * len(profiles), 1)
        self._bounds = {clean(p.name): (*bounds(p, _EACH_CHANCE), *bounds(p, chance)) for p in profiles}

    def odd_rows(self, batch: Batch) -> int:
        far = self._bounds_for(batch)
        if not far.names:
            return 0
        found = [batch.features[name].numbers for name in far.names]
        numbers = np.concatenate([n for n in found if n is not None]).reshape(len(found), batch.rows)
        outside = (numbers < far.low) | (numbers > far.high)
        rows = outside.any(axis=0)
        if not rows.any():  # nearly always
            return 0
        numbers, outside = numbers[:, rows], outside[:, rows]
        very = ((numbers < far.lowest) | (numbers > far.highest)).any(axis=0)
        return int(np.count_nonzero(very | (np.count_nonzero(outside, axis=0) >= _TOGETHER)))

    def _bounds_for(self, batch: Batch) -> _Far:
        layout = tuple([name for name, column in batch.features.items() if column.numbers is not None])
        if self._far is None or layout != self._layout:
            names = tuple(name for name in layout if name in self._bounds)
            table = np.array([self._bounds[name] for name in names]).reshape(len(names), 4).T[:, :, None]
            self._far, self._layout = _Far(names, *table), layout
        return self._far


def bounds(profile: ColumnProfile, chance: float) -> tuple[float, float]:
    """The numbers below and above which a value has about this chance each; infinite where nothing tells.

    Each tail is continued as that of a Weibull law through the reference's 5 % quantile and its extreme:
    distance from the median as a power of -ln(chance). Of a normal law that power is about a half, of an
    exponential one 1; what is heavier has more. One extreme is a noisy guide, so tails that are alike share
    their power. A tail heavier than the exponential may be one of Pareto, which reaches further: from power 1
    to 2 the bound goes over to that law's, through the same two points.
    """
    if profile.min is None or profile.max is None or profile.rows < 1 / _TAIL:
        return -math.inf, math.inf
    if len(profile.edges) < _MIN_EDGES:
        width = profile.max - profile.min
        return profile.min - width, profile.max + width
    below = np.concatenate([[0.0], np.cumsum(profile.shares)])
    values = np.array([profile.min, *profile.edges, profile.max])
    low, middle, high = np.interp((_TAIL, 0.5, 1 - _TAIL), below, values).tolist()
    known = max(profile.rows * (1 - profile.null_ratio), 1 / _TAIL + 1)
    down, up = (
        _power(middle - low, middle - profile.min, known),
        _power(high - middle, profile.max - middle, known),
    )
    if abs(down - up) <= _ALIKE:
        down = up = (down + up) / 2
    return (
        middle - _reach(middle - low, middle - profile.min, known, down, chance),
        middle + _reach(high - middle, profile.max - middle, known, up, chance),
    )


def _reach(quantile: float, extreme: float, rows: float, power: float, chance: float) -> float:
    """How far from the median a tail has this chance; arguments as of `_power`, and what that found."""
    weibull = quantile * float((math.log(chance) / math.log(_TAIL)) ** power)
    if power <= _NO_TAIL or not 0 < quantile < extreme:
        return weibull
    index = math.log(extreme / quantile) / math.log(_TAIL * rows)
    pareto = max(quantile * (_TAIL / chance) ** min(index, _STEEPEST), weibull)
    share = min(power - _NO_TAIL, 1.0)
    return float(weibull ** (1 - share) * pareto**share)


def _power(quantile: float, extreme: float, rows: float) -> float:
    """The power of a tail that is `quantile` from the median at 5 %, and `extreme` at one of `rows`."""
    if not 0 < quantile < extreme:
        return _NO_TAIL
    return min(math.log(extreme / quantile) / math.log(math.log(1 / rows) / math.log(_TAIL)), _STEEPEST)
