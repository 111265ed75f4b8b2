"""How far recent rows are from the reference, as one number a column. A size, never a trigger.

A fixed PSI threshold fires on a third of all 100-row windows of unchanged data (E[PSI | no change] =
(K-1)(1/n + 1/n_ref), Yurdakul 2018): verdicts come from elsewhere, and that bias is taken off here.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift_layout import ColumnBins, Counts, DriftLayout
from sidecar.names import clean
from sidecar.reference import ColumnType

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """One value a column. `psi` is without its sampling bias, and so may be a little below 0; `js` is the
    Jensen-Shannon divergence in nats (0 to ln 2); `tv` the total variation distance (0 to 1)."""

    psi: Floats
    js: Floats
    tv: Floats


def distances(layout: DriftLayout, window: Counts) -> Distances:
    """Compare the counts of a window with the reference's shares; 0 for a column without rows."""
    starts, sizes = layout.starts, np.diff(np.append(layout.starts, layout.size))
    if not len(starts):
        return Distances(np.empty(0), np.empty(0), np.empty(0))
    used = ((window > 0) | (layout.shares > 0)).astype(float)
    bins = np.add.reduceat(used, starts)
    rows = np.add.reduceat(window, starts)
    reference_rows = np.array([max(c.profile.rows, 1) for c in layout.columns], dtype=float)
    # Half a row in each bin keeps the logarithm finite where one side has none.
    live = used * (window + 0.5) / np.repeat(rows + 0.5 * bins, sizes)
    known = layout.shares * np.repeat(reference_rows, sizes)
    reference = used * (known + 0.5) / np.repeat(reference_rows + 0.5 * bins, sizes)
    some = rows > 0
    psi = np.add.reduceat((live - reference) * (_log(live) - _log(reference)), starts)
    bias = (bins - 1) * (1 / np.maximum(rows, 1) + 1 / reference_rows)
    middle = _log((live + reference) / 2)
    to_middle = live * (_log(live) - middle) + reference * (_log(reference) - middle)
    js = np.add.reduceat(to_middle, starts) / 2
    tv = np.add.reduceat(np.abs(live - reference), starts) / 2
    return Distances(np.where(some, psi - bias, 0.0), np.where(some, js, 0.0), np.where(some, tv, 0.0))


def largest_moves(
    layout: DriftLayout, window: Counts, at: int, most: int = 5
) -> tuple[tuple[str, float, float], ...]:
    """The bins of a column whose share moved most: what they hold, the reference's share, that of now."""
    column = layout.columns[at]
    own = slice(column.start, column.stop)
    rows = int(window[own].sum())
    if not rows:
        return ()
    known, live = layout.shares[own], window[own] / rows
    order = np.argsort(-np.abs(live - known))[:most].tolist()
    return tuple(
        (_held(column, i), round(float(known[i]), 4), round(float(live[i]), 4))
        for i in order
        if live[i] != known[i]
    )


def _held(column: ColumnBins, at: int) -> str:
    """What a bin holds, for people."""
    binning, edges = column.binning, column.profile.edges
    if at == binning.null:
        return "null"
    if at >= binning.values:
        return "invalid"
    if binning.levels:
        return clean(binning.levels[at]) if at < len(binning.levels) else "other"
    if not edges:
        return "any value"
    if at == 0:
        return f"up to {edges[0]:.4g}"
    return f"{edges[at - 1]:.4g} to {edges[at]:.4g}" if at < len(edges) else f"above {edges[-1]:.4g}"


def kolmogorov_smirnov(layout: DriftLayout, window: Counts) -> Floats:
    """The largest difference between cumulative shares, at bin edges, of each numeric column's values.

    A little below the statistic of the raw values, whose largest difference may lie inside a bin; NaN
    where there is nothing to order (categories) or no value.
    """
    found = np.full(len(layout.columns), np.nan)
    for at, column in enumerate(layout.columns):
        values = slice(column.start, column.start + column.binning.values)
        live, known = window[values], layout.shares[values]
        if column.profile.type is ColumnType.NUMBER and live.sum() and known.sum() > 0:
            apart = np.cumsum(live) / live.sum() - np.cumsum(known) / known.sum()
            found[at] = np.abs(apart).max()
    return found


def _log(values: Floats) -> Floats:
    """Natural logarithm, 0 where there is nothing to take it of."""
    return np.log(np.where(values > 0, values, 1.0))
