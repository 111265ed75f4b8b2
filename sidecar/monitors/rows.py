"""Collects the rows of many small inferences into batches, so that folding them costs little each.

Rows of one model and version with the same columns share a block; a block becomes a `Batch` when it is
large or old enough, or when somebody is about to look (`flush`). The trap: rows of refused requests are
measured too, but kept in blocks of their own, because they may not add names.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sidecar.batch import Batch, RowMonitor
from sidecar.centroid import COSINE, Centroids
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import MISSING, Column, Inference, Values
from sidecar.monitors.recent import Recent
from sidecar.monitors.schema import Schema
from sidecar.monitors.segments import Segments
from sidecar.policy import Policies
from sidecar.reference import ColumnType, References
from sidecar.slo import outcome_of

# At 256 rows the fixed cost of numpy calls is a few percent of the whole; more only delays detection.
ROWS_PER_BATCH = 256
# Nobody sees a quarter of a second in a metric that is scraped every few.
OLDEST_ROW_SECONDS = 0.25
# Payload bytes waiting in blocks, all models together; Python objects cost several times as much.
HELD_BYTES_LIMIT = 4 * 1024 * 1024
# Different column sets at one time. Clients that send random columns would otherwise open without end.
BLOCKS_LIMIT = 64
# As many models as `Attribution` lets through, the configured ones and `__other__` beside them.
MODELS_LIMIT = 128
_OK = Outcome.OK


class _Key(NamedTuple):
    model: str
    version: str
    trusted: bool
    elsewhere: bool
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    headers: tuple[str, ...]


class _Block:
    """Rows waiting to become a batch: plain lists, column by column, or the arrays of one large inference."""

    __slots__ = ("features", "first", "held_bytes", "key", "last", "misshapen", "outputs", "requests", "rows")

    def __init__(self, key: _Key, now: float) -> None:
        self.key = key
        self.first = self.last = now
        self.rows = self.requests = 0
        self.held_bytes = 0
        self.features: list[Any] = [[] for _ in key.features]
        self.outputs: list[list[Any]] = [[] for _ in key.outputs]
        self.misshapen = [0] * len(key.outputs)

    def add(
        self, rows: int, features: Sequence[Column], outputs: Sequence[Column], now: float, *, decoupled: bool
    ) -> None:
        # Enough rows to be a batch of their own, which is folded at once: arrays stay arrays.
        whole = not self.rows and rows >= ROWS_PER_BATCH
        self.rows += rows
        self.requests += 1
        self.last = now
        if whole:
            self.features = [_whole(column.values, rows) for column in features]
        else:
            for column, kept in zip(features, self.features, strict=True):
                values = column.values
                if type(values) is list and len(values) == rows:  # nearly always; a call a column is felt
                    kept += values
                else:
                    kept.extend(_fitted(values, rows))
        for i, column in enumerate(outputs):
            if decoupled or len(column.values) == rows:
                self.outputs[i].extend(_plain(column.values))
            else:
                self.misshapen[i] += rows


class Rows:
    """A Monitor that cleans rows once and hands them to every RowMonitor.

    It ticks its row monitors, so they need no other owner. Register `flush` with
    `Registry.before_snapshot`, and call it once more at the end.
    """

    def __init__(
        self,
        row_monitors: Sequence[RowMonitor],
        policies: Policies,
        references: References,
        segments: Segments | None = None,
    ) -> None:
        self._segments = segments
        self._row_monitors = row_monitors
        self._references = references
        self._schemas: Recent[str, Schema] = Recent(MODELS_LIMIT, lambda name: Schema(policies.of(name)))
        self._centroids: Recent[str, Centroids] = Recent(MODELS_LIMIT, lambda name: Centroids())
        self._blocks: dict[tuple[Any, ...], _Block] = {}
        self._held_bytes = 0

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Keep the rows of a decoded inference until their batch is due."""
        if inference.undecoded is not None or inference.rows <= 0:
            return
        trusted = outcome_of(exchange, inference) is _OK
        outputs = self._compared(inference) if trusted else []
        # A plain tuple is equal to the key that it becomes, and found in a third of the time.
        key = (
            *inference.model,
            trusted,
            inference.elsewhere,
            tuple([column.name for column in inference.features]),
            tuple([column.name for column in outputs]),
            self._segments.headers_of(exchange, inference.model.name, trusted=trusted)
            if self._segments
            else (),
        )
        now = exchange.timings.last
        block = self._blocks.get(key) or self._open(_Key(*key), now)
        block.add(inference.rows, inference.features, outputs, now, decoupled=inference.decoupled)
        held_bytes = len(exchange.request.data) + len(exchange.response.data)
        block.held_bytes += held_bytes
        self._held_bytes += held_bytes
        if self._held_bytes > HELD_BYTES_LIMIT:
            self.flush()
        elif block.rows >= ROWS_PER_BATCH:
            self._fold(key)

    def tick(self, now: float) -> None:
        """Fold the blocks whose oldest row has waited long enough, then tick the row monitors."""
        for key in [k for k, b in self._blocks.items() if now - b.first >= OLDEST_ROW_SECONDS]:
            self._fold(key)
        for monitor in self._row_monitors:
            monitor.tick(now)

    def go_on(self, model: str, kind: str, name: str, type: ColumnType, values: int) -> None:
        """So many values said before a restart that a column of a model is of this type."""
        schema = self._schemas[model]
        (schema.features if kind == "feature" else schema.outputs).go_on(name, type, values)

    def flush(self) -> None:
        """Fold every row now."""
        for key in list(self._blocks):
            self._fold(key)

    def expire(self, now: float) -> list[dict[str, str]]:
        """Forget columns unused for a day; returns the labels for `Registry.forget`, one dict each."""
        gone: list[dict[str, str]] = []
        for model, schema in self._schemas.items():
            for name in schema.features.expire(now):
                gone.append({"model_name": model, "feature": name})
                gone.append({"model_name": model, "kind": "feature", "name": name})
            for name in schema.outputs.expire(now):
                gone.append({"model_name": model, "output": name})
                gone.append({"model_name": model, "kind": "output", "name": name})
        return gone

    def _compared(self, inference: Inference) -> Sequence[Column]:
        """The outputs, with the cosines of those that are vectors."""
        outputs = inference.outputs
        if not any(column.vectors is not None for column in outputs):
            return outputs
        centroids = self._centroids[inference.model.name]
        centroids.use(self._references.of(inference.model.name))
        return centroids.compared(outputs)

    def _open(self, key: _Key, now: float) -> _Block:
        if len(self._blocks) >= BLOCKS_LIMIT:
            self.flush()
        block = self._blocks[key] = _Block(key, now)
        return block

    def _fold(self, key: tuple[Any, ...]) -> None:
        block = self._blocks.pop(key)
        self._held_bytes -= block.held_bytes
        batch = self._clean(block.key, block)
        if self._segments:
            batch.segments = self._segments.divide(batch)
        for monitor in self._row_monitors:
            monitor.fold(batch)

    def _clean(self, key: _Key, block: _Block) -> Batch:
        schema = self._schemas[key.model]
        schema.use(self._references.of(key.model))
        now, trusted = block.last, key.trusted
        features, other_features = schema.features.clean(key.features, block.features, now, trusted=trusted)
        outputs, other_outputs = schema.outputs.clean(key.outputs, block.outputs, now, trusted=trusted)
        for label, column in outputs.items():
            if label.endswith(COSINE):
                column.centroid = self._centroids[key.model].known(label)
        whole = schema.complete(features, block.rows, trusted=trusted, elsewhere=key.elsewhere)
        if not key.elsewhere:
            schema.add_absent(features, block.rows)
        misshapen: Counter[str] = Counter()
        for name, count in zip(key.outputs, block.misshapen, strict=True):
            if count:
                misshapen[schema.outputs.label(name, now, trusted=trusted)] += count
        return Batch(
            key.model,
            key.version,
            block.rows,
            block.first,
            block.last,
            features,
            outputs,
            complete=int(np.count_nonzero(whole)),
            misshapen=misshapen,
            other_features=other_features,
            other_outputs=other_outputs,
            trusted=trusted,
            elsewhere=key.elsewhere,
            requests=block.requests,
            whole=whole,
            headers=key.headers,
        )


def _whole(values: Values, rows: int) -> Values:
    """The values of a block of one inference, which may be an array; never the decoder's own list."""
    if isinstance(values, np.ndarray) and len(values) == rows:
        return values
    return list(_fitted(values, rows))


def _fitted(values: Values, rows: int) -> Sequence[Any]:
    """`values` with one value a row, whatever a decoder made of a ragged payload."""
    values = _plain(values)
    if len(values) == rows:
        return values
    return [*values[:rows], *[MISSING] * (rows - len(values))]


def _plain(values: Values) -> Sequence[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else values
