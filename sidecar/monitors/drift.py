"""Drift: do the features and outputs of a model still look like its reference?

Folds rows into micro-batches and has a `Judge` for each model name look at them; exports how far recent
rows are from the reference, what was detected, and which verdicts stand. All versions of a model are judged
together, since they share the reference and the traffic; `model_version` is the one that answers, empty while
several do (docs/adr/0003).
What it is not: data quality. Nulls and wrong types are counted elsewhere; here their *change* is judged.

The trap: rows come in any number at a time and are only judged when a micro-batch is full, so a
detection belongs to a batch, never to the request that completed it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sidecar import catalog
from sidecar.batch import Batch
from sidecar.binning import Indices
from sidecar.monitors import drift_state
from sidecar.monitors.drift_joint import KIND as JOINT
from sidecar.monitors.drift_joint import NAME as CORRELATION
from sidecar.monitors.drift_joint import Joint
from sidecar.monitors.drift_judge import Allowed, Judge, Settings
from sidecar.monitors.drift_layout import Counts
from sidecar.monitors.drift_pace import arrivals, cuts
from sidecar.monitors.drift_scores import distances
from sidecar.monitors.drift_segments import SegmentDrift
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.monitors.drift_waiting import Waiting
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.policy import Policies
from sidecar.reference import Reference, References
from sidecar.registry import Registry

# A 30-feature model costs 0.4 MB and 0.3 of river's; of more models than this in a pod the first are judged.
MAX_MODELS = 20
# More than one version within this time is a rollout, and no verdict is about one of them alone.
ROLLOUT_SECONDS = 3600.0
_SEVERAL = ""
# Of a version that changes with every answer, a few are enough to know that there are several.
_MAX_VERSIONS = 4
_DEFAULT = Settings()


def _ignore(_: Verdict) -> None:
    pass


def _uncounted(_: str, __: Judge, ___: Counts, ____: int) -> None:
    pass


class Drift:
    """The drift monitor. `on_verdict` hears every verdict as it is raised, events included.

    `on_counts(model, judge, counts, rows)` hears the rows in each bin of the judge's layout, shape (bins,),
    of every batch as it is folded: for whoever compares longer stretches than micro-batches.
    """

    def __init__(
        self,
        registry: Registry,
        references: References,
        policies: Policies,
        settings: Settings = _DEFAULT,
        on_verdict: Callable[[Verdict], None] = _ignore,
    ) -> None:
        self._references = references
        self._policies = policies
        self._settings = settings
        self.on_verdict = on_verdict
        self.on_counts: Callable[[str, Judge, Counts, int], None] = _uncounted
        self.quality_fell: Callable[[str], bool] = lambda _: False
        self._score = registry.gauge(catalog.DRIFT_SCORE)
        self._active = registry.gauge(catalog.DRIFT_ACTIVE)
        self._since = registry.gauge(catalog.DRIFT_ACTIVE_SINCE)
        self._detections = registry.counter(catalog.DRIFT_DETECTIONS)
        self._models: dict[str, _Model] = {}
        self._segments = SegmentDrift(registry, settings, lambda verdict: self.on_verdict(verdict))
        registry.before_snapshot(self._export)
        for name in (*policies.models, policies.model.name):
            if name:
                self._model(name, 0.0)

    def fold(self, batch: Batch) -> None:
        """Count these rows; judge every micro-batch they complete.

        Rows of requests that the model refused are left out: what a confused client sends is no drift.
        """
        model = self._model(batch.model, batch.last)
        if model is None or batch.rows <= 0 or not batch.trusted:
            return
        if model.answered(batch.version, batch.last):
            self._relabel(batch.model, model)
        allowed, first, bins = self._allowed(batch.model), model.rows, dict[int, Indices]()
        counts = model.fold(batch, self._settings, allowed, bins)
        self.on_counts(batch.model, model.judge, counts, batch.rows)
        if batch.segments:
            self._segments.fold(batch, model.judge, first, bins, counts, allowed)

    def tick(self, now: float) -> None:
        """Judge what has waited long enough, and forget models unused for a day."""
        for name, model in list(self._models.items()):
            if model.ages(now):
                self._relabel(name, model)
            allowed = self._allowed(name)
            model.flush_if_due(now, self._settings, allowed)
            self._segments.tick(name, model.judge, now, allowed)
            if model.used and now - model.used > UNUSED_AFTER_SECONDS:
                del self._models[name]
                self._forget(name)

    def verdicts(self) -> list[Verdict]:
        """Every verdict remembered, model by model: first those that are over, then those that stand."""
        return [
            verdict
            for name, model in self._models.items()
            for said in (model.judge.verdicts(), model.joint.verdicts(), self._segments.verdicts(name))
            for verdict in said
        ]

    def settling(self) -> dict[str, tuple[int, int]]:
        """Per model: micro-batches seen of those burn-in needs, before which there are no tickets."""
        evidence = {name: model.judge.evidence for name, model in self._models.items()}
        return {name: (min(e.batches, e.burn_in), e.burn_in) for name, e in evidence.items()}

    def state(self) -> dict[str, dict[str, Any]]:
        """What to save of each model; `drift_state.encoded` makes it JSON. Rows that wait are left out."""
        return {
            name: {
                **drift_state.save(model.judge, model.joint),
                "label": model.version,
                "segments": self._segments.state(name),
            }
            for name, model in self._models.items()
        }

    def restore(self, document: Mapping[str, Any], moved: Callable[[float], float], now: float) -> list[str]:
        """Go on from saved states, where the reference is still the same; returns the models that do.

        `moved` gives the monotonic time of now's clock for one of the document's. Never raises.
        """
        went_on = []
        for name, saved in list(document.items())[:MAX_MODELS]:
            reference = self._references.of(name)
            if reference is None:
                continue
            model = self._new(name, reference, now)
            try:
                drift_state.restore(model.judge, saved, moved)
            except ValueError:
                continue
            drift_state.restore_joint(model.joint, saved, moved)
            self._forget(name)
            self._segments.restore(name, model.judge, saved.get("segments"), moved, now)
            self._models[name] = model
            # Counters go on under the label they had.
            if label := str(saved.get("label", _SEVERAL)):
                model.answered(label, now)
            self._touch(name, model)
            went_on.append(name)
        return went_on

    def _model(self, name: str, now: float) -> "_Model | None":
        model = self._models.get(name)
        reference = self._references.of(name)
        if model is not None and (reference is None or reference is model.judge.reference):
            model.used = now
            return model
        if reference is None or (model is None and len(self._models) >= MAX_MODELS):
            return None
        self._forget(name)
        self._models[name] = model = self._new(name, reference, now)
        self._touch(name, model)
        return model

    def _allowed(self, name: str) -> Allowed:
        policy = self._policies.of(name)
        seconds = policy.drift_seconds_per_page * policy.drift_replicas
        return Allowed(policy.drift_page, seconds, self.quality_fell(name), self._segments.parts(name))

    def _new(self, name: str, reference: Reference, now: float) -> "_Model":
        def tell(verdict: Verdict) -> None:
            if verdict.level is Level.EVENT:
                self._detections.add(1, name, self._models[name].version, verdict.kind, verdict.name)
            self.on_verdict(verdict)

        judge = Judge(name, reference, self._settings, tell)
        return _Model(judge, Joint(name, judge, self._settings, tell), now)

    def _touch(self, name: str, model: "_Model") -> None:
        for column in model.judge.layout.columns:
            self._detections.add(0, name, model.version, column.kind, column.name)
        self._detections.add(0, name, model.version, JOINT, CORRELATION)
        self._export_model(name, model)

    def _relabel(self, name: str, model: "_Model") -> None:
        self._unlabel(name)
        self._touch(name, model)

    def _forget(self, name: str) -> None:
        self._unlabel(name)
        self._segments.forget(name)

    def _unlabel(self, name: str) -> None:
        for family in (self._score, self._active, self._since, self._detections):
            family.remove(model_name=name)

    def _export(self) -> None:
        for name, model in self._models.items():
            self._export_model(name, model)

    def _export_since(self, name: str, model: "_Model", wall: Callable[[float], float | None]) -> None:
        """When what stands began; said once, since the clocks drift apart by a little all the time."""
        standing = [v for v in (*model.judge.standing.values(), model.joint.standing) if v is not None]
        began: dict[tuple[str, ...], float] = {}
        for verdict in sorted(standing, key=lambda v: v.since_time):
            began.setdefault((name, model.version, verdict.kind, verdict.name), verdict.since_time)
        for labels in [labels for labels in self._since.values if labels[0] == name and labels not in began]:
            self._since.discard(*labels)
        for labels, moment in began.items():
            if labels not in self._since.values and (since := wall(moment)) is not None:
                self._since.set(round(since), *labels)

    def _export_model(self, name: str, model: "_Model") -> None:
        if self._settings.wall is not None:
            self._export_since(name, model, self._settings.wall)
        self._segments.export(name, model.version)
        judge, joint = model.judge, model.joint.standing
        for each in (Level.TICKET, Level.PAGE):
            stands = joint is not None and joint.level is each
            self._active.set(float(stands), name, model.version, JOINT, CORRELATION, each.value)
        far = distances(judge.layout, judge.evidence.window)
        for at, column in enumerate(judge.layout.columns):
            labels = name, model.version, column.kind, column.name
            level = judge.level_of(at) if judge.standing else None
            for each in (Level.TICKET, Level.PAGE):
                self._active.set(float(level is each), *labels, each.value)
            self._score.set(float(far.psi[at]), *labels, "psi")
            self._score.set(float(far.js[at]), *labels, "js")
            self._score.set(float(far.tv[at]), *labels, "tv")


class _Model:
    """One model's judge and the rows that wait for their micro-batch to be full."""

    def __init__(self, judge: Judge, joint: Joint, now: float) -> None:
        self.judge = judge
        self.joint = joint
        self.used = now
        self.version = _SEVERAL
        self._versions: dict[str, float] = {}  # when each answered last
        self._waiting = Waiting(judge.layout.size)

    def answered(self, version: str, time: float) -> bool:
        """Note which version answered; True when that changes the label."""
        if version in self._versions or len(self._versions) < _MAX_VERSIONS:
            self._versions[version] = time
        return self.ages(time)

    def ages(self, now: float) -> bool:
        """Forget versions that a rollout left behind; True when that changes the label."""
        latest = max(self._versions.values(), default=now)
        self._versions = {
            v: at for v, at in self._versions.items() if at >= min(now, latest) - ROLLOUT_SECONDS
        }
        before, self.version = (
            self.version,
            _SEVERAL if len(self._versions) != 1 else next(iter(self._versions)),
        )
        return self.version != before

    @property
    def rows(self) -> int:
        """How many rows of the model there were, those that wait included."""
        return self.judge.rows + self._waiting.rows

    def fold(self, batch: Batch, settings: Settings, allowed: Allowed, bins: dict[int, Indices]) -> Counts:
        """Judge the micro-batches that these rows complete; returns the rows in each bin.

        `bins` is given the bin of each row, by column.
        """
        parts = list(cuts(settings.pace, batch, self._waiting.rows, self._waiting.first))
        counted = self.judge.layout.count(batch, [part.rows for part in parts], bins)
        began, at = batch.first, 0
        for part, counts in zip(parts, counted, strict=True):
            number, span = arrivals(settings.pace, batch, part.rows), (self.rows, self.rows + part.rows)
            self._waiting.add(counts, part.rows, number, (began, part.time), span)
            self.joint.add(bins, at, part.rows, batch.rows)
            began, at = part.time, at + part.rows
            if part.full:
                self._flush(allowed)
        return np.asarray(counted.sum(axis=0))

    def flush_if_due(self, now: float, settings: Settings, allowed: Allowed) -> None:
        if self._waiting.rows and settings.pace.full(self._waiting.rows, now - self._waiting.first):
            self._flush(allowed)

    def _flush(self, allowed: Allowed) -> None:
        counts, batch = self._waiting.take()
        self.judge.take(counts, batch, allowed)
        self.joint.take(batch)
