"""Drift by segment: which values are judged, with what share of the budget, and what shows.

Each value that has rows enough gets a judge of its own (`drift_within`), until there is no place left: so
many values a model, so many columns in all. Its verdicts are tickets, never pages: nobody has reviewed what
is usual for it, and each would need a part of the budget of pages.

Of the false tickets a model may have, the whole has half once there are segments, all values together the
other half, evenly. As no value has more micro-batches than the whole, that keeps the budget whoever sends
how much.

The trap: a value may change its name to `__other__` and back as values come and go; it is then another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sidecar import catalog_quality as catalog
from sidecar.batch import Batch, Division
from sidecar.binning import Indices
from sidecar.metric import OTHER
from sidecar.monitors import drift_state
from sidecar.monitors.drift_judge import Allowed, Judge, Settings
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_pace import Cut, arrivals, cuts, times_of
from sidecar.monitors.drift_verdict import Verdict
from sidecar.monitors.drift_within import Within
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.registry import Registry

# As many values as a segment names unless told otherwise: 7 MB of a model of 30 features.
MAX_VALUES = 20
# Of all models together: no more than the widest model takes by itself, some 12 MB.
MAX_COLUMNS = 1_000
# Columns of values that are only learnt: 350 bytes each.
MAX_LEARNING = 10_000
# The whole has half of the budget, its segments the other half.
_HALVES = 2

Key = tuple[str, str]
"""A segment and one of its values."""
Bins = Mapping[int, Indices]


class SegmentDrift:
    """The values of all models. `tell` hears their verdicts."""

    def __init__(self, registry: Registry, settings: Settings, tell: Callable[[Verdict], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._active = registry.gauge(catalog.SEGMENT_DRIFT_ACTIVE)
        self._judged = registry.gauge(catalog.SEGMENT_DRIFT_JUDGED)
        self._rows = registry.counter(catalog.SEGMENT_DRIFT_ROWS)
        self._models: dict[str, _Model] = {}

    def parts(self, model: str) -> float:
        """Of the false tickets that a model may have, the whole may have one in so many."""
        return _HALVES if model in self._models and self._models[model].judged() else 1.0

    def fold(
        self, batch: Batch, whole: Judge, first: int, bins: Bins, counts: Counts, allowed: Allowed
    ) -> None:
        """Judge rows within their segments, after the whole was.

        `first` is the row of the model that the batch begins with, `bins` those of each row by column, and
        `counts` the rows in each bin of the whole's layout.
        """
        for division in batch.segments:
            if division.judged:
                self._divide(_Portion(batch, first, bins, counts), division, whole, allowed)

    def tick(self, name: str, whole: Judge, now: float, allowed: Allowed) -> None:
        """Judge what has waited long enough; forget values unused for a day."""
        model = self._models.get(name)
        if model is None:
            return
        for key, value in list(model.values.items()):
            if now - value.used > UNUSED_AFTER_SECONDS:
                del model.values[key]
                continue
            waiting = value.waiting
            if waiting.rows and self._settings.pace.full(waiting.rows, now - waiting.first):
                self._take(model, value, whole, allowed)
            value.speak(whole, whole.rows - 1, now)

    def forget(self, name: str) -> None:
        """The model has left, or has another reference."""
        self._models.pop(name, None)
        for family in (self._active, self._judged, self._rows):
            family.remove(model_name=name)

    def verdicts(self, name: str) -> list[Verdict]:
        """Every verdict remembered of a model's values."""
        judges = self._models[name].judges() if name in self._models else []
        return [verdict for judge in judges for verdict in judge.verdicts()]

    def export(self, name: str, version: str) -> None:
        """Show what stands now, under the version that answers; no series where nothing does."""
        values = self._models[name].values if name in self._models else {}
        active, judged = dict[tuple[str, ...], float](), dict[tuple[str, ...], float]()
        for key, value in values.items():
            if not value.refused:
                judged[(name, version, *key)] = float(value.settled)
            for verdict in value.standing():
                state = "folded" if verdict.folded else "alone"
                active[(name, version, *key, verdict.kind, verdict.name, state)] = 1.0
        for family, wanted in ((self._active, active), (self._judged, judged)):
            for labels in [s for s in family.values if s[0] == name and s not in wanted]:
                family.discard(*labels)
            for labels, number in wanted.items():
                family.set(number, *labels)

    def state(self, name: str) -> list[dict[str, Any]]:
        """What to save of a model's values that are judged; what is being learnt of others is left out."""
        values = self._models[name].values.items() if name in self._models else ()
        return [
            {**drift_state.save(value.judge), "key": key, "learnt": value.learnt.tolist()}
            for key, value in values
            if value.judge is not None and value.learnt is not None
        ]

    def restore(
        self, name: str, whole: Judge, saved: Any, moved: Callable[[float], float], now: float
    ) -> None:
        """Go on from a saved state, encoded as JSON has it; a value that cannot is learnt anew."""
        for each in saved[:MAX_VALUES] if isinstance(saved, list) else ():
            try:
                segment, label = (str(part) for part in each["key"])
                learnt = np.array(each["learnt"], np.int64)
                if learnt.shape != (whole.layout.size,) or learnt.min(initial=0) < 0:
                    raise ValueError("counts of other bins")
                model = self._model(name, whole.layout)
                if not self._may_begin(model):
                    return
                value = self._new(name, model, (segment, label))
                judge = value.begin(whole.reference, learnt)
                drift_state.restore(judge, each, moved)
                value.go_on()
            except (ValueError, KeyError, TypeError, OverflowError):
                continue
            value.used = now
            model.values[segment, label] = value

    def _divide(self, portion: "_Portion", division: Division, whole: Judge, allowed: Allowed) -> None:
        batch = portion.batch
        model = self._model(batch.model, whole.layout)
        runs, found, taken = np.full(batch.rows, -1, np.intp), 0, list[_Taken]()
        for at, label in enumerate(division.values):
            rows = np.flatnonzero(division.at == at)
            value = self._value(batch, model, (division.segment, label), len(rows))
            if value is None:
                continue
            own = portion.only(rows)
            parts = list(cuts(self._settings.pace, own, value.waiting.rows, value.waiting.first))
            runs[rows] = found + np.repeat(np.arange(len(parts)), [part.rows for part in parts])
            taken.append(_Taken(value, own, rows + portion.first, parts, found))
            found += len(parts)
        if not taken:
            return
        counted = portion.counted(runs, found, whole.layout)
        for each in taken:
            self._add(each, counted, model, whole, allowed)

    def _add(self, taken: "_Taken", counted: Counts, model: "_Model", whole: Judge, allowed: Allowed) -> None:
        pace, own, value = self._settings.pace, taken.batch, taken.value
        began, at = own.first, 0
        for counts, part in zip(counted[taken.run :], taken.parts, strict=False):
            until = at + part.rows
            span = int(taken.rows[at]), int(taken.rows[until - 1]) + 1
            number = arrivals(pace, own, part.rows)
            value.waiting.add(counts, part.rows, number, (began, part.time), span)
            began, at = part.time, until
            if part.full:
                self._take(model, value, whole, allowed)

    def _take(self, model: "_Model", value: Within, whole: Judge, allowed: Allowed) -> None:
        each = max(model.judged(), 1)
        # A severe break is a ticket here; still all together have a false one where the whole has a page.
        own = replace(
            allowed, page=False, quality_fell=False, seconds=allowed.seconds * each, parts=_HALVES * each
        )
        value.take(whole, own, lambda: self._may_begin(model))

    def _value(self, batch: Batch, model: "_Model", key: Key, rows: int) -> Within | None:
        """Who judges these rows, None when nobody does; counts them."""
        if not rows:
            return None
        value = model.values.get(key)
        if value is None and key[1] not in ("", OTHER) and self._may_learn(model):
            value = model.values[key] = self._new(batch.model, model, key)
        if value is not None:
            value.used = batch.last
        state = "unjudged" if value is None or value.refused else "judged" if value.settled else "learning"
        self._rows.add(rows, batch.model, batch.version, key[0], state)
        return value

    def _new(self, name: str, model: "_Model", key: Key) -> Within:
        return Within(model.layout, self._settings, name, key, self._tell)

    def _model(self, name: str, layout: DriftLayout) -> "_Model":
        model = self._models.get(name)
        if model is None or model.layout is not layout:
            model = self._models[name] = _Model(layout)
        return model

    def _may_begin(self, model: "_Model") -> bool:
        judged = sum(each.judged() * each.columns for each in self._models.values())
        return model.judged() < MAX_VALUES and judged + model.columns <= MAX_COLUMNS

    def _may_learn(self, model: "_Model") -> bool:
        learning = sum(len(each.values) * each.columns for each in self._models.values())
        return learning + model.columns <= MAX_LEARNING


