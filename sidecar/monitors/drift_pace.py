"""How many rows make a micro-batch.

Judging batches instead of rows is what makes detectors quiet on dependent data: rows of one request, or of
one minute, resemble each other. The trap: one request of 5,000 rows must stay one batch, so a batch also
lasts a while; offline, where rows need not have come at the pace they were recorded, only rows count.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from sidecar.batch import Batch


@dataclass(frozen=True, slots=True)
class Pace:
    """A batch is full after `rows` and `seconds`; or, where traffic is thin, after the slow pair.

    64 rows keep the false alarms of autocorrelated data (AR .5) at 0 in a million rows and still find a
    shift of one deviation in five batches; a second keeps one large request, or a burst, one batch.
    Sixteen rows are the fewest whose mean score is near normal; 30 s is a reader's patience.
    """

    rows: int = 64
    seconds: float = 1.0
    slow_rows: int = 16
    slow_seconds: float = 30.0

    def full(self, rows: int, seconds: float) -> bool:
        """Whether a batch of so many rows, so many seconds after its first, is full."""
        if rows >= self.rows and seconds >= self.seconds:
            return True
        return rows >= self.slow_rows and seconds >= self.slow_seconds


OFFLINE = Pace(seconds=0.0, slow_seconds=inf)
"""For recorded rows: whatever their times, the same rows make the same batches."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows of a Batch that go to one micro-batch: how many, whether it is full then, and its last time."""

    rows: int
    full: bool
    time: float


def cuts(pace: Pace, batch: Batch, pending_rows: int, started: float) -> Iterator[Cut]:
    """Cut a batch at the rows where micro-batches are full; only the last cut may leave one open.

    `pending_rows` wait already since `started`.
    """
    time_of = _times(batch)
    at = 0
    while at < batch.rows:
        start = started if pending_rows else time_of(at)
        left = range(1, batch.rows - at + 1)

        def is_full(taken: int, at: int = at, start: float = start, waiting: int = pending_rows) -> bool:
            return pace.full(waiting + taken, time_of(at + taken - 1) - start)

        if pace.seconds <= 0 and pace.slow_seconds == inf:  # rows alone decide
            taken = max(pace.rows - pending_rows, 1)
        else:
            taken = bisect_left(left, True, key=is_full) + 1
        full = taken <= len(left)
        taken = min(taken, len(left))
        at += taken
        yield Cut(taken, full, time_of(at - 1))
        pending_rows = 0


def arrivals(pace: Pace, batch: Batch, rows: int) -> int:
    """In how many requests `rows` rows of a Batch came, as far as it says; recorded rows are one each.

    Rows of one moment are one request's when nothing is said.
    """
    if batch.requests:
        return max(batch.requests * rows // batch.rows, 1)
    if pace.seconds > 0 and batch.times is None and batch.first == batch.last:
        return 1
    return rows


def times_of(batch: Batch) -> npt.NDArray[np.float64]:
    """When each row arrived; evenly from first to last where only these are known."""
    if batch.times is not None:
        return batch.times
    return np.linspace(batch.first, batch.last, batch.rows)


def _times(batch: Batch) -> Callable[[int], float]:
    """When each row arrived, by its index; evenly from first to last where only these are known."""
    if batch.times is not None:
        return batch.times.item
    step = (batch.last - batch.first) / max(batch.rows - 1, 1)
    return lambda row: batch.first + row * step
