"""How many series there may be in all, and which families are told first that there is no more room.

A page of metrics costs the observer time and Prometheus memory by its lines, whichever family they are of. So
families that multiply (by segment, by bin) stop taking new series while there is room left for those that say
whether the model serves; nothing that is there goes away for something new. What it is not: the limit of one
family, which its metric states.
"""

from sidecar.metric import Metric, MetricKind, Shed

# Lines of a page, a histogram being one for each bucket and three more: a page of so many is rendered in
# 50 ms and is 8 MB.
SERIES_LIMIT = 50_000
# Up to which part of them families of each kind may add series.
PARTS = {Shed.LAST: 1.0, Shed.FEATURES: 0.9, Shed.SUMMARIES: 0.8, Shed.BINS: 0.7, Shed.SEGMENTS: 0.5}


class Room:
    """How many series there are, all families together, and whether there may be more."""

    def __init__(self, limit: int = SERIES_LIMIT) -> None:
        self.limit = limit
        self.used = 0

    def has(self, metric: Metric) -> bool:
        """Whether one more of this metric fits: those to be shed first leave room for the others."""
        return self.used + lines_of(metric) <= self.limit * PARTS[metric.shed]


def lines_of(metric: Metric) -> int:
    """Of one series on a page."""
    return len(metric.buckets) + 3 if metric.kind is MetricKind.HISTOGRAM else 1
