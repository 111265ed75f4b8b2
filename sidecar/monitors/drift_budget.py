"""How much evidence a page needs, from how many false ones the operator bears.

The guarantee is per micro-batch: with threshold ln B a false alarm comes after B batches on average,
or later. Operators think in time, so B is the time between two false pages multiplied by the batches in it.
How many those are is measured; until then it is as many as there can be: more is asked for, never less.
"""

from dataclasses import dataclass
from math import log

from sidecar.monitors.drift_pace import Pace

# Severe breaks, and tickets that others corroborate: each may spend half of the budget.
PATHS = 2
# A rate is known after an hour, and is that of the last week or two: it has days and nights in it.
KNOWN_AFTER_SECONDS = 3600.0
WINDOW_SECONDS = 14 * 86400.0
# Recorded rows are judged as if a batch came each second, whatever their times: same rows, same verdicts.
_OFFLINE_RATE = 1.0


@dataclass(slots=True)
class BatchRate:
    """Micro-batches a second of one model: how many `batches` followed the one at `since` (monotonic)."""

    batches: float = 0.0
    since: float | None = None

    def count(self, time: float) -> None:
        """A micro-batch ended at `time` (monotonic)."""
        if self.since is None:
            self.since = time
            return
        self.batches += 1
        if time - self.since > WINDOW_SECONDS:
            self.batches /= 2
            self.since = time - (time - self.since) / 2

    def a_second(self, pace: Pace, time: float) -> float:
        """At most what the pace allows, which is assumed while too little was seen."""
        if pace.seconds <= 0:
            return _OFFLINE_RATE
        most = 1 / pace.seconds
        elapsed = 0.0 if self.since is None else time - self.since
        return min(self.batches / elapsed, most) if elapsed >= KNOWN_AFTER_SECONDS else most


def evidence_needed(seconds: float, batches_a_second: float) -> float:
    """ln B for each path to a page, given the mean seconds between two false pages."""
    return log(PATHS * max(seconds * batches_a_second, 1.0))
