"""The last labelled predictions of one version of a model, and what they say about it.

The last 1,000: an accuracy is then known to a point or two, and a change shows while it is news. By the
order in which labels came, since nobody knows the order of what has not come yet. The trap: a job that
posts a day of labels at once leaves only its last 1,000 here; the objective and its events count every one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sidecar.monitors.labels.falling import Baseline, Change, Falling
from sidecar.monitors.labels.judging import Pairs, Rules, Task, errors, figures, right, task_of
from sidecar.monitors.labels.values import Value

WINDOW = 1_000
# A week without a label: what was true then is not shown as of now. Labels of a weekly job still meet.
STALE_SECONDS = 8 * 86_400.0
_Pair = tuple[Value, Value]
_NONE: Mapping[str, Baseline] = {}


class LabelledWindow:
    """Pairs of prediction and label. `rules` say how they are compared.

    `baselines`: what earlier versions were like, by task; read when it is needed.
    """

    def __init__(self, rules: Rules, baselines: Mapping[str, Baseline] = _NONE) -> None:
        self.rules = rules
        self.task = Task.UNCLEAR
        self.falling = Falling(Task.UNCLEAR)
        self._inherited = baselines
        self.last = 0.0
        self._pairs = np.zeros((0, 4))

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, pairs: Sequence[_Pair], now: float) -> tuple[int, int, list[Change]]:
        """Take pairs in the order of their labels; how many are right, how many wrong, what changed."""
        new = np.array([(p[1], p[0], y[1], y[0]) for p, y in pairs], np.float64).reshape(-1, 4)
        self._pairs = np.concatenate((self._pairs, new))[-WINDOW:]
        self.last = now
        self.task = task_of(_pairs(self._pairs), self.rules)
        judged = right(_pairs(new), self.task, self.rules)
        return int((judged == 1).sum()), int((judged == 0).sum()), self._watch(_pairs(new))

    def figures(self) -> dict[str, float]:
        """Quality by metric."""
        return figures(_pairs(self._pairs), self.task, self.rules)

    def state(self) -> list[list[float]]:
        """The pairs, to go on from."""
        found: list[list[float]] = self._pairs.tolist()
        return found

    def watching(self) -> dict[str, Any]:
        """Whether quality has fallen and what that rests on, beside the pairs."""
        return self.falling.state()

    def restore(self, saved: object, last: float, watching: Mapping[str, Any] | None = None) -> None:
        """Go on from saved pairs. Raises ValueError, having changed nothing, when they are none.

        What was watched is left out where the pairs, or what is configured, now say another task. Raises
        TypeError or KeyError, too, when it is none.
        """
        try:
            pairs = np.array(saved, np.float64).reshape(-1, 4)[-WINDOW:]
        except TypeError as error:
            raise ValueError("not pairs of prediction and label") from error
        if not np.isfinite(pairs).all() or not np.isin(pairs[:, [1, 3]], (0, 1, 2)).all():
            raise ValueError("not pairs of prediction and label")
        task = task_of(_pairs(pairs), self.rules)
        falling = Falling(task, self._inherited.get(task))
        if watching is not None and task is not Task.UNCLEAR and watching["task"] == task:
            falling.restore(watching, errors(_pairs(pairs), task, self.rules).tolist())
        self._pairs, self.last, self.task, self.falling = pairs, last, task, falling

    def _watch(self, new: Pairs) -> list[Change]:
        if self.task is Task.UNCLEAR:
            return []
        if self.falling.task is not self.task:
            self.falling = Falling(self.task, self._inherited.get(self.task))
        return self.falling.add(errors(new, self.task, self.rules).tolist())


def _pairs(table: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Pairs:
    return Pairs(table[:, 0], table[:, 1].astype(np.uint8), table[:, 2], table[:, 3].astype(np.uint8))
