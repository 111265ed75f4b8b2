"""Delayed labels: joins them to the predictions that went by, and measures how good those were.

Each row is labelled once: the first label counts, another one is a duplicate and changes nothing. What waits
without a label until it has to leave is `pending_expired`; that is counted for models that get labels, or
have an objective for them, since of the others nobody expects any.

The trap: an id that several predictions share (a client that sends `"id": "1"` every time, one request that
asks two models) names none of them, unless the label says the model, or the predictions are the same.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sidecar import catalog_labels as catalog
from sidecar.counting import counted
from sidecar.exchange import Exchange
from sidecar.inference import UNKNOWN, Inference, ModelRef
from sidecar.metric import OTHER
from sidecar.monitors.labels.memory import KIND, LABELLED, Found, Memory
from sidecar.monitors.labels.remembering import Predictions
from sidecar.monitors.labels.results import Results
from sidecar.monitors.labels.values import NOTHING, key_of_row
from sidecar.monitors.labels.waiting import Given, Waiting
from sidecar.policy import Policies
from sidecar.registry import Registry

Known = Callable[[str, str], ModelRef | None]
# By the key of a row, which came with its prediction: the model.
_Brought = dict[int, ModelRef]
_SHARED = "several predictions have this id; give model_name, or use each id once"
_NOT_HERE = "no such model has answered here"


@dataclass(slots=True)
class Taken:
    """What became of labels: rows by state, those that wait, and what was wrong with which."""

    states: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Taken") -> None:
        """Take over another's."""
        self.states += other.states
        self.waiting += other.waiting
        self.problems += other.problems


