"""A feature that varied in the reference and has had one and the same value for many rows.

How many rows are too many follows from the reference: with its most frequent value (or bin, which holds at
least that value) at share p, n equal rows in a row have probability p**n. The trap: all rows of one request
may be about one customer, so a run must have come in several requests before it says anything.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from sidecar.monitors.quality_chance import NATS
from sidecar.monitors.quality_window import WINDOW_ROWS, Window
from sidecar.names import clean
from sidecar.reference import ColumnProfile, ColumnType, Reference

# Twice what independent rows would need: consecutive rows of real traffic resemble each other.
_PRUDENCE = 2.0
# What has one value in so many rows of the reference may keep it for thousands; it does not "vary".
_MOST_FREQUENT = 0.99
# Requests that came from one batch job, one page or one retry are about the same thing.
MIN_REQUESTS = 8
# Seven looks tell most varying categories from a constant before all rows are compared.
_PROBES = 7

_Value = float | str | None


class Stuck:
    """One layout's runs of equal values."""

    def __init__(self, numeric: tuple[str, ...], levelled: tuple[str, ...], reference: Reference | None):
        profiles = {clean(name): p for name, p in reference.features.items()} if reference else {}
        self._limits = {name: rows_too_many(profiles.get(name)) for name in (*numeric, *levelled)}
        self._numeric, self._levelled = numeric, levelled
        self._runs: dict[str, _Run] = {}

    def check(self, window: Window) -> Iterator[tuple[str, str, str]]:
        """Each feature that is stuck, and the sentence about it."""
        constant = dict(chain(self._constant_numbers(window), self._constant_levels(window)))
        for name in [name for name in self._runs if name not in constant]:
            del self._runs[name]
        for name, value in constant.items():
            run = self._runs.get(name)
            if value is None:  # no values at all: neither a constant nor a change
                continue
            if run is None or (run.value is not None and run.value != value):
                run = self._runs[name] = _Run(value)
            run.value = value  # of a restored run it was not known
            run.rows += window.rows
            run.requests += window.requests
            if run.rows >= self._limits[name] and run.requests >= MIN_REQUESTS:
                yield name, "stuck", f"the same value in {run.rows:,} rows; the reference varies"

    def state(self) -> dict[str, list[int]]:
        """How long each run is, to be saved; its value is not."""
        return {name: [run.rows, run.requests] for name, run in self._runs.items()}

    def restore(self, saved: Mapping[str, Sequence[int]]) -> None:
        """Go on from what `state` gave; of whatever value comes next. Raises ValueError, TypeError."""
        for name, (rows, requests) in saved.items():
            if name in self._limits:
                run = self._runs[name] = _Run(None)
                run.rows, run.requests = int(rows), int(requests)

    def _constant_numbers(self, window: Window) -> Iterator[tuple[str, _Value]]:
        numbers = window.numbers
        if not len(numbers):
            return
        first, last = numbers[:, 0], numbers[:, -1]
        suspected = ~(first != last) | np.isnan(first) | np.isnan(last)
        for at in suspected.nonzero()[0].tolist():
            row = numbers[at]
            kept = row[~np.isnan(row)]
            if not len(kept):
                yield self._numeric[at], None
            elif (kept == kept[0]).all():
                yield self._numeric[at], float(kept[0])

    def _constant_levels(self, window: Window) -> Iterator[tuple[str, _Value]]:
        step = max(window.rows // _PROBES, 1)
        for name in self._levelled:
            levels = window.levels[name]
            if len(set(levels[::step]) - {None}) <= 1:
                values = set(levels) - {None}
                if len(values) <= 1:
                    yield name, next(iter(values), None)


class _Run:
    __slots__ = ("requests", "rows", "value")

    def __init__(self, value: _Value) -> None:
        self.value = value
        self.rows = self.requests = 0


def rows_too_many(profile: ColumnProfile | None) -> float:
    """Equal rows in a row that a varying feature never has; infinite for one that may be constant."""
    if profile is None or not (profile.shares or profile.levels):
        return math.inf
    if profile.type is ColumnType.NUMBER:
        most = max(profile.shares)
    else:
        most = max(*profile.levels.values(), 1 - sum(profile.levels.values()))
    if not 0 < most <= _MOST_FREQUENT:
        return math.inf
    return max(WINDOW_ROWS, math.ceil(_PRUDENCE * NATS / -math.log(most)))
