"""Everything between an exchange and the registry, put together from settings.

One place says which monitors there are and in which order they look. Used by the live observer and by
whatever replays recorded traffic; no sockets, no clock but the one that is given.
"""

from collections.abc import Callable

from sidecar import catalog, clock
from sidecar.batch import RowMonitor
from sidecar.config import Settings
from sidecar.decoders import Decoders
from sidecar.monitors.distribution import Distribution
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings as DriftSettings
from sidecar.monitors.features import Features
from sidecar.monitors.freshness import Freshness
from sidecar.monitors.generation import Generations
from sidecar.monitors.in_flight import InFlight
from sidecar.monitors.labels.joining import Labels
from sidecar.monitors.labels.memory import Memory
from sidecar.monitors.objectives import Objectives
from sidecar.monitors.out_of_distribution import OutOfDistribution
from sidecar.monitors.predictions import Predictions
from sidecar.monitors.quality import DataQuality
from sidecar.monitors.quality_problems import Problems
from sidecar.monitors.rows import Rows
from sidecar.monitors.scores import Scores
from sidecar.monitors.segments import Segments
from sidecar.monitors.traffic import Traffic
from sidecar.monitors.undecoded import UndecodedExchanges
from sidecar.monitors.versions import Versions
from sidecar.observer.attribution import Attribution
from sidecar.observer.naming import Naming
from sidecar.observer.observer import Observer
from sidecar.policy import Policies
from sidecar.profiles import store
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import Reference
from sidecar.registry import Registry
from sidecar.wire.head import keep_too


class Pipeline:
    """An observer with all its monitors, and the parts that a status page asks about."""

    def __init__(self, settings: Settings, now: Callable[[], float] = clock.monotonic) -> None:
        policies = settings.policies()
        self.registry = Registry()
        # Rows that wait are folded before anything else looks, or a snapshot would lag behind itself.
        self.registry.before_snapshot(lambda: self.rows.flush())
        given, default = load_references(settings)
        self.references = LearntReferences(given=given, default=default)
        # Recorded exchanges bring the time of the day with them.
        wall = clock.wall_of if now is clock.monotonic else float
        judging = DriftSettings(wall=wall, remember=bool(settings.state.dir))
        self.drift = Drift(self.registry, self.references, policies, judging)
        self.problems = Problems(self.registry)
        self.quality = DataQuality(self.registry, self.references, self.problems)
        attribution = Attribution(policies)
        self.observer = Observer(self.registry, attribution, Decoders(settings.payload_rules()))
        if given or default:
            self.observer.naming = Naming(given, default, policies)
        self.objectives = Objectives(self.registry, policies)
        segments = Segments(self.registry, policies)
        keep_too(policies.headers())
        judges = self._row_monitors(policies, segments, wall)
        self.rows = Rows(judges, policies, self.references, segments)
        generations = Generations(self.registry)
        self.labels = self._label_monitor(settings, wall, attribution)
        self.versions = Versions(self.registry, policies)
        in_flight = InFlight(self.registry, lambda: self.observer.open_models(now))
        self.registry.before_snapshot(in_flight.refresh)
        self.observer.expiring = (attribution, self.rows, generations, segments)
        self.observer.monitors = (
            Traffic(self.registry),
            self.versions,
            UndecodedExchanges(self.registry),
            generations,
            self.objectives,
            in_flight,
            segments,
            self.rows,
            self.labels,
        )

    def _row_monitors(
        self, policies: Policies, segments: Segments, wall: Callable[[float], float]
    ) -> tuple[RowMonitor, ...]:
        """What judges rows by the reference comes before what learns it: a row is never its own reference."""
        return (
            Features(self.registry),
            Predictions(self.registry, self.references),
            Scores(self.registry),
            self.objectives,
            Distribution(self.registry, policies, self.references),
            self.quality,
            Freshness(self.registry, policies, self.problems, wall),
            OutOfDistribution(self.registry, self.references),
            segments,
            self.drift,
            self.references,
        )

    def _label_monitor(
        self, settings: Settings, wall: Callable[[float], float], attribution: Attribution
    ) -> Labels:
        """Who joins labels; drift and objectives hear what comes of it."""
        kept = settings.labels
        memory = Memory(kept.memory, kept.keep)
        labels = Labels(
            self.registry,
            settings.policies(),
            wall,
            attribution.known,
            memory,
            wait=kept.wait,
            remember=kept.remember,
        )
        self.drift.quality_fell = labels.results.fallen
        # A model may get labels before anybody asks it, when they bring their predictions.
        labels.results.on_labelled = lambda model: self.objectives.introduce((model.name, model.version))
        return labels

    def introduce_restored(self) -> None:
        """Counters were taken back: show what else belongs to their models, which no gauge remembers."""
        requests = self.registry.counter(catalog.REQUESTS)
        info = self.registry.gauge(catalog.MODEL_INFO)
        for name, version, protocol, *_ in list(requests.values):
            info.set(1, name, version, protocol)
            self.objectives.introduce((name, version))
            self.versions.introduce((name, version))


def load_references(settings: Settings) -> tuple[dict[str, Reference], Reference | None]:
    """The references that the configuration names: by model, and that of every other model.

    Raises ConfigError with every problem of the first file that cannot be used.
    """
    policies = settings.policies()
    paths = {name: policy.reference for name, policy in policies.models.items() if policy.reference}
    default = policies.default.reference
    loaded = {path: store.load(path) for path in {*paths.values(), *([default] if default else [])}}
    return {name: loaded[path] for name, path in paths.items()}, loaded.get(default or "")
