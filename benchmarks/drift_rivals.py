"""What the drift monitor is measured beside: dummies that say always or never, and raw river detectors.

Each hears the rows of a model and counts every alarm, as a user who subscribes to it would. The dummies show
what a delay or a silence is worth alone: always firing has the best delays, never firing no false alarm.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from benchmarks.drift_streams import Piece


class Rival(Protocol):
    """Hears rows; `alarms` are the rows at which it fired."""

    alarms: list[int]

    def hear(self, piece: Piece) -> None:
        """Take the next rows."""


class AlwaysFire:
    """Fires at every 64th row."""

    def __init__(self, columns: int) -> None:
        self.alarms: list[int] = []
        self._rows = 0

    def hear(self, piece: Piece) -> None:
        """Take the next rows."""
        until = self._rows + len(piece.numbers)
        self.alarms += range(self._rows + (63 - self._rows) % 64, until, 64)
        self._rows = until


class NeverFire:
    """Never fires."""

    def __init__(self, columns: int) -> None:
        self.alarms: list[int] = []

    def hear(self, piece: Piece) -> None:
        """Take the next rows."""


class River:
    """One detector of river's a column, at its defaults, row by row; nulls are passed over."""

    def __init__(self, make: Callable[[], Any], columns: int) -> None:
        self.alarms: list[int] = []
        self._detectors = [make() for _ in range(columns)]
        self._rows = 0

    def hear(self, piece: Piece) -> None:
        """Take the next rows."""
        numbers = piece.numbers.copy()
        if piece.nulls is not None:
            numbers[piece.nulls, 0] = np.nan
        found = []
        for column, detector in enumerate(self._detectors):
            for row, value in enumerate(numbers[:, column].tolist()):
                if value == value:
                    detector.update(value)
                    if detector.drift_detected:
                        found.append(self._rows + row)
        self.alarms += sorted(found)
        self._rows += len(numbers)


def rivals() -> dict[str, Callable[[int], Rival]]:
    """How to make each, given the number of columns. river.drift is imported here: it brings scipy."""
    from river.drift import ADWIN, KSWIN, PageHinkley

    return {
        "always fire": AlwaysFire,
        "never fire": NeverFire,
        "river ADWIN": lambda columns: River(ADWIN, columns),
        "river PageHinkley": lambda columns: River(PageHinkley, columns),
        "river KSWIN": lambda columns: River(lambda: KSWIN(seed=1), columns),
    }
