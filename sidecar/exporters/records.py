"""Sampled records of predictions: of some rows, the fields that the operator named, after their rules.

A monitor among the monitors, there only when records are wanted. What no rule names never gets into a record:
no header, no path, no id, no error text. Everything is redacted here, before anything waits anywhere.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sidecar import clock
from sidecar.exchange import Exchange, Outcome
from sidecar.exporters.otlp_text import Attribute
from sidecar.exporters.redaction import Redactor, Rule
from sidecar.inference import Column, Inference
from sidecar.slo import outcome_of
from sidecar.trace_context import trace_context


@dataclass(frozen=True, slots=True)
class Record:
    """What is said of one row. `time` is wall clock, seconds; the ids are the caller's trace, "" for none."""

    time: float
    attributes: dict[str, Attribute]
    trace_id: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class RecordRules:
    """`ratio` of the exchanges, the first `rows` of each, and what may leave of which field."""

    ratio: float
    rows: int
    features: Mapping[str, Rule]
    outputs: Mapping[str, Rule]


class Records:
    """Samples exchanges and hands records of their rows to `accept`, which must not block."""

    def __init__(
        self,
        rules: RecordRules,
        redactor: Redactor,
        accept: Callable[[Record], None],
        chance: Callable[[], float] = random.random,
        to_wall: Callable[[float], float] = clock.wall_of,
    ) -> None:
        self._rules = rules
        self._redactor = redactor
        self._accept = accept
        self._chance = chance
        self._to_wall = to_wall

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Hand on records of one exchange, if it is sampled and could be read."""
        if self._chance() >= self._rules.ratio or inference.undecoded is not None:
            return
        outcome = outcome_of(exchange, inference)
        rows = min(_rows(inference), self._rules.rows)
        if outcome is Outcome.UNOBSERVED or not rows:
            return
        trace = trace_context(exchange.request_headers)
        ids = (trace.trace_id, trace.span_id) if trace else ("", "")
        time = self._to_wall(exchange.timings.last)
        about = _about(inference, outcome)
        for row in range(rows):
            self._accept(Record(time, {**about, "inference.row": row, **self._fields(inference, row)}, *ids))

    def tick(self, now: float) -> None:
        """Nothing to do."""

    def _fields(self, inference: Inference, row: int) -> dict[str, Attribute]:
        return {
            **self._side("feature", inference.features, self._rules.features, row),
            **self._side("output", inference.outputs, self._rules.outputs, row),
        }

    def _side(
        self, kind: str, columns: Iterable[Column], rules: Mapping[str, Rule], row: int
    ) -> dict[str, Attribute]:
        found: dict[str, Attribute] = {}
        for column in columns:
            rule = rules.get(column.name)
            if rule is None or row >= len(column.values):
                continue
            safe = self._redactor.apply(column.name, rule, column.values[row])
            if safe is not None:
                found[f"{kind}.{column.name}"] = safe
        return found


def _rows(inference: Inference) -> int:
    return max((len(c.values) for c in (*inference.features, *inference.outputs)), default=0)


def _about(inference: Inference, outcome: Outcome) -> dict[str, Attribute]:
    return {
        "model_name": inference.model.name,
        "model_version": inference.model.version,
        "inference.protocol": inference.protocol,
        "inference.operation": inference.operation.value,
        "inference.outcome": outcome.value,
    }
