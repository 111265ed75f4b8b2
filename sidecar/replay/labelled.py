"""Recorded predictions against their labels: the quality of each chunk, and where it fell.

The same judgement as live (`monitors.labels`), but a chunk at a time and without a join: a row has both.
What it is not: drift; a label is no feature, and no reference is needed. The trap: what kind of question it
is (classes, scores, numbers) is decided chunk by chunk, so the task stands beside the figures.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sidecar.inference import Column
from sidecar.monitors.labels.falling import Falling
from sidecar.monitors.labels.judging import Pairs, Rules, Task, errors, figures, right, task_of
from sidecar.monitors.labels.outputs import judged
from sidecar.monitors.labels.values import NONE, values_of
from sidecar.policy import ModelPolicy

Values = Sequence[Any]
# As many errors as `Falling` looks at together, so that a fall has a row.
_TOGETHER = 25
_DIGITS = 6


class LabelledRows:
    """Feed rows in order with `feed`, then `finish`; `chunks` and `changes` have what came of them."""

    def __init__(self, policy: ModelPolicy, chunk_rows: int) -> None:
        tolerance = next((each.tolerance for each in policy.objectives if each.slo == "quality"), None)
        self.chunks: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self._rules = Rules(policy.judgement, tolerance)
        self._chunk_rows = chunk_rows
        self._row = 0
        self._waiting: list[Pairs] = []
        self._falling = Falling(Task.UNCLEAR)
        self._unclear: Counter[str] = Counter()

    @property
    def unclear(self) -> str:
        """Why no chunk at all could be judged: `labels` (there are none), `predictions` or `classes`."""
        why = self._unclear.most_common(1)
        return why[0][0] if why and self._unclear.total() == len(self.chunks) else ""

    def feed(self, rows: int, outputs: Mapping[str, Values], labels: Values) -> None:
        """Take `rows` more rows."""
        columns = [Column(name, values) for name, values in outputs.items()]
        found = judged(columns, self._rules.judgement.output)
        if found is None:
            self._row += rows
            return
        predicted, truth = values_of(found), values_of(labels)
        at = 0
        while at < rows:
            room = self._chunk_rows - sum(len(pairs) for pairs in self._waiting)
            until = min(at + room, rows)
            self._waiting.append(
                Pairs(predicted[0][at:until], predicted[1][at:until], truth[0][at:until], truth[1][at:until])
            )
            if until - at == room:
                self.finish()
            at = until

    def finish(self) -> None:
        """No more rows: what waits is a chunk, too."""
        if not self._waiting:
            return
        chunk = Pairs(
            *(np.concatenate(columns) for columns in zip(*map(_columns, self._waiting), strict=True))
        )
        self._waiting = []
        known = np.flatnonzero(chunk.label_kinds != NONE)
        labelled = Pairs(*(column[known] for column in _columns(chunk)))
        task = task_of(labelled, self._rules)
        found = figures(labelled, task, self._rules)
        self.chunks.append({
            "row": self._row, "n": len(chunk), "labelled": len(labelled), "task": task.value,
            **{metric: round(value, _DIGITS) for metric, value in found.items()},
        })  # fmt: skip
        self._watch(labelled, task, known)
        self._row += len(chunk)

    def _watch(self, labelled: Pairs, task: Task, known: "np.ndarray[Any, Any]") -> None:
        if task is Task.UNCLEAR:
            predicted = (labelled.predicted_kinds != NONE).any()
            self._unclear["labels" if not len(labelled) else "classes" if predicted else "predictions"] += 1
            return
        if self._falling.task is not task:
            self._falling = Falling(task)
        judged = labelled.numbers() if task is Task.NUMBERS else right(labelled, task, self._rules) >= 0
        rows = known[judged]
        wrong = errors(labelled, task, self._rules)
        for at in range(0, len(wrong), _TOGETHER):
            for change in self._falling.add(wrong[at : at + _TOGETHER].tolist()):
                row = self._row + int(rows[min(at + _TOGETHER, len(rows)) - 1])
                self.changes.append({
                    "row": row, "fell": change.fell, "error_before": round(change.before, _DIGITS),
                    "error_now": round(change.now, _DIGITS), "labels": change.labels,
                })  # fmt: skip


def _columns(pairs: Pairs) -> Iterator["np.ndarray[Any, Any]"]:
    yield from (pairs.predicted, pairs.predicted_kinds, pairs.labels, pairs.label_kinds)
