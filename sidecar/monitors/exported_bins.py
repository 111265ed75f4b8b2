"""The bins a column is exported by, and which level names may be shown. Pure; built on `sidecar.binning`.

Two kinds. A given reference's own bins, ten of them, beside the reference's shares. And a fixed grid that
does not depend on any data, so that replicas and versions add up before there is a reference.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from sidecar import binning
from sidecar.batch import CleanColumn
from sidecar.binning import Binning, Counts, Indices
from sidecar.reference import ColumnProfile, ColumnType

# The `profile` of the fixed grid. Other edges need another name.
GRID = "grid1"
# Fewer rows than this could point at a person, so such a value is never spelled out: above the thresholds
# of 3 to 10 that statistical offices use, because here nobody reviews what is published.
MIN_ROWS_PER_LEVEL = 20
# What the configuration lists is still bounded: a list of 10,000 postcodes is no chart.
CONFIGURED_LEVELS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class ExportedBins:
    """Bins of one column. `shares` are those of the reference, in the order of `labels`, or empty.

    `sparse` bins are so many, nearly all of them empty for ever, that they appear as they are filled.
    `first` are the binning's own that each begins with, None when they are the same.
    """

    binning: Binning
    labels: tuple[str, ...]
    shares: tuple[float, ...] = ()
    sparse: bool = False
    first: Indices | None = field(default=None, compare=False)

    def counts(self, column: CleanColumn) -> Counts:
        """How many rows of the column are in each bin, in the order of `labels`."""
        counts = self.binning.count(column)
        return counts if self.first is None else np.add.reduceat(counts, self.first)


def reference_bins(profile: ColumnProfile) -> ExportedBins | None:
    """The bins of a column of a given reference; None for text and times, which have none.

    Levels that too few rows of the reference carry are in `__other__`.
    """
    if profile.type not in (ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.BOOLEAN):
        return None
    shown = replace(profile, levels={level: profile.levels[level] for level in safe_levels(profile)})
    bins = binning.of_profile(shown)
    shares = bins.export(binning.shares(shown))
    return ExportedBins(bins, bins.exported_labels, tuple(shares.tolist()), first=bins.exported)


def grid_bins(type: ColumnType, kind: str, levels: Iterable[str] | None = None) -> ExportedBins | None:
    """The fixed grid for a column without a given reference; None for one that has no bins.

    `levels` are those that the configuration names; without them a category has no bins, because a value
    that nobody listed must not become a label.
    """
    if type is ColumnType.NUMBER:
        return _OUTPUT_GRID if kind == "output" else _FEATURE_GRID
    if type is ColumnType.BOOLEAN:
        return _BOOLEANS
    if type is ColumnType.CATEGORY and levels:
        return _unmerged(Binning(type, levels=tuple(levels)[:CONFIGURED_LEVELS_LIMIT]))
    return None


def safe_levels(profile: ColumnProfile) -> list[str]:
    """The levels that enough rows of the reference carry to be shown, most frequent first."""
    values = profile.rows * (1 - profile.null_ratio)
    common = [(-s, level) for level, s in profile.levels.items() if round(s * values) >= MIN_ROWS_PER_LEVEL]
    return [level for _, level in sorted(common)]


def _unmerged(bins: Binning) -> ExportedBins:
    return ExportedBins(bins, bins.labels)


def _grid(middle: list[float]) -> ExportedBins:
    """Signed 1-2-5 decades from a millionth to five thousand million, with `middle` from zero to one."""
    decades = [float(f"{digit}e{power}") for power in range(-6, 10) for digit in (1, 2, 5)]
    inner = middle or [0.0, *(edge for edge in decades if edge <= 1)]
    edges = [*(-edge for edge in reversed(decades)), *inner, *(edge for edge in decades if edge > 1)]
    return replace(_unmerged(Binning(ColumnType.NUMBER, np.array(edges))), sparse=True)


_FEATURE_GRID = _grid([])
# Outputs are often probabilities: within [0,1] their grid is twentieths. All outputs have it, so that none
# has to be declared a probability first, and replicas cannot disagree about it.
_OUTPUT_GRID = _grid([i / 20 for i in range(21)])
_BOOLEANS = _unmerged(Binning(ColumnType.BOOLEAN, levels=("false", "true")))
