"""Which different values a column had and how often: exact for the first `MAX_DISTINCT`, bounded for more.

Numbers become text only when somebody asks for levels, which is seldom when they are many. What it is not: a
sketch; values beyond the limit are not estimated, only known ones go on being counted.
"""

import numpy as np

from sidecar.binning import level_text

# Different strings counted before a column is text: ids and free text have far more.
MAX_DISTINCT = 2_000
MAX_LEVEL_CHARACTERS = 200


class Levels:
    """The counts of one column."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._numbers: tuple[np.ndarray, np.ndarray] | None = None  # found, and not yet text

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each level that is counted."""
        if self._numbers is not None:
            found, self._numbers = self._numbers, None
            self._count(*found)
        return self._counts

    @property
    def full(self) -> bool:
        """Whether more were seen than are counted."""
        return self._numbers is not None or len(self._counts) > MAX_DISTINCT

    def count(self, level: str, rows: int = 1) -> None:
        """So many rows have this level."""
        known, level = self.counts, level[:MAX_LEVEL_CHARACTERS]
        if level in known or len(known) <= MAX_DISTINCT:
            known[level] = known.get(level, 0) + rows

    def count_numbers(self, numbers: np.ndarray) -> None:
        """These numbers are levels, too, unless there are too many different ones already."""
        if self.full:
            return
        values, counts = np.unique(numbers, return_counts=True)
        # One more than can be told apart says as much as ten thousand more.
        found = values[: MAX_DISTINCT + 1], counts[: MAX_DISTINCT + 1]
        if len(values) > MAX_DISTINCT:
            self._numbers = found
        else:
            self._count(*found)

    def _count(self, values: np.ndarray, counts: np.ndarray) -> None:
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            self.count(level_text(value), count)
