"""What labels say about each version of a model, in the registry: counts, lag, quality, events, falls.

Figures are worked out when somebody looks, not for each label. The trap: series of a model that nobody asks
any more are taken away with the model, and a label that comes later brings them back; they leave for good
when no label has come for a week.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sidecar import catalog_labels as catalog
from sidecar.catalog import SLO_EVENTS
from sidecar.inference import UNKNOWN, ModelRef
from sidecar.metric import OTHER
from sidecar.monitors.labels.falling import Baseline, Change
from sidecar.monitors.labels.judging import Rules, Task
from sidecar.monitors.labels.values import Value
from sidecar.monitors.labels.window import STALE_SECONDS, LabelledWindow
from sidecar.monitors.recent import Recent
from sidecar.policy import Policies
from sidecar.registry import Registry

log = logging.getLogger("sidecar")

# Versions with labels at one time; 64 KB each.
_WINDOWS_LIMIT = 200
_SLO = "quality"


def _log(model: ModelRef, change: Change) -> None:
    say, what = (log.warning, "fell") if change.fell else (log.info, "is back")
    figures = f"mean error {change.now:.4g} of the last {change.labels} labels, {change.before:.4g} at first"
    say("quality: model=%s version=%s %s: %s", model.name, model.version, what, figures)


class Results:
    """Takes matched pairs; `judge` after some of them. `on_change` hears when quality falls or recovers."""

    def __init__(self, registry: Registry, policies: Policies) -> None:
        self.on_change: Callable[[ModelRef, Change], None] = _log
        self.on_labelled: Callable[[ModelRef], None] = lambda _: None
        self._policies = policies
        self._labels = registry.counter(catalog.LABELS)
        self._lag = registry.histogram(catalog.LABEL_LAG)
        self._events = registry.counter(SLO_EVENTS)
        self._ratio = registry.gauge(catalog.QUALITY_RATIO)
        self._value = registry.gauge(catalog.QUALITY_VALUE)
        self._count = registry.gauge(catalog.QUALITY_LABELS)
        self._degraded = registry.gauge(catalog.QUALITY_DEGRADED)
        self._drops = registry.counter(catalog.QUALITY_DROPS)
        self._windows: Recent[ModelRef, LabelledWindow] = Recent(_WINDOWS_LIMIT, self._window)
        self._baselines: Recent[str, dict[str, Baseline]] = Recent(_WINDOWS_LIMIT, lambda _: {})
        self._new: dict[ModelRef, list[tuple[Value, Value]]] = defaultdict(list)
        self._changed: set[ModelRef] = set()
        self._fallen: set[ModelRef] = set()
        registry.before_snapshot(self.show)

    def introduce(self, model: ModelRef) -> None:
        """Show a model's counters at zero, if labels are promised of it."""
        if self._objective(model.name) is not None:
            self._expect(model)

    def matched(
        self, model: ModelRef, prediction: Value, label: Value, time: float | None, now: float
    ) -> None:
        """A prediction, its label that came `now`, and when it was made if that is known."""
        self._expect(model)
        self._labels.add(1, *model_labels(model), "matched")
        if time is not None:
            self._lag.observe(max(now - time, 0.0), *model_labels(model))
        self._new[model].append((prediction, label))

    def count(self, state: str, model: ModelRef, rows: int) -> None:
        """Labels that matched nothing."""
        self._expect(model)
        self._labels.add(rows, *model_labels(model), state)

    def expired(self, model: ModelRef, rows: int) -> None:
        """Predictions that left without a label; nobody expects one of a model that never got any."""
        if (*model_labels(model), "pending_expired") in self._labels.values:
            self._labels.add(rows, *model_labels(model), "pending_expired")

    def judge(self, now: float) -> None:
        """Judge what was matched since the last time."""
        new, self._new = self._new, defaultdict(list)
        for model, pairs in new.items():
            window = self._windows[model]
            good, bad, changes = window.add(pairs, now)
            if self._objective(model.name) is not None:
                self._events.add(good, *model_labels(model), _SLO, "good")
                self._events.add(bad, *model_labels(model), _SLO, "bad")
            self._changed.add(model)
            self._follow(model, window, changes)

    def show(self) -> None:
        """Bring the figures up to date."""
        changed, self._changed = self._changed, set()
        for model in changed:
            window = self._windows[model]
            found, at = window.figures(), model_labels(model)
            for gauge, metrics in ((self._ratio, catalog.RATIOS), (self._value, catalog.VALUES)):
                for metric in metrics:
                    if metric in found:
                        gauge.set(found[metric], *at, metric)
                    else:
                        gauge.discard(*at, metric)
            self._count.set(len(window), *at)

    def expire(self, now: float) -> None:
        """Take away what no label has spoken of for a week."""
        for model, window in self._windows.items():
            if now - window.last > STALE_SECONDS:
                self._windows.discard(model)
                self._changed.discard(model)
                self._fallen.discard(model)
                for gauge in (self._ratio, self._value, self._count, self._degraded):
                    gauge.remove(model_name=model.name, model_version=model.version)

    def tasks(self) -> dict[ModelRef, tuple[Task, int]]:
        """What kind of question each version answers, from how many labels that is known."""
        return {model: (window.task, len(window)) for model, window in self._windows.items()}

    def fallen(self, name: str) -> bool:
        """Whether the quality of some version of a model has fallen."""
        return any(model.name == name for model in self._fallen)

    def state(self) -> dict[str, Any]:
        """What to go on from."""
        windows = [
            [model.name, model.version, window.last, window.state(), window.watching()]
            for model, window in self._windows.items()
        ]
        baselines = [
            [name, task, b.mean, b.variance, b.count]
            for name, each in self._baselines.items()
            for task, b in each.items()
        ]
        return {"windows": windows, "baselines": baselines}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state. Raises ValueError, TypeError or KeyError when it is none."""
        for name, task, mean, variance, count in saved["baselines"]:
            found = Baseline(Task(task), float(mean), float(variance), int(count))
            self._baselines[str(name)][found.task] = found
        for name, version, last, pairs, *watching in saved["windows"]:
            model, window = (
                ModelRef(str(name), str(version)),
                self._windows[ModelRef(str(name), str(version))],
            )
            window.restore(pairs, float(last), *watching)
            self._changed.add(model)
            self._follow(model, window, [])
            if window.falling.fallen:
                self._fallen.add(model)

    def _window(self, model: ModelRef) -> LabelledWindow:
        objective = self._objective(model.name)
        rules = Rules(self._policies.of(model.name).judgement, objective.tolerance if objective else None)
        return LabelledWindow(rules, self._baselines[model.name])

    def _objective(self, name: str) -> Any:
        return next((each for each in self._policies.of(name).objectives if each.slo == _SLO), None)

    def _expect(self, model: ModelRef) -> None:
        known = model.name not in (UNKNOWN, OTHER)
        if known and (*model_labels(model), "matched") not in self._labels.values:
            for state in catalog.LABEL_STATES:
                self._labels.add(0, *model_labels(model), state)
            self.on_labelled(model)

    def _follow(self, model: ModelRef, window: LabelledWindow, changes: list[Change]) -> None:
        baseline, known = window.falling.baseline, self._baselines[model.name]
        if baseline is not None:
            known.setdefault(baseline.task, baseline)
            at = model_labels(model)
            self._degraded.set(float(window.falling.fallen), *at)
            self._drops.add(sum(change.fell for change in changes), *at)
        for change in changes:
            (self._fallen.add if change.fell else self._fallen.discard)(model)
            self.on_change(model, change)


def model_labels(model: ModelRef) -> tuple[str, str]:
    """The first two label values of everything that is about a model."""
    return model.name, model.version
