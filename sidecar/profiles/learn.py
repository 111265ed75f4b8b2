"""References for models that nobody gave one: learnt from their first rows, then frozen.

Given references win and are never touched. A learnt one is marked as learnt; what it rests on is in
`status`. The trap: whatever was wrong in those first rows becomes the norm, which is why a learnt
reference is there to be reviewed and shipped, not to be trusted for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from sidecar import clock
from sidecar.batch import UNAVAILABLE, Batch, CleanColumn, State
from sidecar.profiles import learn_state
from sidecar.profiles.build import ColumnBuilder
from sidecar.reference import ColumnProfile, ColumnType, Reference
from sidecar.texts import DERIVED

# A bin of a twentieth holds 250 of 5,000 rows: its share is known to 6 %, a mean to .014 deviations.
LEARN_ROWS = 5_000
# Learning costs 40 kB a column while it lasts.
MAX_MODELS = 20
MAX_COLUMNS = 500
_INVALID = (State.INF, State.WRONG_TYPE)


@dataclass(frozen=True, slots=True)
class LearningStatus:
    """For the status page: where a model's reference comes from, or how far learning is."""

    source: str
    rows_seen: int
    rows_needed: int

    @property
    def ready(self) -> bool:
        """Whether there is a reference."""
        return self.rows_seen >= self.rows_needed


class LearningColumn(NamedTuple):
    """A column that is being learnt: of which type, and how many values said so."""

    kind: str
    name: str
    type: ColumnType
    values: int


