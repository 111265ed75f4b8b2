"""All bins of a model's reference side by side, so that one array holds a micro-batch of every column.

`DriftLayout` turns cleaned batches into counts of shape (micro-batches, bins). It decides nothing; what the
counts mean is in `drift_signals`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar import binning
from sidecar.batch import Batch
from sidecar.binning import Binning, Indices
from sidecar.names import clean
from sidecar.reference import ColumnProfile, Reference

Counts = npt.NDArray[np.signedinteger[Any]]

# A reference wider than this is judged on its first columns: 1,000 features cost 16 MB, the stated ceiling.
MAX_COLUMNS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class ColumnBins:
    """Where one column's bins lie: `start` to `stop` in the flat array."""

    kind: str
    name: str  # safe as a label value, as batches have it
    profile: ColumnProfile
    binning: Binning
    start: int

    @property
    def stop(self) -> int:
        """One past the last bin."""
        return self.start + self.binning.size


class DriftLayout:
    """The columns of a reference, features first, and the reference's share of each of their bins."""

    def __init__(self, reference: Reference) -> None:
        self.columns: list[ColumnBins] = []
        start = 0
        for kind, profiles in (("feature", reference.features), ("output", reference.outputs)):
            for name, profile in profiles.items():
                if len(self.columns) < MAX_COLUMNS:
                    self.columns.append(
                        ColumnBins(kind, clean(name), profile, binning.of_profile(profile), start)
                    )
                    start = self.columns[-1].stop
        self.size = start
        self.starts = np.array([column.start for column in self.columns], dtype=np.intp)
        self.shares = np.concatenate([binning.shares(c.profile) for c in self.columns] or [np.empty(0)])
        # A feature nobody ever sent is a name that does not match, which validity reports; it is no drift.
        # From its first value on, being absent is being null.
        self._seen = [False] * len(self.columns)

    def seen(self) -> list[bool]:
        """Which columns ever had a value."""
        return list(self._seen)

    def see(self, seen: list[bool]) -> None:
        """Go on from a saved `seen`. Raises ValueError when it is of other columns."""
        if len(seen) != len(self.columns):
            raise ValueError("a drift state of other columns")
        self._seen = list(seen)

    def count(self, batch: Batch, lengths: Sequence[int], into: dict[int, Indices] | None = None) -> Counts:
        """Rows of each bin for consecutive runs of rows; shape (runs, size). `lengths` add up to the rows.

        `into` is given the bin of each row, by column.
        """
        counts = np.zeros((len(lengths), self.size), dtype=np.int64)
        runs: dict[int, Indices] = {}
        for at, column in enumerate(self.columns):
            values = (batch.features if column.kind == "feature" else batch.outputs).get(column.name)
            if values is None or not len(values.states):
                if self._seen[at] and column.kind == "feature" and not batch.elsewhere:
                    counts[:, column.start + column.binning.null] = lengths
                continue
            rows = len(values.states)
            if rows not in runs:
                runs[rows] = _runs(lengths, rows)
            bins = column.binning.index(values)
            if into is not None:
                into[at] = bins
            first = 0 if self._seen[at] else _first_value(bins, column.binning)
            self._seen[at] = first < rows
            counted = _count(bins[first:], runs[rows][first:], len(lengths), column.binning.size)
            counts[:, column.start : column.stop] = counted
        return counts

    def divided(
        self, bins: Mapping[int, Indices], runs: Indices, count: int, *, elsewhere: bool = False
    ) -> Counts:
        """Rows of each bin by the run they belong to, -1 for none; shape (count, size).

        `bins` are those of each row by column, as `count` gives them. Outputs that are fewer than the rows
        are left out: which row is whose is not known.
        """
        counts = np.zeros((count, self.size), dtype=np.int64)
        chosen = runs >= 0
        own = slice(None) if chosen.all() else np.flatnonzero(chosen)
        of = runs[own]
        for at, column in enumerate(self.columns):
            found = bins.get(at)
            if found is not None and len(found) == len(runs):
                counted = _count(found[own], of, count, column.binning.size)
                counts[:, column.start : column.stop] = counted
            elif found is None and column.kind == "feature" and not elsewhere:
                counts[:, column.start + column.binning.null] = np.bincount(of, minlength=count)
        return counts


def _first_value(bins: Indices, binning: Binning) -> int:
    """The first row that has a value; the number of rows when none has."""
    valued = np.flatnonzero(bins < binning.values)
    return int(valued[0]) if len(valued) else len(bins)


def _count(bins: Indices, runs: Indices, count: int, size: int) -> Counts:
    flat = np.bincount(bins + runs * size, minlength=count * size)
    return flat.reshape(count, size)


def _runs(lengths: Sequence[int], rows: int) -> Indices:
    """Which run each of `rows` rows belongs to; fewer rows than features had are spread evenly."""
    ends = np.cumsum(lengths)
    at = np.arange(rows) if rows == ends[-1] else np.arange(rows) * int(ends[-1]) // rows
    return np.searchsorted(ends, at, side="right")
