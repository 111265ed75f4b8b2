"""Rows that were seen a moment ago: a client that retries without end, a job that sends its input twice.

A bounded sketch of row hashes: each hash has one place among `PLACES`, and stays there until another takes
it, so a row is remembered for about as many rows. No value can be read back from it. Hashed are numbers and
levels; text and times count only by what is derived from them. The trap: rows of few and coarse features are
equal by nature, so how many are is learnt first; nothing is judged until then.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sidecar.monitors.quality_chance import at_most, is_surge
from sidecar.monitors.quality_window import Levels, Window

Hashes = npt.NDArray[np.uint64]

# 64 KiB a model; two seconds at 4,000 rows a second, over an hour at two.
PLACES = 8_192
# Until so many rows were seen the sketch is filling and finds too few equal rows to learn from.
_FILLING_ROWS = 2 * PLACES
_LEARNT_ROWS = 4_096
# A fifth of the rows more than usual: retries of single requests stay far below.
EFFECT = 0.2
# Odd multipliers; a fixed seed, so that a test that passes passes again.
_ODD = np.random.default_rng(20_240_229).integers(0, 2**63, 4_096, np.uint64) * 2 + 1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: Fibonacci hashing (Knuth, TAOCP 6.4)


class Duplicates:
    """One model's recent row hashes."""

    def __init__(self) -> None:
        self._places: Hashes = np.zeros(PLACES, np.uint64)
        self._rows = 0
        self._learnt_rows = self._learnt_equal = 0

    def count(self, window: Window) -> int:
        """How many rows equal an earlier one; they are remembered."""
        hashes = row_hashes(window.numbers, list(window.levels.values()))
        if not len(hashes):
            return 0
        ordered = np.sort(hashes)  # of so few a third of what `np.unique` takes
        different = ordered[np.diff(ordered, prepend=~ordered[:1]) != 0]
        at = (different >> np.uint64(51)).astype(np.intp)
        known = int(np.count_nonzero(self._places[at] == different))
        self._places[at] = different
        return known + len(hashes) - len(different)

    def is_surge(self, equal: int, rows: int) -> bool:
        """Whether that is far more than usual. Learns what is usual from the first rows it is asked about."""
        self._rows += rows
        if self._learnt_rows < _LEARNT_ROWS:
            if self._rows > _FILLING_ROWS:
                self._learnt_rows += rows
                self._learnt_equal += equal
            return False
        return is_surge(equal, rows, self.usual, EFFECT)

    def state(self) -> list[int]:
        """What is usual, to be saved; hashes of rows are not."""
        return [self._rows, self._learnt_rows, self._learnt_equal]

    def restore(self, saved: Sequence[int]) -> None:
        """Go on from what `state` gave. Raises ValueError, TypeError."""
        self._rows, self._learnt_rows, self._learnt_equal = (int(count) for count in saved)

    @property
    def usual(self) -> float:
        """The share of rows that equal an earlier one when all is well."""
        return at_most(self._learnt_equal / max(self._learnt_rows, 1), self._learnt_rows)


def row_hashes(numbers: npt.NDArray[np.float64], levels: Sequence[Levels]) -> Hashes:
    """A hash for each row of numbers, shape (features, rows), and levels; empty without any feature."""
    hashes = np.zeros(numbers.shape[1], np.uint64)
    if len(numbers):
        bits = np.ascontiguousarray(numbers).view(np.uint64)
        # The upper bits of a float say most; folded down, or integers would collide.
        mixed = (bits ^ (bits >> np.uint64(32))) * _ODD[: len(bits), None]
        hashes = np.add.reduce(mixed, axis=0)
    if levels:
        hashes = hashes + np.fromiter(map(hash, zip(*levels, strict=True)), np.int64).view(np.uint64)
    elif not len(numbers):
        return hashes[:0]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    return np.asarray(hashes)
