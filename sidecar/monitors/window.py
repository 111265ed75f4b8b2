"""Mean, spread and extremes of the last minute or so, in constant memory.

Two slots of `SLOT_SECONDS`: the one being filled and the one before. The answer covers the last one to
two slots, never less than a full one once it has run that long. Moments of two sets are joined after
Chan, Golub and LeVeque (1979), which does not lose digits on values far from zero.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Half a minute to a minute of rows: a step shows within two scrapes, and one odd row is gone in a minute.
SLOT_SECONDS = 30.0


@dataclass(slots=True)
class Moments:
    """Of a set of numbers; `squares` is the sum of squared deviations from the mean."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @property
    def stddev(self) -> float:
        """Population standard deviation."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def joined(self, other: "Moments") -> "Moments":
        """The moments of both sets together."""
        count = self.count + other.count
        if not count:
            return self
        delta = other.mean - self.mean
        return Moments(
            count,
            self.mean + delta * (other.count / count),
            self.squares + other.squares + delta * delta * (self.count * (other.count / count)),
            min(self.low, other.low),
            max(self.high, other.high),
        )


def moments(numbers: npt.NDArray[np.float64]) -> Moments:
    """The moments of the numbers that are not NaN. Numbers near the float limit give infinities."""
    unknown = np.isnan(numbers)
    kept = numbers[~unknown] if unknown.any() else numbers
    if not kept.size:
        return Moments()
    # Of a few hundred numbers the methods of arrays spend most of their time on getting to these.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.add.reduce(kept)) / kept.size
        squares = float(np.add.reduce(np.square(kept - mean)))
    low, high = float(np.minimum.reduce(kept)), float(np.maximum.reduce(kept))
    return Moments(kept.size, mean, squares, low, high)


class RollingWindow:
    """The moments of the last one to two slots."""

    __slots__ = ("_current", "_previous", "_slot_began")

    def __init__(self) -> None:
        self._slot_began = -math.inf
        self._current = Moments()
        self._previous = Moments()

    def add(self, numbers: npt.NDArray[np.float64], now: float) -> None:
        """Take numbers seen at `now` (monotonic seconds) into account."""
        self._turn(now)
        self._current = self._current.joined(moments(numbers))

    def read(self, now: float) -> Moments:
        """The moments as of `now`; a count of zero when nothing is recent."""
        self._turn(now)
        return self._previous.joined(self._current)

    def _turn(self, now: float) -> None:
        elapsed = now - self._slot_began
        if elapsed < SLOT_SECONDS:
            return
        # After two slots without a turn, what is in `_current` is too old as well.
        self._previous = self._current if elapsed < 2 * SLOT_SECONDS else Moments()
        self._current = Moments()
        self._slot_began = now if elapsed >= 2 * SLOT_SECONDS else self._slot_began + SLOT_SECONDS
