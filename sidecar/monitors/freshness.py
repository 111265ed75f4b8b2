"""How old timestamp features are when they arrive, and whether they are older than they may be.

The age of a value is counted from its row's arrival: the relay's clock against that of whoever wrote the
time, so what two hosts differ by is in it, and a negative age counts as none. Times without a zone are UTC.
The trap: rows know monotonic time only; the wall-clock time of it is a parameter here.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from sidecar import catalog_quality as catalog
from sidecar.batch import Batch
from sidecar.catalog import SLO_EVENTS
from sidecar.monitors.quality_chance import is_surge
from sidecar.monitors.quality_problems import Problems
from sidecar.names import clean
from sidecar.policy import Policies
from sidecar.registry import Registry

# A row in ten that is too old is a feed that fell behind; fewer are stragglers.
_USUAL, _EFFECT = 0.01, 0.1
# As elsewhere: fewer rows cannot tell.
_WINDOW_ROWS = 64
_MODELS_LIMIT = 1_000
_BUCKETS = np.array(catalog.FEATURE_AGE.buckets)
_STALE = frozenset({"stale"})


class Freshness:
    """A RowMonitor: ages of timestamp features. `wall_of` gives the wall-clock time of a monotonic one."""

    def __init__(
        self, registry: Registry, policies: Policies, problems: Problems, wall_of: Callable[[float], float]
    ) -> None:
        self._ages = registry.histogram(catalog.FEATURE_AGE)
        self._events = registry.counter(SLO_EVENTS)
        self._policies = policies
        self._problems = problems
        self._wall_of = wall_of
        self._waiting: dict[tuple[str, str], _Waiting] = {}

    def fold(self, batch: Batch) -> None:
        """Count the ages of a batch."""
        for name, ages in self._ages_of(batch):
            at = np.searchsorted(_BUCKETS, ages, side="left")
            counts = np.bincount(at, minlength=len(_BUCKETS) + 1).tolist()
            self._ages.add(counts, float(ages.sum()), batch.model, batch.version, name)
            oldest = self._max_age(batch.model, name)
            if oldest is not None and batch.trusted:
                self._judge(batch, name, ages, oldest)
        if any(objective.slo == "freshness" for objective in self._policies.of(batch.model).objectives):
            self._count_rows(batch)

    def tick(self, now: float) -> None:
        """Nothing here depends on time passing."""

    def _ages_of(self, batch: Batch) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        for name, column in batch.features.items():
            if column.times is None:
                continue
            known = column.times[~np.isnan(column.times)]
            if known.size:
                yield name, np.maximum(self._wall_of(batch.last) - known, 0.0)

    def _count_rows(self, batch: Batch) -> None:
        """Good and bad rows of the objective: in a bad one some feature is older than it may be."""
        known = np.zeros(batch.rows, bool)
        stale = np.zeros(batch.rows, bool)
        now = self._wall_of(batch.last)
        for name, column in batch.features.items():
            oldest = self._max_age(batch.model, name)
            if column.times is None or oldest is None or len(column.times) != batch.rows:
                continue
            known |= ~np.isnan(column.times)
            stale |= now - column.times > oldest  # of an unknown time this is False
        bad = int(stale.sum())
        self._events.add(int(known.sum()) - bad, batch.model, batch.version, "freshness", "good")
        self._events.add(bad, batch.model, batch.version, "freshness", "bad")

    def _max_age(self, model: str, name: str) -> float | None:
        expectations = self._policies.of(model).expectations
        said = expectations.get(name) or next((e for n, e in expectations.items() if clean(n) == name), None)
        return said.max_age if said else None

    def _judge(self, batch: Batch, name: str, ages: npt.NDArray[np.float64], oldest: float) -> None:
        key = batch.model, name
        if key not in self._waiting and len(self._waiting) >= _MODELS_LIMIT:
            return
        waiting = self._waiting.setdefault(key, _Waiting())
        waiting.rows += len(ages)
        waiting.stale += int(np.count_nonzero(ages > oldest))
        waiting.oldest = max(waiting.oldest, float(ages.max()))
        if waiting.rows < _WINDOW_ROWS:
            return
        del self._waiting[key]
        self._problems.introduce(batch.model)
        if is_surge(waiting.stale, waiting.rows, _USUAL, _EFFECT):
            text = f"{waiting.stale / waiting.rows:.0%} of {waiting.rows} values are older than {oldest:g} s"
            text += f", the oldest {waiting.oldest:,.0f} s"
            self._problems.see(batch.model, name, "stale", text, batch.last)
        self._problems.calm(batch.model, frozenset({name}), _STALE, batch.last)


class _Waiting:
    """Values of one feature since they were last judged."""

    __slots__ = ("oldest", "rows", "stale")

    def __init__(self) -> None:
        self.rows = self.stale = 0
        self.oldest = 0.0