class Labels:
    """A Monitor that remembers predictions, and the place labels go to. One thread.

    `known(name, version)` gives the label values of a model that has answered here or is configured, else
    None. `wall_of` gives the wall-clock time of a monotonic one; times of `take` are wall clock.
    """

    def __init__(
        self,
        registry: Registry,
        policies: Policies,
        wall_of: Callable[[float], float],
        known: Known,
        memory: Memory,
        *,
        wait: float = 60.0,
        remember: bool = True,
    ) -> None:
        self.results = Results(registry, policies)
        self._wall_of, self._known, self._remembers = wall_of, known, remember
        self._predictions = Predictions(policies, wall_of, memory)
        self._predictions.on_expired = self.results.expired
        self._predictions.on_come = self._meet
        self._predictions.on_model = self.results.introduce
        self._waiting = Waiting(wait)
        self._pending = registry.gauge(catalog.PENDING_LABELS)
        registry.before_snapshot(self._show)

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Remember the predictions of an answer that has an id."""
        if self._remembers:
            self._predictions.observe(exchange, inference)

    def tick(self, now: float) -> None:
        """Fold what is new; let go of what has waited too long."""
        wall = self._wall_of(now)
        self._predictions.flush()
        self._predictions.expire(wall)
        for given in self._waiting.expire(wall):
            self._unknown(given, Taken())
        self.results.expire(wall)

    def take(self, labels: Sequence[Given], now: float) -> Taken:
        """Take labels in their order; `now` is when they came. A thousand take some milliseconds."""
        self._predictions.flush()
        return self._take(labels, now)

    def _take(self, labels: Sequence[Given], now: float) -> Taken:
        taken, brought = Taken(), _Brought()
        by_id = self._find([given.key or 0 for given in labels])
        by_row: Sequence[list[Found]] = [[]] * len(labels)
        if any(given.prediction is not None for given in labels):
            by_row = self._find([key_of_row(given.key or 0, given.row or 0) for given in labels])
        for given, found, row_found in zip(labels, by_id, by_row, strict=True):
            if given.prediction is None:
                self._take_label(given, found, now, taken)
            else:
                self._take_whole(given, [*found, *row_found], brought, now, taken)
        if brought and self._remembers:
            self._predictions.remember_labelled(list(brought), list(brought.values()), now)
        self.results.judge(now)
        return taken

    def _find(self, keys: list[int]) -> list[list[Found]]:
        return self._predictions.find(np.array(keys, np.uint64))

    def _take_label(self, given: Given, found: list[Found], now: float, taken: Taken) -> None:
        """A label for a prediction that went by here."""
        candidates = [each for each in found if self._is_of(each, given)]
        if not candidates:
            if self._waiting.add(given, now):
                taken.waiting += _rows(given)
            else:
                self._unknown(given, taken)
        elif any(not _same(candidates[0], other) for other in candidates[1:]):
            taken.problems.append((given.at, _SHARED))
            self._unknown(given, taken)
        elif problem := _unfit(given, candidates[0].rows):
            taken.problems.append((given.at, problem))
        else:
            self._label(given, candidates, now, taken)

    def _label(self, given: Given, same: Sequence[Found], now: float, taken: Taken) -> None:
        """Label the rows of a prediction, each once, also where its request was sent several times."""
        found, kinds = same[0], [each.kinds() for each in same]
        model, values = self._predictions.model_of(found), found.values()
        for row, label in enumerate(given.values, given.row or 0):
            if label == NOTHING:
                continue
            again = False
            for each in kinds:
                again = again or bool(each[row] & LABELLED)
                each[row] |= LABELLED
            if again:
                self._count("duplicate", model, taken)
                continue
            prediction = int(kinds[0][row] & KIND), float(values[row])
            taken.states["matched"] += 1
            self.results.matched(model, prediction, label, found.time, now)

    def _take_whole(
        self, given: Given, found: list[Found], brought: _Brought, now: float, taken: Taken
    ) -> None:
        """A label that brings its prediction; with an id it counts once."""
        model = self._known(given.model, given.version)
        if model is None or given.prediction is None:
            taken.problems.append((given.at, _NOT_HERE))
            self._unknown(given, taken)
        elif given.key is not None and self._again(given.key, given.row or 0, model, found, brought):
            self._count("duplicate", model, taken)
        else:
            taken.states["matched"] += 1
            self.results.matched(model, given.prediction, given.values[0], given.time, now)

    def _again(self, key: int, row: int, model: ModelRef, found: list[Found], brought: _Brought) -> bool:
        """Whether this row of this id had a label before; from now on it has."""
        for each in found:
            if self._predictions.model_of(each).name != model.name:
                continue
            alone = each.rows == 1 and each.key == key_of_row(key, row)
            if alone or (each.key == key and row < each.rows):
                kinds = each.kinds()
                at = 0 if alone else row
                again = bool(kinds[at] & LABELLED)
                kinds[at] |= LABELLED
                return again
        again = key_of_row(key, row) in brought
        brought[key_of_row(key, row)] = model
        return again

    def _is_of(self, found: Found, given: Given) -> bool:
        model = self._predictions.model_of(found)
        return given.model in ("", model.name) and given.version in ("", model.version)

    def _meet(self, keys: Sequence[int], time: float) -> None:
        """Predictions came: some labels have waited for them."""
        if early := self._waiting.come(keys):
            self._take(early, time)

    def _unknown(self, given: Given, taken: Taken) -> None:
        """Nobody knows the prediction; of a model that nobody knows either, the name is not shown."""
        nobody = ModelRef(OTHER, OTHER) if given.model else ModelRef(UNKNOWN, UNKNOWN)
        model = (self._known(given.model, given.version) if given.model else None) or nobody
        self._count("unknown", model, taken, _rows(given))

    def _count(self, state: str, model: ModelRef, taken: Taken, rows: int = 1) -> None:
        taken.states[state] += rows
        self.results.count(state, model, rows)

    def _show(self) -> None:
        self._predictions.flush()
        self._pending.set(self._predictions.pending(), "prediction")
        self._pending.set(len(self._waiting), "label")

    def state(self) -> dict[str, Any]:
        """What to go on from; arrays in it are not changed any more."""
        self._predictions.flush()
        return {"predictions": self._predictions.state(), "results": self.results.state()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state. Raises ValueError, TypeError or KeyError when it is none."""
        self._predictions.restore(saved["predictions"])
        self.results.restore(saved["results"])


def _rows(given: Given) -> int:
    return sum(value != NOTHING for value in given.values)


def _same(one: Found, other: Found) -> bool:
    """Whether a request was only sent again: the same model gave the same predictions."""
    if one.model != other.model or one.rows != other.rows:
        return False
    kinds = (one.kinds() & KIND) == (other.kinds() & KIND)
    return bool(kinds.all()) and bool((one.values() == other.values()).all())


def _unfit(given: Given, rows: int) -> str:
    """What is wrong with a label for a prediction of so many rows."""
    if given.all_rows:
        if len(given.values) != rows:
            labels = counted(len(given.values), "label")
            return f"{labels} for {counted(rows, 'row')}; give one for each, null if not known"
    elif given.row is None:
        if rows > 1:
            return f"this prediction has {rows} rows; give row, or labels for all of them"
    elif given.row >= rows:
        return f"row {given.row} of a prediction of {counted(rows, 'row')}; they are counted from 0"
    return ""