class _Model:
    """The values of one model's segments, judged in the bins of `layout`."""

    def __init__(self, layout: DriftLayout) -> None:
        self.layout = layout
        self.columns = len(layout.columns)
        self.values: dict[Key, Within] = {}

    def judges(self) -> list[Judge]:
        """Of the values that are judged."""
        return [value.judge for value in self.values.values() if value.judge is not None]

    def judged(self) -> int:
        """How many values are."""
        return len(self.judges())


@dataclass(frozen=True, slots=True, eq=False)
class _Portion:
    """A batch that the whole was judged by; see `SegmentDrift.fold`."""

    batch: Batch
    first: int
    bins: Bins
    counts: Counts

    def only(self, rows: Indices) -> Batch:
        """When these rows came, and in how many requests; nothing of what they hold."""
        batch = self.batch
        requests = batch.requests and max(batch.requests * len(rows) // batch.rows, 1)
        if len(rows) == batch.rows:
            first, last, times = batch.first, batch.last, batch.times
        else:
            times = times_of(batch)[rows]
            first, last = float(times[0]), float(times[-1])
        return Batch(batch.model, batch.version, len(rows), first, last, times=times, requests=requests)

    def counted(self, runs: Indices, count: int, layout: DriftLayout) -> Counts:
        """Rows in each bin by run."""
        if count == 1 and (runs == 0).all():
            return self.counts[np.newaxis]  # all of them, counted already
        return layout.divided(self.bins, runs, count, elsewhere=self.batch.elsewhere)


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """The rows of one value in a batch: which of the model's they are, and the micro-batches they are cut to.

    `run` is where these begin among all that were counted.
    """

    value: Within
    batch: Batch
    rows: Indices
    parts: Sequence[Cut]
    run: int
