"""Has quality fallen? The errors of recent labels against those of a model's first ones.

A difference counts when it is no chance and large enough to matter; both are asked of the last 250 and of the
last 1,000 labels, so that a collapse shows soon and a slow loss shows at all. A new version is compared
with what the model was like before it. What it is not: the objective, which asks whether quality is good
enough.

The trap: labels that somebody chose (only the complaints, say) look like a fall. Nothing here can know.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np

from sidecar.monitors.labels.judging import Task
from sidecar.monitors.labels.values import Floats

# The mean error is then known to a tenth of its size, for an accuracy of 90 %.
BASELINE = 500
WINDOWS = (250, 1_000)
_CHECK_EVERY = 25
# Of ten million labels of models that did not change (errors in 2, 10 and 30 %, normal and lognormal
# distances) it found one fall; with 3.5 ten. From 10 % of errors to 20 % takes 460 labels, to 30 % 150
# (medians).
SIGNIFICANT = 4.0
# Five points of accuracy, or a quarter more of the mean error, are what somebody would act on.
_POINTS, _SHARE = 0.05, 0.25
# Back within half of that, in so many looks in a row.
_CALM_CHECKS = 4


@dataclass(frozen=True, slots=True)
class Baseline:
    """The errors of a model's first labels: mean, variance and how many, and to which kind of question."""

    task: Task
    mean: float
    variance: float
    count: int


@dataclass(frozen=True, slots=True)
class Change:
    """Quality fell, or recovered."""

    fell: bool
    before: float
    now: float
    labels: int


class Falling:
    """One version of a model. `baseline` is what earlier ones were like, None if nobody knows."""

    def __init__(self, task: Task, baseline: Baseline | None = None) -> None:
        self.task = task
        # To another question there are other errors.
        self.baseline = baseline if baseline is not None and baseline.task is task else None
        self.fallen = False
        self._first: list[float] = []
        self._recent: deque[float] = deque(maxlen=max(WINDOWS))
        self._unchecked = self._calm = 0

    def add(self, errors: Iterable[float]) -> list[Change]:
        """Take errors in the order of their labels; returns what changed."""
        changes = []
        for error in errors:
            if self.baseline is None:
                self._settle(error)
                continue
            self._recent.append(error)
            self._unchecked += 1
            if self._unchecked >= _CHECK_EVERY:
                self._unchecked = 0
                changes += self._look(self.baseline, np.array(self._recent))
        return changes

    def state(self) -> dict[str, Any]:
        """What to go on from, with the last errors, of which there are `errors`."""
        known = self.baseline
        return {
            "task": self.task,
            "baseline": None if known is None else [known.mean, known.variance, known.count],
            "fallen": self.fallen,
            "errors": len(self._first) or len(self._recent),
            "counts": [self._unchecked, self._calm],
        }

    def restore(self, saved: Mapping[str, Any], last: Sequence[float]) -> None:
        """Go on from a saved state of the same task; `last` are the errors known, the newest at the end.

        Raises ValueError, TypeError or KeyError, having changed nothing, when it is none.
        """
        known = saved["baseline"]
        baseline = None if known is None else _baseline(self.task, *known)
        unchecked, calm = (int(count) for count in saved["counts"])
        few = max(min(int(saved["errors"]), len(last)), 0)
        errors = list(last[len(last) - few :])
        self.baseline, self.fallen = baseline, bool(saved["fallen"]) and baseline is not None
        self._unchecked, self._calm = unchecked, calm
        if baseline is None:
            self._first = errors[: BASELINE - 1]
        else:
            self._recent.extend(errors)

    def _settle(self, error: float) -> None:
        self._first.append(error)
        if len(self._first) >= BASELINE:
            found = np.array(self._first)
            self.baseline = Baseline(self.task, float(found.mean()), _variance(found, self.task), len(found))
            self._first = []

    def _look(self, baseline: Baseline, recent: Floats) -> list[Change]:
        if self.fallen:
            return self._back(baseline, recent)
        for size in WINDOWS:
            last = recent[-size:]
            more = float(last.mean()) - baseline.mean
            chance = sqrt(baseline.variance / baseline.count + _variance(last, self.task) / size)
            if len(last) == size and more > max(self._gate(baseline), SIGNIFICANT * chance):
                self.fallen, self._calm = True, 0
                return [Change(True, baseline.mean, float(last.mean()), size)]
        return []

    def _back(self, baseline: Baseline, recent: Floats) -> list[Change]:
        size = min(WINDOWS)
        now = float(recent[-size:].mean())
        self._calm = self._calm + 1 if now - baseline.mean <= self._gate(baseline) / 2 else 0
        if self._calm < _CALM_CHECKS:
            return []
        self.fallen = False
        self._recent.clear()  # what was worse is over, and must not be found again
        return [Change(False, baseline.mean, now, size)]

    def _gate(self, baseline: Baseline) -> float:
        return _SHARE * baseline.mean if self.task is Task.NUMBERS else _POINTS


def _baseline(task: Task, mean: float, variance: float, count: int) -> Baseline:
    if not (isfinite(mean) and isfinite(variance) and variance >= 0 and count >= 1):
        raise ValueError("not the errors of a model's first labels")
    return Baseline(task, float(mean), float(variance), int(count))


def _variance(errors: Floats, task: Task) -> float:
    """Of shares never zero: who has seen no error in 500 does not know that there are none."""
    if task is Task.NUMBERS:
        return float(errors.var())
    share = (float(errors.sum()) + 1) / (len(errors) + 2)
    return share * (1 - share)
