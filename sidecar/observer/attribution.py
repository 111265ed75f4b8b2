"""Which model an exchange belongs to, as label values.

Not a decoder: decoders report what the traffic says, here it is completed and bounded. The trap is the
error: a 404 for a model that does not exist names a model, and must not create a series for it; a 502
names none, and must still be counted against the model that failed.
"""

from collections.abc import Iterable

from sidecar.exchange import Exchange, Outcome
from sidecar.inference import UNKNOWN, Inference, ModelRef
from sidecar.metric import OTHER
from sidecar.names import Names, clean
from sidecar.policy import Policies
from sidecar.slo import outcome_of

# A server with more models than this on one port wants a sidecar per tenant, or names in the configuration.
MODELS_LIMIT = 50
# Versions live for weeks and a day after their last use; twenty are a busy day of releases.
VERSIONS_LIMIT = 20
# Long enough to cover a quiet night's health of a route, short enough that a swapped model shows.
ANSWERED_WITHIN_SECONDS = 3600.0
# Pairs of model and version remembered per route: what one pod can really serve, times a margin.
ANSWERS_LIMIT = 200


class Attribution:
    """Names the model and version of each exchange; see `attribute`."""

    def __init__(self, policies: Policies) -> None:
        self._configured = policies.model
        reserved = (*policies.models, policies.model.name)
        self._models = Names(MODELS_LIMIT, _said(reserved))
        self._versions: dict[str, Names] = {}
        self._answers: dict[str, dict[ModelRef, float]] = {}

    def attribute(self, exchange: Exchange, inference: Inference) -> None:
        """Replace `inference.model` by label values, never empty.

        The name is, in order: what the traffic says; the configured model; the only model that this
        route answered with in the last hour; "unknown". The version is what the traffic says; the only
        version that this model answered with on this route in the last hour, so that a failure joins the
        series of the successes beside it; the configured version; "unknown". Routes are kept apart: the
        failures of a canary that never answered must not count against the stable version.

        Only an exchange answered successfully may add a name; a name that others bring is `__other__`:
        the traffic did say one, so "unknown" would be wrong.
        """
        now = exchange.timings.last
        trusted = outcome_of(exchange, inference) is Outcome.OK
        said = inference.model
        name = self._name(said.name, exchange.route, now, trusted)
        version = self._version(name, said.version, exchange.route, now, trusted)
        model = said if said == (name, version) else ModelRef(name, version)
        inference.model = model
        if trusted and said.name and name != OTHER:
            self._remember(exchange.route, model if said.version else ModelRef(name), now)

    def sources(self, said: ModelRef, model: ModelRef) -> tuple[str, str]:
        """Where the name and the version of `model` are from, if this is what the traffic said.

        Each is `traffic`, `configuration`, `route` (the only one it answered with in the last hour), or "".
        """
        name = _source(said.name, model.name, self._configured.name)
        if model.name == OTHER:
            return name, name
        return name, _source(said.version, model.version, self._configured_version(model.name))

    def model_of(self, name: str, route: str, now: float) -> str:
        """The `model_name` of an exchange still open, from the name its request says ("" if none)."""
        return self._name(name, route, now, trusted=False)

    def known(self, name: str, version: str) -> ModelRef | None:
        """The label values of a model that answered here within a day or is configured; None of any other.

        Without a version it is the only one that is known; one that is not known, and which it is of
        several, is `__other__`, and "unknown" where none is.
        """
        name = clean(name)
        if name not in self._models:
            return None
        versions = set(self._versions_of(name))
        if version:
            return ModelRef(name, clean(version) if clean(version) in versions else OTHER)
        return ModelRef(name, _only(versions) or (OTHER if versions else UNKNOWN))

    def expire(self, now: float) -> list[dict[str, str]]:
        """Forget what was unused for a day; returns the labels for `Registry.forget`, one dict each."""
        gone = [{"model_name": name} for name in self._models.expire(now)]
        for labels in gone:
            self._versions.pop(labels["model_name"], None)
        for name, versions in self._versions.items():
            gone += [{"model_name": name, "model_version": version} for version in versions.expire(now)]
        for answers in self._answers.values():
            for model in [m for m, at in answers.items() if now - at > ANSWERED_WITHIN_SECONDS]:
                del answers[model]
        return gone

    def _name(self, said: str, route: str, now: float, trusted: bool) -> str:
        if said:
            return self._models.admit(said, now, trusted=trusted)
        if self._configured.name:
            return clean(self._configured.name)
        return _only(model.name for model in self._answered(route, now)) or UNKNOWN

    def _version(self, name: str, said: str, route: str, now: float, trusted: bool) -> str:
        if name == OTHER:
            return OTHER
        if said:
            return self._versions_of(name).admit(said, now, trusted=trusted)
        seen = _only(m.version for m in self._answered(route, now) if m.name == name)
        return seen or self._configured_version(name) or UNKNOWN

    def _versions_of(self, name: str) -> Names:
        versions = self._versions.get(name)
        if versions is None:
            versions = Names(VERSIONS_LIMIT, _said([self._configured_version(name)]))
            self._versions[name] = versions
        return versions

    def _configured_version(self, name: str) -> str:
        """The configured version, if it is about this model: one without a name is about any."""
        about = not self._configured.name or name == clean(self._configured.name)
        return clean(self._configured.version) if about else ""

    def _answered(self, route: str, now: float) -> list[ModelRef]:
        answers = self._answers.get(route, {})
        return [model for model, at in answers.items() if now - at <= ANSWERED_WITHIN_SECONDS]

    def _remember(self, route: str, model: ModelRef, now: float) -> None:
        answers = self._answers.setdefault(route, {})
        if model in answers or len(answers) < ANSWERS_LIMIT:
            answers[model] = now


def _said(names: Iterable[str]) -> list[str]:
    """The names that are names: not empty, and not the `*` of a configuration."""
    return [name for name in names if name not in ("", "*")]


def _source(said: str, used: str, configured: str) -> str:
    if said:
        return "traffic"
    if used == UNKNOWN:
        return ""
    return "configuration" if configured and used == clean(configured) else "route"


def _only(values: Iterable[str]) -> str:
    """The one value there is, empty ones left out; "" when there is none or more than one."""
    distinct = {value for value in values if value}
    return distinct.pop() if len(distinct) == 1 else ""
