"""Good and bad events of each objective: what every burn-rate rule is built on.

Availability, latency and the time to the first token are judged exchange by exchange, feature
availability row by row, prediction validity prediction by prediction. What says nothing about an
objective is in neither count.
"""

import numpy as np

from sidecar import catalog
from sidecar.batch import UNAVAILABLE, Batch
from sidecar.exchange import Exchange
from sidecar.inference import Inference
from sidecar.policy import ModelPolicy, Policies
from sidecar.registry import Registry
from sidecar.slo import (
    PATIENCE_SECONDS,
    Objective,
    availability,
    latency,
    outcome_of,
    time_to_first_token,
)

_UNUSABLE = [int(state) for state in UNAVAILABLE]


class Objectives:
    """A Monitor for exchanges and a RowMonitor for rows: give the same instance to both."""

    def __init__(self, registry: Registry, policies: Policies) -> None:
        self._events = registry.counter(catalog.SLO_EVENTS)
        self._objective = registry.gauge(catalog.SLO_OBJECTIVE)
        self._threshold = registry.gauge(catalog.SLO_THRESHOLD)
        self._default = _by_name(policies.default)
        self._of_models = {name: _by_name(policy) for name, policy in policies.models.items()}

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Judge the exchange by the objectives that are about exchanges."""
        model = inference.model
        outcome = outcome_of(exchange, inference)
        objectives = self._objectives(model)
        threshold = _threshold(objectives, "latency")
        if "availability" in objectives:
            # Whoever waits past the latency threshold for a first byte met a hung model.
            patience = PATIENCE_SECONDS if threshold is None else threshold
            self._judge(model, "availability", availability(exchange, outcome, patience))
        if threshold is not None:
            self._judge(model, "latency", latency(exchange, outcome, threshold))
        first = _threshold(objectives, "time_to_first_token")
        if first is not None:
            self._judge(
                model, "time_to_first_token", time_to_first_token(exchange, inference, outcome, first)
            )

    def fold(self, batch: Batch) -> None:
        """Judge rows and predictions. Rows without any feature say nothing about features."""
        model = (batch.model, batch.version)
        objectives = self._objectives(model)
        if "feature_availability" in objectives and batch.features:
            self._count(model, "feature_availability", batch.complete, batch.rows - batch.complete)
        if "prediction_validity" in objectives:
            self._count(model, "prediction_validity", *_valid_predictions(batch))

    def tick(self, now: float) -> None:
        """Nothing to do."""

    def introduce(self, model: tuple[str, str]) -> None:
        """Show the objectives of a model and version whose events were counted before a restart."""
        self._objectives(model)

    def _objectives(self, model: tuple[str, str]) -> dict[str, Objective]:
        objectives = self._of_models.get(model[0], self._default)
        if objectives and (*model, next(reversed(objectives))) not in self._objective.values:
            for slo, objective in objectives.items():
                if (*model, slo) not in self._objective.values:
                    self._introduce(model, objective)
        return objectives

    def _introduce(self, model: tuple[str, str], objective: Objective) -> None:
        self._objective.set(float(objective.ratio), *model, objective.slo)
        if objective.threshold is not None:
            self._threshold.set(objective.threshold, *model, objective.slo)
        self._count(model, objective.slo, 0, 0)

    def _judge(self, model: tuple[str, str], slo: str, good: bool | None) -> None:
        if good is not None:
            self._events.add_to((*model, slo, "good" if good else "bad"))

    def _count(self, model: tuple[str, str], slo: str, good: int, bad: int) -> None:
        self._events.add(good, *model, slo, "good")
        self._events.add(bad, *model, slo, "bad")


def _by_name(policy: ModelPolicy) -> dict[str, Objective]:
    return {objective.slo: objective for objective in policy.objectives}


def _threshold(objectives: dict[str, Objective], slo: str) -> float | None:
    objective = objectives.get(slo)
    return None if objective is None else objective.threshold


def _valid_predictions(batch: Batch) -> tuple[int, int]:
    """How many predictions of the batch were usable, and how many were not."""
    good, bad = 0, sum(batch.misshapen.values())
    counts = [np.bincount(column.states, minlength=8) for column in batch.outputs.values()]
    for states in (*counts, batch.other_outputs):
        unusable = int(states[_UNUSABLE].sum())
        good, bad = good + int(states.sum()) - unusable, bad + unusable
    return good, bad
