"""What the model answers: how many predictions of each class, and how many are unusable.

Every prediction that came back is counted once in `inference_predictions_total`, unusable ones with an
empty class, so that invalid over total is a share. Privacy: a class becomes a label value only when the
reference lists it with enough rows, or enough rows carried it here; until then it is `__other__`.
"""

from collections import Counter

import numpy as np
import numpy.typing as npt

from sidecar import catalog
from sidecar.batch import Batch, CleanColumn, State
from sidecar.metric import OTHER
from sidecar.monitors.exported_bins import MIN_ROWS_PER_LEVEL, safe_levels
from sidecar.monitors.features import state_counts
from sidecar.monitors.recent import Recent
from sidecar.names import Names
from sidecar.reference import ColumnProfile, References
from sidecar.registry import Registry

# Enough for a classifier one can look at on a chart.
CLASSES_LIMIT = 50
# Values still too rare to be shown, remembered per output; their rows are in `__other__` meanwhile.
CANDIDATES_LIMIT = 200
OUTPUTS_LIMIT = 1_000

# Why a prediction of this state is unusable. A value of another type than promised, or a nested one, has
# the wrong shape for whoever reads the answer; one that is not there is a null to them.
_REASONS = {
    State.NAN: "nan",
    State.INF: "inf",
    State.NULL: "null",
    State.MISSING: "null",
    State.WRONG_TYPE: "wrong_shape",
}


class Classes:
    """The classes of one output of one model that may be label values."""

    def __init__(self) -> None:
        self._listed: frozenset[str] = frozenset()
        self._names = Names(CLASSES_LIMIT)
        self._candidates: Counter[str] = Counter()

    def use(self, profile: ColumnProfile | None) -> list[str]:
        """Let the levels of the reference be labels; returns those that are new."""
        listed = frozenset(safe_levels(profile)[:CLASSES_LIMIT]) if profile else frozenset()
        new = listed - self._listed
        if new:
            self._listed = listed
            self._names = Names(CLASSES_LIMIT, listed)
        return sorted(new)

    def label(self, value: str, rows: int, now: float) -> str:
        """The label of a class that `rows` more rows carry."""
        known = self._names.admit(value, now, trusted=False)
        if known != OTHER:
            return known
        if value in self._candidates or len(self._candidates) < CANDIDATES_LIMIT:
            self._candidates[value] += rows
            if self._candidates[value] >= MIN_ROWS_PER_LEVEL:
                del self._candidates[value]
                return self._names.admit(value, now, trusted=True)
        return OTHER

    def expire(self, now: float) -> list[str]:
        """Forget classes unused for a day and return them, and rare values that stayed rare."""
        gone = self._names.expire(now)
        if len(self._candidates) >= CANDIDATES_LIMIT:
            self._candidates.clear()
        return gone


class Predictions:
    """A RowMonitor: predictions by class, unusable predictions by reason."""

    def __init__(self, registry: Registry, references: References) -> None:
        self._registry = registry
        self._predictions = registry.counter(catalog.PREDICTIONS)
        self._invalid = registry.counter(catalog.PREDICTIONS_INVALID)
        self._references = references
        self._classes: Recent[tuple[str, str], Classes] = Recent(OUTPUTS_LIMIT, lambda key: Classes())

    def fold(self, batch: Batch) -> None:
        """Count the batch's predictions."""
        reference = self._references.of(batch.model)
        profiles = reference.outputs if reference else {}
        for name, column in batch.outputs.items():
            key = (batch.model, batch.version, name)
            self._introduce(key)
            self._count_invalid(key, state_counts(column), batch.misshapen.get(name, 0))
            self._count_classes(key, column, profiles.get(name), batch.last)
        self._count_others(batch)

    def tick(self, now: float) -> None:
        """Forget classes that were not seen for a day."""
        for (model, output), classes in self._classes.items():
            for name in classes.expire(now):
                self._registry.forget(model_name=model, output=output, **{"class": name})

    def _introduce(self, key: tuple[str, str, str]) -> None:
        if (*key, "null") not in self._invalid.values:
            self._predictions.add(0, *key, "")
            for reason in catalog.INVALID_REASONS:
                self._invalid.add(0, *key, reason)

    def _count_invalid(
        self, key: tuple[str, str, str], counts: npt.NDArray[np.int64], misshapen: int
    ) -> None:
        unusable = 0
        for state, reason in _REASONS.items():
            if count := int(counts[state]):
                self._invalid.add(count, *key, reason)
                unusable += count
        if misshapen:
            self._invalid.add(misshapen, *key, "wrong_shape")
        if unusable + misshapen:
            self._predictions.add(unusable + misshapen, *key, "")

    def _count_classes(
        self, key: tuple[str, str, str], column: CleanColumn, profile: ColumnProfile | None, now: float
    ) -> None:
        if column.levels is None:
            counts = state_counts(column)
            usable = len(column.states) - sum(int(counts[state]) for state in _REASONS)
            self._predictions.add(usable, *key, "")
            return
        classes = self._classes[(key[0], key[2])]
        for name in classes.use(profile):
            self._predictions.add(0, *key, name)
        for value, rows in Counter(column.levels).items():
            if value is not None:
                self._predictions.add(rows, *key, classes.label(value, rows, now))

    def _count_others(self, batch: Batch) -> None:
        """Outputs past the cap: counted together, without classes."""
        misshapen = batch.misshapen.get(OTHER, 0)
        if not misshapen and not batch.other_outputs.any():
            return
        key = (batch.model, batch.version, OTHER)
        self._introduce(key)
        self._count_invalid(key, batch.other_outputs, misshapen)
        usable = batch.other_outputs.sum() - sum(batch.other_outputs[state] for state in _REASONS)
        self._predictions.add(int(usable), *key, "")
