"""Bins: which bin of a profile each value of a cleaned column falls into, and what people call it.

One binning serves everything: the detectors look at all bins (twenty for a number), the exporters at
ten. Bin numbers are the value bins first, then one for "no value" and one for "no usable value", so
that shares of nulls and of rubbish come out of the same counts. What it is not: it cleans nothing;
states and numbers come from `sidecar.batch`.

The trap: bin i holds edges[i-1] < x <= edges[i], so an edge belongs to the bin below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.batch import CleanColumn, State
from sidecar.bin_search import MIN_NUMBERS, Cells
from sidecar.metric import OTHER
from sidecar.names import clean
from sidecar.reference import ColumnProfile, ColumnType

Counts = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]

NULL_LABEL = "__null__"
"""Null, NaN or missing: what a profile's `null_ratio` counts."""
INVALID_LABEL = "__invalid__"
"""Infinite, or of the wrong type."""
# Ten exported bins keep 30 features x 2 versions near 2,500 series a pod.
EXPORTED_BINS = 10

_NULLS = (State.MISSING, State.NULL, State.NAN)
_INVALIDS = (State.INF, State.WRONG_TYPE)
# Per state: 0 = binned by its value, 1 = the null bin, 2 = the invalid bin.
_KIND_OF_STATE = np.zeros(len(State), dtype=np.intp)
_KIND_OF_STATE[list(_NULLS)] = 1
_KIND_OF_STATE[list(_INVALIDS)] = 2


@dataclass(frozen=True, slots=True, eq=False)
class Binning:
    """The bins of one column.

    `edges` for numbers; `levels` (most frequent first) for categories and booleans, whose last value bin
    holds every other level. With neither, all values share one bin: text still has nulls.
    """

    type: ColumnType
    edges: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    levels: tuple[str, ...] = ()
    _at: Mapping[str | None, int] = field(init=False, repr=False)
    _cells: list[Cells] = field(init=False, repr=False, default_factory=list)  # made when first needed

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", {level: i for i, level in enumerate(self.levels)})

    @property
    def values(self) -> int:
        """How many bins hold values."""
        return len(self.levels) + 1 if _is_levelled(self.type) else len(self.edges) + 1

    @property
    def null(self) -> int:
        """The bin of null, NaN and missing values."""
        return self.values

    @property
    def invalid(self) -> int:
        """The bin of infinite values and wrong types."""
        return self.values + 1

    @property
    def size(self) -> int:
        """All bins: values, null, invalid."""
        return self.values + 2

    def index(self, column: CleanColumn) -> Indices:
        """The bin of each row. A column cleaned as another type than this profile's is invalid."""
        bins = self._value_bins(column)
        if not column.states.any():  # nearly always: all valid
            return bins
        kinds = _KIND_OF_STATE[column.states]
        if kinds.any():
            bins = np.where(kinds == 0, bins, self.values - 1 + kinds)
        return bins

    def count(self, column: CleanColumn) -> Counts:
        """Rows in each bin; shape (size,)."""
        return np.bincount(self.index(column), minlength=self.size)

    def _value_bins(self, column: CleanColumn) -> Indices:
        if self.type is ColumnType.NUMBER and column.numbers is not None:
            return self._search(column.numbers)
        if _is_levelled(self.type) and column.levels is not None:
            other = len(self.levels)
            at = self._at.get
            return np.array([at(level, other) for level in column.levels], dtype=np.intp)
        unbinned = self.type in (ColumnType.TEXT, ColumnType.TIMESTAMP)
        return np.full(len(column.states), 0 if unbinned else self.invalid, dtype=np.intp)

    def _search(self, numbers: npt.NDArray[np.float64]) -> Indices:
        if len(numbers) >= MIN_NUMBERS:
            if not self._cells:
                self._cells.append(Cells(self.edges))
            if self._cells[0].usable:
                return self._cells[0].search(numbers)
        return np.searchsorted(self.edges, numbers, side="left")

    @property
    def labels(self) -> tuple[str, ...]:
        """A distinct name for each bin, in bin order."""
        return (*self._value_labels(range(self.values)), NULL_LABEL, INVALID_LABEL)

    @property
    def exported_labels(self) -> tuple[str, ...]:
        """A distinct name for each exported bin: at most ten value bins, and the two others."""
        return (*self._value_labels(self.exported[:-2].tolist()), NULL_LABEL, INVALID_LABEL)

    @property
    def exported(self) -> Indices:
        """The internal bin that each exported one begins with; worth keeping, it takes as long as a count."""
        return np.flatnonzero(np.diff(self._groups(), prepend=-1))

    def export(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Sum internal bins (last axis) to the exported ones, in the order of `exported_labels`."""
        return np.add.reduceat(counts, self.exported, axis=-1)

    def _groups(self) -> Indices:
        """The exported bin of each internal bin: neighbours share one; of levels the rare ones do."""
        at = np.arange(self.values)
        if _is_levelled(self.type):
            groups = np.minimum(at, EXPORTED_BINS - 1)
        else:
            groups = at * min(EXPORTED_BINS, self.values) // self.values
        return np.concatenate([groups, groups[-1] + [1, 2]])

    def _value_labels(self, first: Sequence[int]) -> list[str]:
        """Labels of value bins that begin at internal bins `first` and end where the next begins."""
        if _is_levelled(self.type):
            return [*(clean(self.levels[i]) for i in first[:-1]), OTHER]
        inner = _texts([float(self.edges[i - 1]) for i in first[1:]])
        if not inner:
            return ["all"]
        middle = [f"{low}..{high}" for low, high in pairwise(inner)]
        return [f"<={inner[0]}", *middle, f">{inner[-1]}"]


def of_profile(profile: ColumnProfile) -> Binning:
    """The bins of a column of a reference."""
    levels = sorted(profile.levels, key=lambda level: (-profile.levels[level], level))
    return Binning(profile.type, np.array(profile.edges, dtype=np.float64), tuple(levels))


def shares(profile: ColumnProfile) -> npt.NDArray[np.float64]:
    """The reference's share of each bin of `of_profile(profile)`, over all its rows; sums to 1."""
    if profile.type is ColumnType.NUMBER and profile.shares:
        values = list(profile.shares)
    elif _is_levelled(profile.type):
        kept = [profile.levels[level] for level in of_profile(profile).levels]
        values = [*kept, max(1.0 - sum(kept), 0.0)]
    else:
        values = [1.0] * (len(profile.edges) + 1)
    of_values = np.array(values) / max(sum(values), 1e-12) * (1.0 - profile.null_ratio)
    return np.concatenate([of_values, [profile.null_ratio, 0.0]])


def level_text(value: object) -> str:
    """The level a category or boolean value is counted under: `True` is "true", 3 and 3.0 are "3"."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _is_levelled(type: ColumnType) -> bool:
    return type in (ColumnType.CATEGORY, ColumnType.BOOLEAN)


def _texts(edges: list[float]) -> list[str]:
    """The shortest of 4, 6 … 17 digits at which all edges read differently."""
    for digits in (4, 6, 9, 12):
        texts = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(texts)) == len(texts):
            return texts
    return [repr(edge) for edge in edges]
