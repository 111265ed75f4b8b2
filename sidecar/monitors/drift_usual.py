"""What is usual for one value of a segment: the model's bins with the shares of the value's own first rows.

A tenant that has always differed from the others is no drift, and its own deviation is what its changes are
measured in; so each value is judged against its own rows, in the bins that the model's reference has. What it
is not: a reference that somebody reviewed; what was wrong in the first rows is usual from then on.

The trap: levels are ordered by their share, so bins of a value lie in another order than those of the model;
`Usual.counts` puts them where its judge expects them.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sidecar.binning import Binning
from sidecar.monitors.drift_layout import ColumnBins, Counts, DriftLayout
from sidecar.reference import ColumnProfile, Reference

Order = npt.NDArray[np.intp]


class Usual:
    """A reference made of the rows of one value: `learnt`, their counts in the bins of the model's layout."""

    def __init__(self, reference: Reference, layout: DriftLayout, learnt: Counts) -> None:
        self.learnt = learnt
        profiles = [_profile(column, learnt[column.start : column.stop]) for column in layout.columns]
        kinds: dict[str, dict[str, ColumnProfile]] = {"feature": {}, "output": {}}
        for column, profile in zip(layout.columns, profiles, strict=True):
            kinds[column.kind][column.name] = profile
        rows = max((int(learnt[column.start : column.stop].sum()) for column in layout.columns), default=0)
        self.reference = replace(reference, rows=rows, features=kinds["feature"], outputs=kinds["output"])
        own = DriftLayout(self.reference)
        pairs = zip(layout.columns, own.columns, strict=True)
        orders = [of.start + _order(of.binning, column.binning) for of, column in pairs]
        self._order = np.concatenate([*orders, np.empty(0, np.intp)])
        valued = [_values(column, learnt) > 0 for column in layout.columns]
        # A column that this value never sent may begin to come any day: that is no drift, and nobody knows
        # what would be usual.
        self._known = np.repeat(np.array(valued, bool), [column.binning.size for column in layout.columns])

    def counts(self, counts: Counts) -> Counts:
        """Counts of the model's bins, where the judge of this value expects them; of known columns only."""
        return np.where(self._known, counts[self._order], 0)


def _values(column: ColumnBins, counts: Counts) -> int:
    return int(counts[column.start : column.start + column.binning.values].sum())


def _profile(column: ColumnBins, counts: Counts) -> ColumnProfile:
    """The profile with the shares of these counts; as it was when there is no value among them."""
    rows, binning = int(counts.sum()), column.binning
    values = counts[: binning.values]
    if not values.sum():
        return column.profile
    shares = (values / values.sum()).tolist()
    profile = replace(column.profile, rows=rows, null_ratio=float(counts[binning.null] / rows))
    if binning.levels:
        return replace(profile, levels=dict(zip(binning.levels, shares[:-1], strict=True)))
    return replace(profile, shares=tuple(shares)) if profile.shares else profile


def _order(of: Binning, own: Binning) -> Order:
    """For each bin of `own` which of `of` it is: levels by name, the rest as they are."""
    at = {level: i for i, level in enumerate(of.levels)}
    levels = [at[level] for level in own.levels]
    return np.array([*levels, *range(len(levels), own.size)], np.intp)