class LearntReferences:
    """The references of all models: the given ones, and those learnt from traffic. A RowMonitor."""

    def __init__(
        self,
        given: Mapping[str, Reference] | None = None,
        default: Reference | None = None,
        rows: int = LEARN_ROWS,
    ) -> None:
        self._given = dict(given or {})
        self._default = default
        self._rows = rows
        self._learning: dict[str, _Learning] = {}
        self._learnt: dict[str, Reference] = {}

    def of(self, model_name: str) -> Reference | None:
        """The reference of a model: its own, else the default, else the one learnt; None until then."""
        return self._given.get(model_name) or self._default or self._learnt.get(model_name)

    def fold(self, batch: Batch) -> None:
        """Learn from these rows if the model has no reference yet and answered them successfully."""
        if batch.rows <= 0 or not batch.trusted or batch.elsewhere or self.of(batch.model) is not None:
            return
        learning = self._learning.get(batch.model)
        if learning is None:
            if len(self._learning) + len(self._learnt) >= MAX_MODELS:
                return
            learning = self._learning[batch.model] = _Learning(self._rows)
        learning.add(batch)
        if learning.rows >= self._rows:
            self._learnt[batch.model] = learning.reference(batch.model)
            del self._learning[batch.model]

    def tick(self, now: float) -> None:
        """Nothing here depends on time."""

    def learnt(self) -> dict[str, Reference]:
        """The references learnt so far, by model: what `restore` takes."""
        return dict(self._learnt)

    def restore(self, learnt: Mapping[str, Reference]) -> None:
        """Go on with references learnt earlier; a given one still wins."""
        for model, reference in learnt.items():
            if self.of(model) is None and len(self._learning) + len(self._learnt) < MAX_MODELS:
                self._learnt[model] = reference

    def learning(self) -> dict[str, Any]:
        """What is known of the models still being learnt, copied; `learn_state.encoded` makes it JSON."""
        return {model: learning.state() for model, learning in self._learning.items()}

    def go_on_learning(self, document: Mapping[str, Any]) -> dict[str, list[LearningColumn]]:
        """Go on from what `learn_state.encoded` gave; returns the columns of each model that does.

        Raises ValueError, having changed nothing, when the document is none of ours.
        """
        try:
            read = {name: _Learning.of(saved, self._rows) for name, saved in document.items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("nothing that was being learnt") from error
        went_on = {}
        for name, learning in read.items():
            room = len(self._learning) + len(self._learnt) < MAX_MODELS
            if self.of(name) is None and room and learning.rows < self._rows:
                self._learning[name] = learning
                went_on[name] = learning.columns()
        return went_on

    def status(self) -> dict[str, LearningStatus]:
        """Per model: given, learnt, or being learnt."""
        given = {name: LearningStatus("given", r.rows, r.rows) for name, r in self._given.items()}
        learnt = {name: LearningStatus("learnt", r.rows, r.rows) for name, r in self._learnt.items()}
        learning = {name: LearningStatus("learnt", o.rows, self._rows) for name, o in self._learning.items()}
        return {**learning, **learnt, **given}


class _Learning:
    """One model's first rows."""

    def __init__(self, sample_rows: int) -> None:
        self.rows = 0
        self._sample_rows = sample_rows
        self._columns: dict[tuple[str, str], _Column] = {}

    def add(self, batch: Batch) -> None:
        for kind, columns in (("feature", batch.features), ("output", batch.outputs)):
            for column in columns.values():
                # A text is known as one after some rows only: its numbers were not null before.
                whole = kind == "feature" and not column.name.endswith(DERIVED)
                self._column(kind, column, self.rows if whole else 0).add(column)
            if kind == "feature":
                for (known, name), learning in self._columns.items():
                    if known == kind and name not in columns:
                        learning.builder.add_nulls(batch.rows)
        self.rows += batch.rows

    def reference(self, model: str) -> Reference:
        created = datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds")
        profiles = {key: column.profile() for key, column in self._columns.items()}
        features = {name: p for (kind, name), p in profiles.items() if kind == "feature"}
        outputs = {name: p for (kind, name), p in profiles.items() if kind == "output"}
        return Reference(self.rows, features, outputs, source="learnt", created=created, model=model)

    def state(self) -> dict[str, Any]:
        columns = [
            [kind, name, learn_state.copied(column.builder, column.type)]
            for (kind, name), column in self._columns.items()
        ]
        return {"rows": self.rows, "columns": columns}

    def columns(self) -> list[LearningColumn]:
        return [
            LearningColumn(kind, name, column.type, column.builder.values)
            for (kind, name), column in self._columns.items()
        ]

    @classmethod
    def of(cls, saved: Mapping[str, Any], sample_rows: int) -> "_Learning":
        learning = cls(sample_rows)
        learning.rows = int(saved["rows"])
        for kind, name, state in saved["columns"][:MAX_COLUMNS]:
            column = _Column(*learn_state.restored(str(name), state, sample_rows))
            learning._columns[str(kind), str(name)] = column
        return learning

    def _column(self, kind: str, column: CleanColumn, rows_before: int) -> "_Column":
        key = kind, column.name
        known = self._columns.get(key)
        if known is not None and known.type is column.type and known.centroid == column.centroid:
            return known
        # New, or its type was voted anew, or (after a restart) it is to another centroid: what came before
        # was something else.
        fresh = _Column(ColumnBuilder(column.name, self._sample_rows), column.type)
        if known is None:
            fresh.builder.add_nulls(rows_before)
        if known is not None or len(self._columns) < MAX_COLUMNS:
            self._columns[key] = fresh
        return fresh


class _Column:
    """One column of one model, of one type."""

    def __init__(self, builder: ColumnBuilder, type: ColumnType) -> None:
        self.type = type
        self.builder = builder
        self._words = b""
        self.centroid = b""

    def add(self, column: CleanColumn) -> None:
        self._words = self._words or column.words
        self.centroid = column.centroid
        self.builder.add(_values(column))

    def profile(self) -> ColumnProfile:
        profile = self.builder.profile(type=self.type)
        if profile.type is ColumnType.NUMBER and not profile.shares:
            return replace(profile, type=ColumnType.TEXT)  # a number that never had a value
        if self._words or self.centroid:
            return replace(profile, words=self._words, centroid=self.centroid)
        return profile


def _values(column: CleanColumn) -> Sequence[Any]:
    """The values of a cleaned column: None where there was none, nothing for what was no value."""
    usable = ~np.isin(column.states, _INVALID)
    if column.numbers is not None:
        return list(column.numbers[usable].tolist())
    if column.levels is not None:
        as_boolean = column.type is ColumnType.BOOLEAN
        levels = [level for level, ok in zip(column.levels, usable.tolist(), strict=True) if ok]
        return [None if x is None else x == "true" if as_boolean else x for x in levels]
    missing = np.isin(column.states[usable], [int(state) for state in UNAVAILABLE])
    return [None if gone else "" for gone in missing.tolist()]
