"""Which versions of a model answer, since when, whether they may, and whom the model belongs to.

Only a successful answer shows a version: a request for one that does not exist names it too. The trap is
the canary: two versions that answer in turn are no change each time, so a version that was there before
counts as a change again only when others have taken its place for a while.
"""

from dataclasses import dataclass

from sidecar import catalog, clock
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import Inference
from sidecar.monitors.recent import Recent
from sidecar.policy import Policies
from sidecar.registry import Registry
from sidecar.slo import outcome_of

# A rollback: gone for ten minutes while others gave five hundred answers. A canary with one request in a
# hundred stays away for as many with a chance of less than 1 %.
AWAY_SECONDS = 600.0
AWAY_ANSWERS = 500
MODELS_LIMIT = 128
_OK = Outcome.OK


@dataclass(slots=True)
class _LastAnswer:
    """When a version answered last, and how many answers its model had given by then."""

    at: float
    answers: int


class _Model:
    """The versions of one model."""

    def __init__(self) -> None:
        self.answers = 0
        self.last: dict[str, _LastAnswer] = {}

    def returns(self, version: str, now: float) -> bool:
        """This version answers, which it did before: had others taken its place meanwhile?"""
        self.answers += 1
        last = self.last.get(version)
        if last is None:
            self.last[version] = _LastAnswer(now, self.answers)
            return False
        away = now - last.at >= AWAY_SECONDS and self.answers - last.answers > AWAY_ANSWERS
        last.at, last.answers = now, self.answers
        return away


class Versions:
    """A Monitor: first seen, changes, approval, owner."""

    def __init__(self, registry: Registry, policies: Policies) -> None:
        self._first_seen = registry.gauge(catalog.VERSION_FIRST_SEEN)
        self._changes = registry.counter(catalog.VERSION_CHANGES)
        self._approved = registry.gauge(catalog.VERSION_APPROVED)
        self._owner = registry.gauge(catalog.OWNER_INFO)
        self._policies = policies
        self._models: Recent[str, _Model] = Recent(MODELS_LIMIT, lambda name: _Model())

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Note which version answered. An exchange that failed shows only whose model it is."""
        model, seen = inference.model, self._first_seen.values
        if model not in seen:
            self.introduce(model)
        if outcome_of(exchange, inference) is not _OK:
            return
        now, versions = exchange.timings.last, self._models[model.name]
        returned = versions.returns(model.version, now)
        if model not in seen:
            # The first version that a sidecar sees is no change: every new pod would count one.
            self._changes.add(float(self._knows_another(model.name)), *model)
            self._first_seen.set(clock.wall_of(now), *model)
            self._forget_others_gone(model.name, versions)
            self._judge(*model)
        elif returned:
            self._changes.add(1, *model)

    def tick(self, now: float) -> None:
        """Nothing to do."""

    def introduce(self, model: tuple[str, str]) -> None:
        """Show whom a model belongs to; also of one whose counters were taken back after a restart."""
        policy = self._policies.of(model[0])
        labels = (*model, policy.owner, policy.runbook)
        if (policy.owner or policy.runbook) and labels not in self._owner.values:
            self._owner.set(1, *labels)
        if model in self._first_seen.values:
            self._judge(*model)

    def _judge(self, name: str, version: str) -> None:
        approved = self._policies.of(name).approved_versions
        if approved is not None and (name, version) not in self._approved.values:
            self._approved.set(float(version in approved), name, version)

    def _knows_another(self, name: str) -> bool:
        return any(model == name for model, _ in self._first_seen.values)

    def _forget_others_gone(self, name: str, model: _Model) -> None:
        """Versions that left the registry leave here too: what is kept stays as bounded as their labels."""
        for version in [v for v in model.last if (name, v) not in self._first_seen.values]:
            del model.last[version]
