"""What happened in the last few minutes: the difference between two snapshots.

The status page judges the recent past, not the average since the start, so it keeps a few old snapshots,
only of the families it needs. Pure: time is a parameter.
"""

from collections import deque
from collections.abc import Mapping

from sidecar import catalog
from sidecar.metric import Metric
from sidecar.registry import Distribution, Labels, Snapshot, Value

# The short window of the fastest burn-rate page, so that the page and this page agree.
WINDOW_SECONDS = 300.0
# Five snapshots are kept: each may hold tens of thousands of series.
SAMPLE_SECONDS = 60.0

_KEPT = frozenset(
    metric.name
    for metric in (
        catalog.REQUESTS,
        catalog.REQUEST_DURATION,
        catalog.ROWS,
        catalog.ROWS_COMPLETE,
        catalog.FEATURE_VALUES,
        catalog.PREDICTIONS_INVALID,
        catalog.SLO_EVENTS,
        catalog.CHUNKS_DROPPED,
        catalog.TEE_DROPPED_BYTES,
        catalog.UPSTREAM_CONNECT_FAILURES,
        catalog.UNDECODED,
        catalog.UNOBSERVED,
        catalog.SERIES_OVERFLOW,
        catalog.OTHER_EXCHANGES,
        catalog.OBSERVER_RESTARTS,
        catalog.OTLP_EXPORT_FAILURES,
        catalog.RELAY_BYTES,
        catalog.RELAY_LOOP_LAG,
        catalog.CPU_SECONDS,
    )
)


class Window:
    """The snapshots of the last minutes, oldest first."""

    def __init__(self) -> None:
        self._samples: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Remember a snapshot, and forget all but one of those that are out of the window."""
        kept = [family for family in snapshot.families if family.metric.name in _KEPT]
        self._samples.append(Snapshot(snapshot.taken, snapshot.started, kept))
        while len(self._samples) > 1 and self._samples[1].taken <= snapshot.taken - WINDOW_SECONDS:
            self._samples.popleft()

    def start(self, now: float) -> Snapshot | None:
        """What to compare with at `now`: the newest that is a whole window old, else the oldest there is."""
        old = [sample for sample in self._samples if sample.taken <= now - WINDOW_SECONDS]
        return old[-1] if old else next(iter(self._samples), None)


class Between:
    """What a snapshot says about now, and what changed since an earlier one (None: since the start)."""

    def __init__(self, now: Snapshot, earlier: Snapshot | None) -> None:
        self._now = {family.metric.name: family for family in now.families}
        self._then = {family.metric.name: family for family in earlier.families} if earlier else {}
        self.seconds = max(now.taken - (earlier.taken if earlier else now.started), 0.0)

    def now(self, metric: Metric) -> dict[Labels, Value]:
        """Every series of a family, as it is."""
        family = self._now.get(metric.name)
        return dict(family.series) if family else {}

    def numbers(self, metric: Metric) -> dict[Labels, float]:
        """The same, for families that hold no distributions."""
        return {k: float(v) for k, v in self.now(metric).items() if not isinstance(v, Distribution)}

    def increase(self, metric: Metric) -> dict[Labels, float]:
        """How much each counter went up. One that went down began again: all it has is new."""
        then = self._earlier(metric)
        found = {}
        for labels, value in self.numbers(metric).items():
            before = then.get(labels, 0.0)
            before = 0.0 if isinstance(before, Distribution) else before
            found[labels] = value - before if value >= before else value
        return found

    def observed(self, metric: Metric) -> dict[Labels, Distribution]:
        """What each histogram observed."""
        then = self._earlier(metric)
        return {
            labels: _since(value, then.get(labels))
            for labels, value in self.now(metric).items()
            if isinstance(value, Distribution)
        }

    def _earlier(self, metric: Metric) -> Mapping[Labels, Value]:
        family = self._then.get(metric.name)
        return dict(family.series) if family else {}


def _since(value: Distribution, before: Value | None) -> Distribution:
    if not isinstance(before, Distribution) or len(before.counts) != len(value.counts):
        return value
    counts = [now - then for now, then in zip(value.counts, before.counts, strict=True)]
    return value if min(counts) < 0 else Distribution(counts, value.sum - before.sum)
