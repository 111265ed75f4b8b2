"""The one door to river: does this sequence of standardised scores still have the mean it had?

ADWIN (Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007) as river
implements it, behind an interface of ours. What it is not: an effect size. At the moment of a detection
river's own estimate is still the old mean, so how big a change is has to be measured outside.

The traps, each measured on river 0.26: one NaN or infinity blinds a window for ever, so neither gets
in; its bound depends on the scale, so only scores with a standard deviation near 1 belong here; after a
detection the window is dropped whole, and the detector starts again with what comes next.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

# The public class lives in `river.drift`, whose __init__ imports scipy.stats (KSWIN needs it) and with
# it 74 MB we never use. What the class wraps is a compiled type that imports nothing, there since 0.25;
# older versions, or a later one that moves it, cost the memory and work the same.
try:
    from river._river_rust.drift import AdaptiveWindowing
except ImportError:  # pragma: no cover - depends on the installed river
    AdaptiveWindowing = None  # type: ignore[assignment,misc]

# No false alarm in 20 million in-control batches x 90 signals; .002, river's own, had 1.15 a million rows.
DEFAULT_DELTA = 1e-4
# A batch of many rows far from the reference has a score of hundreds, and would outweigh a window of
# ordinary ones for hours. Thirty standard deviations are as certain as three hundred.
MAX_SCORE = 30.0
# More of them make no difference to when a change is found.
_ZEROS = 512
_CLOCK = 1  # look at every score: they are batches already
_MAX_BUCKETS, _MIN_WINDOW, _GRACE = 5, 5, 10  # river's own defaults, which the study measured


class ChangeDetector:
    """Says when the mean of a sequence of standardised scores changed."""

    __slots__ = ("_delta", "_window")

    def __init__(self, delta: float = DEFAULT_DELTA) -> None:
        self._delta = delta
        self._window = _window(delta)

    def update(self, score: float) -> bool:
        """Take the next score (mean 0, deviation 1 in control); True when a change was just found.

        A score that is no finite number is passed over: it says nothing about the mean.
        """
        if not isfinite(score):
            return False
        changed = self._window.update(min(max(score, -MAX_SCORE), MAX_SCORE))
        if changed:
            self._window = _window(self._delta)
        return changed


class ChangeDetectors:
    """One ChangeDetector for each of many sequences that go on together; a third of what they cost apart.

    A sequence of nothing but zeros (nulls that never come) has no window yet: half of a clean model's are
    such, and each window takes 2 kB. With its first other score it gets one, which hears the zeros before.
    """

    __slots__ = ("_active", "_deltas", "_windows", "_zeros")

    def __init__(self, deltas: Sequence[float]) -> None:
        self._deltas = np.array(deltas)
        self._windows: dict[int, _Window] = {}
        self._active = np.zeros(len(deltas), dtype=bool)
        self._zeros = np.zeros(len(deltas), dtype=np.int32)

    def update(self, scores: npt.NDArray[np.floating]) -> list[int]:
        """Take the next score of each sequence; returns those in which a change was just found.

        What is no finite number is passed over.
        """
        finite = np.isfinite(scores)
        for at in np.flatnonzero(finite & (scores != 0) & ~self._active).tolist():
            self._begin(at)
        self._zeros += finite & ~self._active
        clipped = np.minimum(np.maximum(scores, -MAX_SCORE), MAX_SCORE).tolist()
        if finite.all():
            changed = [at for at, window in self._windows.items() if window.update(clipped[at])]
        else:
            told = finite.tolist()
            changed = [at for at, window in self._windows.items() if told[at] and window.update(clipped[at])]
        for at in changed:
            self._windows[at] = _window(self._deltas.item(at))
        return sorted(changed)

    def _begin(self, at: int) -> None:
        window = self._windows[at] = _window(self._deltas.item(at))
        self._active[at] = True
        for _ in range(min(self._zeros.item(at), _ZEROS)):
            window.update(0.0)


class _Window(Protocol):
    def update(self, value: float, /) -> bool: ...


def _window(delta: float) -> _Window:
    if AdaptiveWindowing is None:
        return _public_window(delta)
    window: _Window = AdaptiveWindowing(delta, _CLOCK, _MAX_BUCKETS, _MIN_WINDOW, _GRACE)
    return window


def _public_window(delta: float) -> _Window:
    """The same through river's public class, for versions without the compiled type we know."""
    from river.drift import ADWIN

    class Window:
        def __init__(self) -> None:
            make: Any = ADWIN  # river ships no types
            self._adwin = make(delta, _CLOCK, _MAX_BUCKETS, _MIN_WINDOW, _GRACE)

        def update(self, value: float, /) -> bool:
            self._adwin.update(value)
            return bool(self._adwin.drift_detected)

    return Window()
