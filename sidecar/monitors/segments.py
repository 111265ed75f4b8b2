"""Traffic divided as the operator says: requests, rows, complete rows and unavailable values by segment.

Families of their own, so that segments never multiply what exists without them. A segment is the value of a
feature, row by row, or of a header, request by request; values are capped, only requests that the model
answered successfully may add one, and a feature's value is shown once 20 rows carried it. What it is not:
drift by segment, which `drift_segments` judges by the division that is made here.

The trap: rows wait in blocks before they are folded, so the values of headers are part of a block's key
(`headers_of`), and each value makes batches of its own.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar import catalog_quality as catalog
from sidecar.batch import UNAVAILABLE, Batch, CleanColumn, Division
from sidecar.binning import level_text
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import Inference
from sidecar.metric import OTHER
from sidecar.monitors.exported_bins import MIN_ROWS_PER_LEVEL
from sidecar.monitors.recent import Recent
from sidecar.names import Names, clean
from sidecar.policy import Policies, Segment
from sidecar.registry import Registry
from sidecar.slo import outcome_of

# Of a request of many rows, the segments of so many are looked for.
_ROWS_LOOKED_AT = 1_000
MODELS_LIMIT = 128
# Values of a feature still too rare to be shown, remembered per segment; their rows are in `__other__`.
CANDIDATES_LIMIT = 200
# More ways to divide one model's traffic than this are not looked at.
SEGMENTS_LIMIT = 5
_UNAVAILABLE = np.array(sorted(UNAVAILABLE), np.uint8)
NONE = ""
"""The value of a request or row that has none."""


class Segments:
    """A Monitor for requests and a RowMonitor for rows: give the same instance to both."""

    def __init__(self, registry: Registry, policies: Policies) -> None:
        self._requests = registry.counter(catalog.SEGMENT_REQUESTS)
        self._rows = registry.counter(catalog.SEGMENT_ROWS)
        self._complete = registry.counter(catalog.SEGMENT_ROWS_COMPLETE)
        self._unavailable = registry.counter(catalog.SEGMENT_UNAVAILABLE)
        self._default = policies.default.segments[:SEGMENTS_LIMIT]
        self._of_models = {name: policy.segments[:SEGMENTS_LIMIT] for name, policy in policies.models.items()}
        self._names: Recent[tuple[str, Segment], _Values] = Recent(
            MODELS_LIMIT * SEGMENTS_LIMIT, lambda key: _Values(key[1])
        )

    def headers_of(self, exchange: Exchange, model: str, *, trusted: bool) -> tuple[str, ...]:
        """The value of each segment that is a header, in the order of the configuration."""
        segments = self._of(model)
        if not segments:  # nearly always
            return ()
        said, now = exchange.request_headers, exchange.timings.last
        return tuple(
            [
                self._label(model, segment, said.get(segment.header, NONE), now, trusted)
                for segment in segments
                if segment.header
            ]
        )

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Count a request in each segment it belongs to."""
        model = inference.model
        segments = self._of(model.name)
        if not segments:
            return
        trusted = outcome_of(exchange, inference) is Outcome.OK
        headers = iter(self.headers_of(exchange, model.name, trusted=trusted))
        for segment in segments:
            if segment.header:
                self._requests.add(1, *model, segment.name, next(headers))
                continue
            column = next((c for c in inference.features if clean(c.name) == clean(segment.feature)), None)
            values = _texts(column.values) if column is not None else {NONE}
            for value in {
                self._label(model.name, segment, v, exchange.timings.last, trusted) for v in values
            }:
                self._requests.add(1, *model, segment.name, value)

    def divide(self, batch: Batch) -> tuple[Division, ...]:
        """The rows of a batch by each segment they have; once a batch, as it notes which values are rare."""
        segments = self._of(batch.model)
        return tuple(self._divided(batch, segments)) if segments else ()

    def fold(self, batch: Batch) -> None:
        """Count the rows of a batch, by segment."""
        for division in batch.segments:
            self._count(batch, division)

    def tick(self, now: float) -> None:
        """Nothing here depends on time passing."""

    def expire(self, now: float) -> list[dict[str, str]]:
        """Forget values unused for a day; returns the labels for `Registry.forget`, one dict each."""
        return [
            {"model_name": model, "segment": segment.name, "value": value}
            for (model, segment), names in self._names.items()
            for value in names.expire(now)
        ]

    def _of(self, model: str) -> tuple[Segment, ...]:
        return self._of_models.get(model, self._default)

    def _label(self, model: str, segment: Segment, value: str, now: float, trusted: bool) -> str:
        if not value:
            return NONE
        return self._names[model, segment].label(value, 0, now, trusted=trusted)

    def _divided(self, batch: Batch, segments: Sequence[Segment]) -> Iterator[Division]:
        headers = iter(batch.headers)
        for segment in segments:
            if segment.header:
                none = np.zeros(batch.rows, np.intp)
                yield Division(segment.name, [next(headers, NONE)], none, segment.drift)
            elif (column := batch.features.get(clean(segment.feature))) is not None:
                values, at = self._values(batch, segment, column)
                yield Division(segment.name, values, at, segment.drift)

    def _values(
        self, batch: Batch, segment: Segment, column: CleanColumn
    ) -> tuple[list[str], npt.NDArray[np.intp]]:
        """The values of the rows, and which of them each row has."""
        found: Sequence[str | None] = column.levels or []
        if column.numbers is not None:
            found = [None if number != number else level_text(number) for number in column.numbers.tolist()]
        found = found or [None] * len(column.states)
        names = self._names[batch.model, segment]
        labels = {
            value: names.label(value, rows, batch.last, trusted=batch.trusted) if value else NONE
            for value, rows in Counter(found).items()
        }
        values = sorted(set(labels.values()))
        at = {value: values.index(label) for value, label in labels.items()}
        return values, np.array([at[value] for value in found], np.intp)

    def _count(self, batch: Batch, division: Division) -> None:
        keys = [(batch.model, batch.version, division.segment, value) for value in division.values]
        size, at = len(keys), division.at
        complete = np.ones(batch.rows, bool) if batch.whole is None else batch.whole
        rows, whole = np.bincount(at, minlength=size), np.bincount(at[complete], minlength=size)
        for i, key in enumerate(keys):
            self._rows.add(int(rows[i]), *key)
            self._complete.add(int(whole[i]), *key)
        for name, column in batch.features.items():
            gone = np.isin(column.states, _UNAVAILABLE) if column.states.any() else None
            lost = np.zeros(size) if gone is None else np.bincount(at[gone], minlength=size)
            for i, key in enumerate(keys):
                self._unavailable.add(int(lost[i]), *key, name)


