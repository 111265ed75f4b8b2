"""Between which edges a number lies, for many numbers at once: `numpy.searchsorted`, several times as fast.

A binary search mispredicts a branch at nearly every step. Here the range of the edges is cut into equal
cells; a table says how many edges lie in cells further down, and those in the number's own cell are compared.
It is exact, not near: numbers and edges get their cell by the same monotone arithmetic, so an edge in a lower
cell is smaller. What it is not: for few numbers, or edges most of which share a cell (long tails); there the
binary search stays.

The trap: NaN has no place; whoever has some replaces what comes out for them.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Below, the fixed cost of ten numpy calls is more than a search.
MIN_NUMBERS = 128
_CELLS = 256
# More edges than this in one cell take as many comparisons of every number.
_MOST_IN_A_CELL = 3
_MIN_EDGES, _MAX_EDGES = 4, 255


class Cells:
    """The table for some edges, which are sorted and finite."""

    __slots__ = ("_below", "_edges", "_low", "_rounds", "_scale", "usable")

    def __init__(self, edges: Floats) -> None:
        self.usable = False
        if not _MIN_EDGES <= len(edges) <= _MAX_EDGES:
            return
        self._low = float(edges[0])
        width = float(edges[-1]) - self._low
        self._scale = _CELLS / width if 0 < width < np.inf else np.inf
        if not 0 < self._scale < np.inf:
            return
        in_cell = np.bincount(self._cell(edges), minlength=_CELLS)
        self._rounds = int(in_cell.max())
        self.usable = self._rounds <= _MOST_IN_A_CELL
        self._below = (np.cumsum(in_cell) - in_cell).astype(np.uint8)
        self._edges = np.append(edges, np.inf)

    def search(self, numbers: Floats) -> npt.NDArray[np.intp]:
        """How many edges are smaller than each number, as `searchsorted` with side "left"."""
        found = self._below.take(self._cell(numbers)).astype(np.intp)
        for _ in range(self._rounds):
            found += self._edges.take(found) < numbers
        return found

    def _cell(self, numbers: Floats) -> npt.NDArray[np.intp]:
        with np.errstate(over="ignore", invalid="ignore"):
            place = np.subtract(numbers, self._low)
            place *= self._scale
        np.fmin(place, _CELLS - 1, out=place)  # fmin and fmax rather than clip: NaN must get some cell
        np.fmax(place, 0.0, out=place)
        return place.astype(np.intp)
