"""Windows and waits as PromQL writes them, at their real length or shortened for a demo."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
# `rate` needs two samples; four scrapes of one second leave room for a late one.
SHORTEST_WINDOW_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Durations:
    """`scale` 1 leaves every duration as it is; 1/360 turns an hour into ten seconds."""

    scale: Fraction = Fraction(1)

    @property
    def shortened(self) -> bool:
        """Whether these are not the real durations."""
        return self.scale != 1

    def window(self, nominal: str) -> str:
        """A range such as `1h`; shortened, but never below `SHORTEST_WINDOW_SECONDS`."""
        return _text(max(ceil(_seconds(nominal) * self.scale), SHORTEST_WINDOW_SECONDS))

    def wait(self, nominal: str) -> str:
        """How long a condition must hold, or how often a group is evaluated: whole seconds, at least one."""
        return _text(max(ceil(_seconds(nominal) * self.scale), 1))

    def seconds(self, nominal: str) -> int:
        """A duration as PromQL compares times with it."""
        return max(ceil(_seconds(nominal) * self.scale), 1)


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _text(seconds: int) -> str:
    """The largest unit that is exact: 5400 is `90m`, 86400 is `1d`."""
    unit = next(unit for unit, size in _SECONDS.items() if seconds % size == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"
