"""Which features a row must have to be complete, and how many rows have them.

The order of authority: the configuration, the reference (null or missing in at most 0.1 % of its rows),
and, while there is no reference yet, the benefit of the doubt: required is what the model's first rows
brought and what was never unavailable since. After `LEARNT_AFTER_ROWS` such rows the list is settled, so
that an outage cannot talk its way out by being called optional.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from sidecar.batch import UNAVAILABLE, CleanColumn, State
from sidecar.names import clean
from sidecar.reference import ColumnProfile, Expectation

# The rule of three: never null in 1,000 rows is what a share of nulls below 0.1 % needs at least.
LEARNT_AFTER_ROWS = 1_000

_AVAILABLE = np.array([state not in UNAVAILABLE for state in State])


class AlwaysPresent:
    """The features of a model without a reference that were always available so far."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._rows = 0

    def learn(self, features: Mapping[str, CleanColumn], rows: int) -> None:
        """Take rows of a successful inference into account, before they are judged."""
        if self._rows >= LEARNT_AFTER_ROWS or not rows:
            return
        candidates = self.names if self._rows else features.keys()
        self.names = frozenset(n for n in candidates if n in features and _all_available(features[n]))
        self._rows += rows


def required(
    expectations: Mapping[str, Expectation], judged: Iterable[ColumnProfile] | frozenset[str]
) -> frozenset[str]:
    """The required features, as label values: `judged` by the reference or by the rows so far."""
    otherwise = judged if isinstance(judged, frozenset) else {clean(p.name) for p in judged if p.required}
    configured = {clean(name): e.required for name, e in expectations.items() if e.required is not None}
    return frozenset(
        {n for n in otherwise if configured.get(n, True)} | {n for n, needed in configured.items() if needed}
    )


def complete_rows(
    features: Mapping[str, CleanColumn], required: Iterable[str], rows: int
) -> npt.NDArray[np.bool_]:
    """Which rows have every required feature available."""
    complete = np.ones(rows, bool)
    for name in required:
        column = features.get(name)
        if column is None:
            return np.zeros(rows, bool)
        if column.states.any():
            complete &= _AVAILABLE[column.states]
    return complete


def _all_available(column: CleanColumn) -> bool:
    return not column.states.any() or bool(_AVAILABLE[column.states].all())
