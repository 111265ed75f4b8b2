"""The bounded store of everything we measure.

One writer (the observer's loop), no locks: a snapshot is taken on that loop and may then be rendered
anywhere. A family that is full counts what it could not hold under `__other__`, and says so in
`sidecar_series_overflow_total`. So does one whose part of all series is used up (`Room`); nothing that is
there goes away for something new.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sidecar import catalog, clock
from sidecar.exponential import Exponential
from sidecar.metric import OTHER, Metric, MetricKind
from sidecar.series_room import SERIES_LIMIT, Room, lines_of

Labels = tuple[str, ...]

# Exemplars of one family: two hundred bytes each. Past it only the buckets that have one get a newer one.
EXEMPLARS_LIMIT = 1_000


class Exemplar(NamedTuple):
    """One observation and the trace it came from; ids are hexadecimal.

    `time` is monotonic while it is in the registry, and wall clock in a snapshot; seconds.
    """

    value: float
    time: float
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Distribution:
    """A histogram's state: `counts[i]` observations in bucket i, the last one being +Inf.

    `exemplars` holds the newest of each bucket that has one. `exponential` counts the same observations
    again, where that is wanted.
    """

    counts: list[int]
    sum: float = 0.0
    exemplars: dict[int, Exemplar] | None = None
    exponential: Exponential | None = None

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)


Value = float | Distribution


class Family:
    """All series of one metric. `values` maps label values, in the declared order, to the value."""

    def __init__(self, metric: Metric, on_overflow: Callable[[str], None], room: Room) -> None:
        self.metric = metric
        self.values: dict[Labels, Value] = {}
        self._room = room
        self._lines = lines_of(metric)
        self._on_overflow = on_overflow
        self._capped = tuple(label in metric.capped for label in metric.labels)

    def _place(self, labels: Labels) -> Labels:
        """Where a new series goes: itself, or the overflow series when the family is full."""
        if len(labels) != len(self.metric.labels):
            raise ValueError(f"{self.metric.name} has labels {self.metric.labels}, got {labels}")
        if self.fits():
            self._room.used += self._lines
            return tuple(labels)  # of a ModelRef, too
        self._on_overflow(self.metric.name)
        place = tuple(OTHER if capped else v for v, capped in zip(labels, self._capped, strict=True))
        self._room.used += self._lines * (place not in self.values)
        return place

    def fits(self) -> bool:
        """Whether there is room for one more series. What traffic cannot multiply always has some."""
        return len(self.values) < self.metric.limit and (
            not self.metric.capped or self._room.has(self.metric)
        )

    def go_on(self, labels: Labels, value: Value) -> None:
        """Put a series back as it was, replacing what is there; nothing where there is no room."""
        if labels in self.values or self.fits():
            self._room.used += self._lines * (labels not in self.values)
            self.values[labels] = value

    def discard(self, *labels: str) -> None:
        """Forget one series, if it is there."""
        if self.values.pop(labels, None) is not None:
            self._room.used -= self._lines

    def remove(self, **match: str) -> None:
        """Forget every series whose labels have these values."""
        at = [(self.metric.labels.index(name), value) for name, value in match.items()]
        gone = [k for k in self.values if all(k[i] == v for i, v in at)]
        for labels in gone:
            del self.values[labels]
        self._room.used -= self._lines * len(gone)


class Counter(Family):
    """Only goes up. Label values are positional, in the order the catalogue declares."""

    values: dict[Labels, float]  # type: ignore[assignment]

    def add(self, amount: float, *labels: str) -> None:
        """Add `amount` (not negative) to one series; 0 makes the series exist, if there is room."""
        self.add_to(labels, amount)

    def add_to(self, labels: Labels, amount: float = 1) -> None:
        """The same for labels that are a tuple already."""
        try:
            self.values[labels] += amount
        except KeyError:
            if not amount and not self.fits():
                return
            place = self._place(labels)
            self.values[place] = self.values.get(place, 0.0) + amount

    def set_total(self, total: float, *labels: str) -> None:
        """Take over a total counted elsewhere (a relay worker's). It may start again from zero."""
        place = labels if labels in self.values else self._place(labels)
        self.values[place] = total


class Gauge(Family):
    """Goes up and down."""

    values: dict[Labels, float]  # type: ignore[assignment]

    def set(self, value: float, *labels: str) -> None:
        """Set one series."""
        place = labels if labels in self.values else self._place(labels)
        self.values[place] = value


class Histogram(Family):
    """Observations in the metric's buckets."""

    values: dict[Labels, Distribution]  # type: ignore[assignment]
    exponential = False
    exemplars_limit = EXEMPLARS_LIMIT
    _exemplars = 0

    def observe(self, value: float, *labels: str) -> None:
        """Count one observation."""
        self.observe_in(labels, value)

    def observe_in(self, labels: Labels, value: float) -> None:
        """The same for labels that are a tuple already."""
        series = self.values.get(labels) or self._series(labels)
        series.counts[bisect_left(self.metric.buckets, value)] += 1
        series.sum += value
        if series.exponential is not None:
            series.exponential.add(value)

    def exemplify(self, exemplar: Exemplar, *labels: str) -> None:
        """Remember where an observation came from, in place of an older one of its bucket."""
        series = self.values.get(labels)
        if series is None:
            return
        bucket = bisect_left(self.metric.buckets, exemplar.value)
        exemplars = series.exemplars or {}
        if bucket not in exemplars:
            if self._exemplars >= self.exemplars_limit:
                return
            self._exemplars += 1
        exemplars[bucket] = exemplar
        series.exemplars = exemplars

    def discard(self, *labels: str) -> None:
        """See `Family`."""
        super().discard(*labels)
        self._count_exemplars()

    def remove(self, **match: str) -> None:
        """See `Family`."""
        super().remove(**match)
        self._count_exemplars()

    def add(self, counts: Iterable[int], total: float, *labels: str) -> None:
        """Count many observations at once: how many are in each bucket, and their sum."""
        series = self.values.get(labels) or self._series(labels)
        series.counts = [before + more for before, more in zip(series.counts, counts, strict=True)]
        series.sum += total

    def touch(self, *labels: str) -> None:
        """Make a series exist with no observation."""
        self._series(labels)

    def set_total(self, counts: Iterable[int], total: float, *labels: str) -> None:
        """Take over a histogram counted elsewhere."""
        series = self._series(labels)
        series.counts, series.sum, series.exponential = list(counts), total, None

    def _series(self, labels: Labels) -> Distribution:
        place = labels if labels in self.values else self._place(labels)
        series = self.values.get(place)
        if series is None:
            series = self.values[place] = Distribution([0] * (len(self.metric.buckets) + 1))
            series.exponential = Exponential(clock.wall()) if self.exponential else None
        return series

    def _count_exemplars(self) -> None:
        self._exemplars = sum(len(series.exemplars or ()) for series in self.values.values())


@dataclass(frozen=True, slots=True)
class FamilySnapshot:
    """One family at one moment; distributions are copies."""

    metric: Metric
    series: list[tuple[Labels, Value]]

    @property
    def exponential(self) -> bool:
        """Whether every series was counted exponentially, too: what is counted elsewhere is not."""
        return all(isinstance(v, Distribution) and v.exponential is not None for _, v in self.series)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment: what exporters read. Times are wall clock, seconds."""

    taken: float
    started: float
    families: list[FamilySnapshot] = field(default_factory=list)


_FAMILIES: dict[MetricKind, type[Family]] = {
    MetricKind.COUNTER: Counter,
    MetricKind.GAUGE: Gauge,
    MetricKind.HISTOGRAM: Histogram,
}


class Registry:
    """Every family of the catalogue. Counters without labels exist at zero from the start."""

    def __init__(
        self,
        metrics: Iterable[Metric] = catalog.ALL,
        started: float | None = None,
        series_limit: int = SERIES_LIMIT,
    ) -> None:
        self.started = clock.wall() if started is None else started
        self.room = Room(series_limit)
        self._families: dict[str, Family] = {}
        self._before_snapshot: list[Callable[[], None]] = []
        for metric in metrics:
            family = _FAMILIES[metric.kind](metric, self._overflowed, self.room)
            if isinstance(family, Counter) and not metric.labels:
                family.add(0)
            self._families[metric.name] = family

    def counter(self, metric: Metric) -> Counter:
        """The family of a counter."""
        family = self._families[metric.name]
        assert isinstance(family, Counter)
        return family

    def gauge(self, metric: Metric) -> Gauge:
        """The family of a gauge."""
        family = self._families[metric.name]
        assert isinstance(family, Gauge)
        return family

    def histogram(self, metric: Metric) -> Histogram:
        """The family of a histogram."""
        family = self._families[metric.name]
        assert isinstance(family, Histogram)
        return family

    def keep_exponential(self) -> None:
        """Count histograms exponentially, too, from now on. Before any traffic."""
        for family in self._families.values():
            if isinstance(family, Histogram):
                family.exponential = True

    def keep_no_exemplars(self) -> None:
        """Remember no traces."""
        for family in self._families.values():
            if isinstance(family, Histogram):
                family.exemplars_limit = 0

    def before_snapshot(self, fold: Callable[[], None]) -> None:
        """Call `fold` before each snapshot: monitors that batch bring their counts up to date."""
        self._before_snapshot.append(fold)

    def snapshot(self) -> Snapshot:
        """A consistent copy of every series. Call on the observer's loop."""
        for fold in self._before_snapshot:
            fold()
        to_wall = clock.wall() - clock.monotonic()
        families = [
            FamilySnapshot(f.metric, [(labels, _copy(v, to_wall)) for labels, v in f.values.items()])
            for f in self._families.values()
        ]
        return Snapshot(clock.wall(), self.started, families)

    def go_on(self, metric: Metric, labels: Labels, value: Value) -> None:
        """Let one series go on from a value saved earlier, of the family's kind; nothing where it is full.

        What a counter has counted since the start is added. Histograms and gauges are replaced.
        """
        family = self._families.get(metric.name)
        if family is None:
            return
        before = family.values.get(labels, 0.0) if isinstance(family, Counter) else 0.0
        family.go_on(labels, _copy(value) if isinstance(value, Distribution) else value + float(before))
        if isinstance(family, Histogram) and family.exponential and labels in family.values:
            family.values[labels].exponential = Exponential(clock.wall())

    def forget(self, **match: str) -> None:
        """Remove, in every family that has these labels, the series with these values."""
        for family in self._families.values():
            if all(label in family.metric.labels for label in match):
                family.remove(**match)

    def value(self, name: str, /, **match: str) -> float:
        """The sum over the series that match (a histogram counts its observations). For tests and status."""
        for fold in self._before_snapshot:
            fold()
        family = self._families[name]
        at = [(family.metric.labels.index(label), value) for label, value in match.items()]
        matching = (v for k, v in family.values.items() if all(k[i] == value for i, value in at))
        return float(sum(v.count if isinstance(v, Distribution) else v for v in matching))

    def _overflowed(self, name: str) -> None:
        overflow = self._families.get(catalog.SERIES_OVERFLOW.name)
        if isinstance(overflow, Counter):
            overflow.add(1, name)


def _copy(value: Value, to_wall: float = 0.0) -> Value:
    if not isinstance(value, Distribution):
        return value
    exemplars = value.exemplars
    if exemplars is not None:
        exemplars = {bucket: e._replace(time=e.time + to_wall) for bucket, e in exemplars.items()}
    exponential = value.exponential.copy() if value.exponential else None
    return Distribution(list(value.counts), value.sum, exemplars, exponential)