class _Values:
    """The values of one segment that may be labels. Those of a feature only once enough rows carry them."""

    def __init__(self, segment: Segment) -> None:
        self._names = Names(segment.limit)
        self._needed = MIN_ROWS_PER_LEVEL if segment.feature else 0
        self._candidates: Counter[str] = Counter()

    def label(self, value: str, rows: int, now: float, *, trusted: bool) -> str:
        """The label of a value that `rows` more rows carry."""
        known = self._names.admit(value, now, trusted=trusted and not self._needed)
        if known != OTHER or not trusted or not rows:
            return known
        if value in self._candidates or len(self._candidates) < CANDIDATES_LIMIT:
            self._candidates[value] += rows
            if self._candidates[value] >= self._needed:
                del self._candidates[value]
                return self._names.admit(value, now, trusted=True)
        return OTHER

    def expire(self, now: float) -> list[str]:
        """Forget values unused for a day and return them, and rare ones when there are too many."""
        if len(self._candidates) >= CANDIDATES_LIMIT:
            self._candidates.clear()
        return self._names.expire(now)


def _texts(values: Sequence[Any] | npt.NDArray[Any]) -> set[str]:
    """The different values of the first rows, as the levels of a category are spelled."""
    first = values[:_ROWS_LOOKED_AT]
    if isinstance(first, np.ndarray):
        first = first.tolist()
    return {
        level_text(value) if isinstance(value, str | int | float | bool) and value == value else NONE
        for value in first
    }
