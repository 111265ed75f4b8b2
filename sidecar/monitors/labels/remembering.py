"""Remembers the predictions that go by, until their labels come: what is kept of an inference, and of which.

Those with an id whose answer was right and could be read; of streams and of generated text there is nothing
to compare. Requests are folded into the memory some hundreds at a time, which costs a fraction of one by
one. The trap: what was answered a moment ago is in the memory only after `flush`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sidecar.exchange import Exchange, Outcome
from sidecar.inference import Inference, ModelRef, Values
from sidecar.monitors.labels.memory import LABELLED, Found, Keys, Memory, Requests
from sidecar.monitors.labels.outputs import Matrix, candidate, decided, flat
from sidecar.monitors.labels.values import key_of, values_of
from sidecar.policy import Policies
from sidecar.slo import outcome_of

# Folded together; more would hold more of their payloads than it saves time.
_REQUESTS_TOGETHER, _VALUES_TOGETHER = 256, 4096
# Names and versions of a year of releases; a number costs two bytes a prediction.
_MODELS_LIMIT = 10_000


class _New(NamedTuple):
    identity: str
    time: float
    model: int
    rows: int
    values: "Values | Matrix"


class Predictions:
    """The predictions of every model that wait for labels. Times are wall clock, but for exchanges.

    `on_expired(model, rows)` hears of those that left without a label, `on_come(keys, time)` of new ones, and
    `on_model(model)` of a model whose first prediction this is.
    """

    def __init__(self, policies: Policies, wall_of: Callable[[float], float], memory: Memory) -> None:
        self.on_expired: Callable[[ModelRef, int], None] = lambda _, __: None
        self.on_come: Callable[[Sequence[int], float], None] = lambda _, __: None
        self.on_model: Callable[[ModelRef], None] = lambda _: None
        self._policies, self._wall_of, self._memory = policies, wall_of, memory
        self._new: list[_New] = []
        self._new_values = 0
        self._models: list[ModelRef] = []
        self._numbers: dict[ModelRef, int] = {}

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Remember the predictions of an answer, if it has an id."""
        if not inference.request_id or not inference.outputs:
            return
        whole = inference.undecoded is None and inference.generation is None and not inference.decoupled
        if not whole or outcome_of(exchange, inference) is not Outcome.OK:
            return
        values = candidate(inference.outputs, self._policies.of(inference.model.name).judgement.output)
        if values is None:
            return
        columns = len(values) if type(values) is tuple else 1
        rows = len(values[0]) if type(values) is tuple else len(values)
        if not rows or rows != (inference.rows or rows):
            return
        number = self._number(inference.model)
        if number is None:
            return
        self._new.append(
            _New(inference.request_id, self._wall_of(exchange.timings.last), number, rows, values)
        )
        self._new_values += rows * columns
        if len(self._new) >= _REQUESTS_TOGETHER or self._new_values >= _VALUES_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Fold what is new."""
        if not self._new:
            return
        new, self._new, self._new_values = self._new, [], 0
        kept = [each for each in new if self._memory.has_room_for(each.rows)]
        if len(kept) < len(new):
            for each in new:
                if not self._memory.has_room_for(each.rows):
                    self._left(Counter({each.model: each.rows}))
        if not kept:
            return
        keys, times = [key_of(each.identity) for each in kept], [each.time for each in kept]
        values, kinds = values_of(flat(_settled([each.values for each in kept])))
        rows = [each.rows for each in kept]
        models = [each.model for each in kept]
        self._left(self._memory.remember(Requests(keys, times, models, rows, values, kinds)))
        self.on_come(keys, max(times))

    def remember_labelled(self, keys: Sequence[int], models: Sequence[ModelRef], now: float) -> None:
        """Ids whose only row has its label already, so that it is not taken twice."""
        numbers = [self._number(model) for model in models]
        known = [(key, number) for key, number in zip(keys, numbers, strict=True) if number is not None]
        if known:
            count = len(known)
            kinds = np.full(count, LABELLED, np.uint8)
            heads = [key for key, _ in known], [now] * count, [number for _, number in known], [1] * count
            self._left(self._memory.remember(Requests(*heads, np.zeros(count), kinds)))

    def find(self, keys: Keys) -> list[list[Found]]:
        """For each key the requests that have it, the newest first; good until something is remembered."""
        return self._memory.find(keys)

    def model_of(self, found: Found) -> ModelRef:
        """Whose prediction it is."""
        return self._models[found.model]

    def expire(self, now: float) -> None:
        """Let go of what has waited too long."""
        self._left(self._memory.expire(now))

    def pending(self) -> int:
        """Rows without a label."""
        return self._memory.pending()

    def state(self) -> dict[str, Any]:
        """What to go on from; arrays in it are not changed any more."""
        models = [[model.name, model.version] for model in self._models]
        return {"models": models, "segments": self._memory.state()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state. Raises ValueError, TypeError or KeyError, having changed nothing."""
        models = [ModelRef(str(name), str(version)) for name, version in saved["models"]]
        for each in saved["segments"]:
            if int(np.max(each["models"], initial=0)) >= len(models):
                raise ValueError("a prediction of no model")
        self._memory.restore(saved["segments"])
        self._models, self._numbers = models, {model: at for at, model in enumerate(models)}

    def _number(self, model: ModelRef) -> int | None:
        number = self._numbers.get(model)
        if number is None and len(self._models) < _MODELS_LIMIT:
            number = self._numbers[model] = len(self._models)
            self._models.append(model)
            self.on_model(model)
        return number

    def _left(self, rows: Counter[int]) -> None:
        for number, count in rows.items():
            self.on_expired(self._models[number], count)


def _settled(chosen: "Sequence[Values | Matrix]") -> list[Values]:
    """One column of each."""
    of_matrices = iter(decided([values for values in chosen if type(values) is tuple]))
    return [next(of_matrices) if type(values) is tuple else values for values in chosen]
