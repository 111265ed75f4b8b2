"""What one scrape of `/metrics` said, and what changed between two. No I/O.

Deliberately only Prometheus text: the demo sees what any Prometheus would see and nothing more.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

# The families the demo looks at; the other thousands of series are not worth parsing twice a second.
FAMILIES = (
    "inference_requests_total",
    "inference_request_duration_seconds_bucket",
    "inference_rows_total",
    "inference_feature_values_total",
    "inference_predictions_total",
    "inference_predictions_invalid_total",
    "inference_generation_ends_total",
    "inference_stream_stalls_total",
    "inference_empty_answers_total",
    "inference_tokens_total",
    "inference_drift_active",
    "inference_drift_score",
    "inference_slo_events_total",
    "inference_slo_objective_ratio",
    "sidecar_other_exchanges_total",
    "sidecar_observer_restarts_total",
    "sidecar_tee_dropped_bytes_total",
    "sidecar_chunks_dropped_total",
    "sidecar_exchanges_unobserved_total",
    "sidecar_exchanges_undecoded_total",
)

Labels = Mapping[str, str]


@dataclass(slots=True)
class Samples:
    """The samples of one scrape. `time` is monotonic."""

    time: float
    families: dict[str, list[tuple[Labels, float]]] = field(default_factory=dict)

    def matching(self, name: str, **labels: str) -> Iterator[tuple[Labels, float]]:
        """Each sample of a family that carries these label values."""
        for have, value in self.families.get(name, ()):
            if all(have.get(key) == wanted for key, wanted in labels.items()):
                yield have, value

    def total(self, name: str, **labels: str) -> float:
        """The sum of matching samples; 0 when there is none."""
        return math.fsum(value for _, value in self.matching(name, **labels))

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Sums of matching samples for each value of `label`."""
        totals: dict[str, float] = {}
        for have, value in self.matching(name, **labels):
            key = have.get(label, "")
            totals[key] = totals.get(key, 0.0) + value
        return totals


def parse(text: str, time: float) -> Samples:
    """The samples of FAMILIES in an exposition. Raises ValueError on text that is none."""
    wanted = tuple(name + end for name in FAMILIES for end in ("{", " "))
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    samples = Samples(time)
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            samples.families.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


@dataclass(frozen=True, slots=True)
class Window:
    """Two scrapes, and what happened in between."""

    before: Samples
    now: Samples

    @property
    def seconds(self) -> float:
        """How long it is; 0 when there was only one scrape."""
        return self.now.time - self.before.time

    def increase(self, name: str, **labels: str) -> float:
        """By how much a counter grew; what it is now when it started again in between."""
        now, before = self.now.total(name, **labels), self.before.total(name, **labels)
        return now - before if now >= before else now

    def rate(self, name: str, **labels: str) -> float:
        """Increase a second."""
        return self.increase(name, **labels) / self.seconds if self.seconds else 0.0

    def ratio(self, name: str, part: Labels, whole: Labels | None = None) -> float:
        """The share of `part` in the increase of `whole`; 0 when nothing happened."""
        total = self.increase(name, **(whole or {}))
        return self.increase(name, **part) / total if total else 0.0

    def burn(self, slo: str) -> float:
        """How many times faster than allowed the error budget of an objective is used up."""
        objective = max(
            (v for _, v in self.now.matching("inference_slo_objective_ratio", slo=slo)), default=1.0
        )
        if objective >= 1.0:
            return 0.0
        bad = self.ratio("inference_slo_events_total", {"slo": slo, "result": "bad"}, {"slo": slo})
        return bad / (1.0 - objective)

    def events(self, slo: str) -> float:
        """How many events of an objective there were."""
        return self.increase("inference_slo_events_total", slo=slo)

    def quantile(self, q: float, name: str) -> float | None:
        """A quantile of a histogram, as `histogram_quantile` gives it; None when nothing was observed."""
        now, before = self.now.by("le", name), self.before.by("le", name)
        buckets = sorted((float(le), max(value - before.get(le, 0.0), 0.0)) for le, value in now.items())
        if not buckets or not buckets[-1][1]:
            return None
        rank = q * buckets[-1][1]
        lower, below = 0.0, 0.0
        for bound, count in buckets:
            if count >= rank:
                inside = (rank - below) / (count - below) if count > below else 1.0
                return lower if math.isinf(bound) else lower + (bound - lower) * inside
            lower, below = bound, count
        return lower


class Recent:
    """The scrapes of the last seconds, oldest first."""

    def __init__(self, keep_seconds: float = 30.0) -> None:
        self._keep_seconds = keep_seconds
        self._scrapes: deque[Samples] = deque()

    def add(self, samples: Samples) -> None:
        """Remember a scrape, and forget those that are too old."""
        self._scrapes.append(samples)
        while samples.time - self._scrapes[0].time > self._keep_seconds:
            self._scrapes.popleft()

    def last(self, seconds: float) -> Window:
        """The window of about `seconds` that ends with the newest scrape; shorter when there are too few.

        Raises IndexError before the first scrape.
        """
        now = self._scrapes[-1]
        young = (s for s in self._scrapes if now.time - s.time <= seconds)
        return Window(next(young, now), now)
