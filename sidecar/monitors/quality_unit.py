"""Values in another unit than the reference's: 1,000 times as large, a hundredth, Fahrenheit for Celsius.

A unit is another when the quartiles of the rows are far from the reference's, and are the reference's after
one of the conversions that people really mix up. Quartiles, because one odd value must not matter. Named is
the conversion that fits best. The trap: features that are mostly one value have no quartiles to compare.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sidecar.monitors.quality_window import Window
from sidecar.names import clean
from sidecar.reference import ColumnProfile, ColumnType, Reference

Numbers = npt.NDArray[np.float64]

# Of a window so many rows are looked at: their quartiles are known to a fifth of the spread.
_ROWS_LOOKED_AT = 64
_MIN_VALUES = 32
# How far quartiles may be from the converted reference, in its interquartile ranges, and by which factor
# their own range may differ: three standard errors of 64 rows.
_NEAR, _SPREAD = 0.6, math.log(2.0)
# And how far they must be from the reference as it is.
_FAR_SPREAD, _FAR = math.log(3.0), 2.0
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Conversion:
    """`scale` · value + `offset`, and what to call it."""

    scale: float
    offset: float
    words: str


def _times(factor: int) -> tuple[Conversion, Conversion]:
    return (
        Conversion(factor, 0.0, f"values are {factor:,} times the reference's"),
        Conversion(1 / factor, 0.0, f"values are 1/{factor:,} of the reference's"),
    )


_FACTORS = (10, 24, 60, 100, 1_000, 3_600, 10_000, 86_400, 10**6, 10**9)
# Percent, thousands and metric prefixes, minutes, hours and days in seconds, hours in days.
CONVERSIONS: tuple[Conversion, ...] = (
    *(each for factor in _FACTORS for each in _times(factor)),
    Conversion(1.8, 32.0, "values look like Fahrenheit where the reference is Celsius"),
    Conversion(1 / 1.8, -32 / 1.8, "values look like Celsius where the reference is Fahrenheit"),
    Conversion(1.0, 273.15, "values look like kelvins where the reference is Celsius"),
    Conversion(1.0, -273.15, "values look like Celsius where the reference is kelvins"),
)  # fmt: skip


class Units:
    """One layout's quartiles in the reference, and whether a window is in another unit."""

    def __init__(self, numeric: tuple[str, ...], reference: Reference | None) -> None:
        profiles = {clean(name): p for name, p in reference.features.items()} if reference else {}
        self._names = numeric
        found = [quartiles(profiles.get(name)) for name in numeric]
        self._usual = np.array(found).reshape(len(numeric), 3)
        self._range = self._usual[:, 2] - self._usual[:, 0]
        self._known = bool((self._range > 0).any())

    def check(self, window: Window) -> Iterator[tuple[str, str, str]]:
        """Each feature whose values are in another unit, and the sentence about it."""
        if not self._known:
            return
        now = _window_quartiles(window.numbers)
        with np.errstate(all="ignore"):
            spread = np.abs(np.log((now[:, 2] - now[:, 0]) / self._range))
            far = np.abs(now[:, 1] - self._usual[:, 1]) / self._range
            suspected = (self._range > 0) & np.isfinite(spread) & ((spread > _FAR_SPREAD) | (far > _FAR))
        for at in suspected.nonzero()[0].tolist():
            best = conversion(now[at], self._usual[at])
            if best is not None:
                yield self._names[at], "unit_change", best.words


def conversion(now: Numbers, usual: Numbers) -> Conversion | None:
    """The conversion that makes the usual quartiles those of now, shape (3,) each; None if none does."""
    fits = [(_misfit(now, usual, each), each) for each in CONVERSIONS]
    misfit, best = min(fits, key=lambda fit: fit[0])
    return best if misfit <= 1 else None


def _misfit(now: Numbers, usual: Numbers, by: Conversion) -> float:
    """Below 1 for quartiles that may be the converted ones."""
    converted = usual * by.scale + by.offset
    width = converted[2] - converted[0]
    if not 0 < width < math.inf:
        return math.inf
    spread = abs(math.log((now[2] - now[0]) / width))
    distance = float(np.abs(now - converted).max()) / float(width)
    return max(distance / _NEAR, spread / _SPREAD)


def _window_quartiles(numbers: Numbers) -> Numbers:
    """Quartiles of each feature, shape (features, 3); NaN where there are too few values."""
    rows = numbers.shape[1]
    ordered = np.sort(numbers[:, :: max(rows // _ROWS_LOOKED_AT, 1)], axis=1)  # NaN comes last
    valid = ordered.shape[1] - np.count_nonzero(np.isnan(ordered), axis=1)
    places = ((np.maximum(valid, 1) - 1)[:, None] * np.array(_QUARTILES)).astype(np.intp)
    found = np.take_along_axis(ordered, places, axis=1)
    found[valid < _MIN_VALUES] = np.nan
    return np.asarray(found)


def quartiles(profile: ColumnProfile | None) -> tuple[float, float, float]:
    """The quartiles of a numeric column from its bins; NaN where it has none."""
    if profile is None or profile.type is not ColumnType.NUMBER or not profile.shares:
        return math.nan, math.nan, math.nan
    if profile.min is None or profile.max is None:
        return math.nan, math.nan, math.nan
    bounds = np.array([profile.min, *profile.edges, profile.max])
    below = np.concatenate([[0.0], np.cumsum(profile.shares)])
    low, middle, high = np.interp(_QUARTILES, below, bounds).tolist()
    return low, middle, high
