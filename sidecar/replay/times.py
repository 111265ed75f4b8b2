"""When recorded rows were, from whatever a file says: ISO 8601 text, or a number since 1970 in a usual unit.

Rows are judged in the order of the file, as live ones are in the order they came, so the clock never goes
back: a row that is older than one before it counts as of that one's time. What it is not: a sort. The trap:
a file that is sorted the other way round has one time only, and with it no hours; so how many rows were far
out of order is counted, for somebody to be told.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

# Seconds since 1970 pass this in the year 5138; milliseconds did in 1973.
_LARGEST_SECONDS = 1e11
_UNITS = (1.0, 1e3, 1e6, 1e9)
# What matters is the hour; requests that overtake each other do not.
_FAR_BACK_SECONDS = 3600.0

Floats = npt.NDArray[np.float64]


class Clock:
    """Seconds since the epoch of consecutive rows. 0 until the first value that says a time."""

    def __init__(self) -> None:
        self.rows = 0
        self.unread = 0
        """Rows whose value says no time: they have that of the row before."""
        self.back = 0
        """Rows more than an hour older than one before them."""
        self._now = 0.0

    @property
    def known(self) -> bool:
        """Whether any value said a time."""
        return self.rows > self.unread

    def times(self, values: Sequence[Any]) -> list[float]:
        """One time a row, never before that of the row above it."""
        read = np.array([seconds(value) for value in values], dtype=np.float64)
        latest = np.fmax.accumulate(np.concatenate([[self._now], read]))[1:]
        self._count(read, latest)
        self._now = latest.item(-1) if len(latest) else self._now
        return list(latest.tolist())

    def _count(self, read: Floats, latest: Floats) -> None:
        self.rows += len(read)
        self.unread += int(np.count_nonzero(np.isnan(read)))
        self.back += int(np.count_nonzero(latest - read > _FAR_BACK_SECONDS))


def seconds(value: Any) -> float:
    """Seconds since the epoch, NaN where a value says no time. Text without a zone is UTC."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_number(value)
    if not isinstance(value, str):
        return math.nan
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _of_text(value)


def _of_text(value: str) -> float:
    """JSON often has numbers as text."""
    try:
        return _of_number(float(value))
    except ValueError:
        return math.nan


def _of_number(value: int | float) -> float:
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return next((number / unit for unit in _UNITS if abs(number) < _LARGEST_SECONDS * unit), math.nan)
