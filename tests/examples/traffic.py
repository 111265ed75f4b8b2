"""Two versions of a model server under traffic, as their sidecars would have exported it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from tests.examples.prometheus import Series, scrapes

# Upper bounds of the duration histogram, in seconds, and the shares of requests up to each.
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "+Inf")
USUAL = (0.05, 0.30, 0.70, 0.90, 0.97, 0.995, 0.999, 1.0, 1.0)
SLOW = (0.0, 0.02, 0.10, 0.35, 0.70, 0.95, 0.99, 1.0, 1.0)
BINS = 20
EVEN = tuple(1 / BINS for _ in range(BINS))
SHIFTED = tuple(0.5 / 5 if n >= BINS - 5 else 0.5 / (BINS - 5) for n in range(BINS))


@dataclass(frozen=True)
class Side:
    """One version: requests a second, and what becomes of them. `bins` are shares of the output's bins."""

    rate: float = 10.0
    errors: float = 0.005
    incomplete: float = 0.005
    latency: tuple[float, ...] = USUAL
    bins: tuple[float, ...] = EVEN
    profile: str = "a1"
    name: str = "score"


@dataclass(frozen=True)
class Scenario:
    """A canary beside a stable version that gets nine times the traffic."""

    canary: Side = field(default_factory=Side)
    stable: Side = field(default_factory=lambda: replace(Side(), rate=90.0))


def series(scenario: Scenario, canary: dict[str, str], stable: dict[str, str], seed: int) -> list[Series]:
    """Everything both export, with the labels that tell them apart."""
    random = np.random.default_rng(seed)
    return [
        one
        for labels, side in ((canary, scenario.canary), (stable, scenario.stable))
        for one in _side(side, labels, random)
    ]


def _side(side: Side, labels: dict[str, str], random: np.random.Generator) -> Iterator[Series]:
    model = {**labels, "model_name": "churn", "model_version": "3"}
    count = len(scrapes())
    requests = random.poisson(side.rate * 15, size=count)
    for slo, share in (("availability", side.errors), ("feature_availability", side.incomplete)):
        bad = random.binomial(requests, share)
        for result, values in (("bad", bad), ("good", requests - bad)):
            yield _counter("inference_slo_events_total", {**model, "slo": slo, "result": result}, values)
    shares = np.diff(np.array((0.0, *side.latency)))
    durations = np.array([random.multinomial(n, shares) for n in requests]).cumsum(axis=1)
    timed = {**model, "protocol": "kserve_v1", "outcome": "ok"}
    for place, bound in enumerate(BOUNDS):
        yield _counter(
            "inference_request_duration_seconds_bucket", {**timed, "le": bound}, durations[:, place]
        )
    yield _counter("inference_request_duration_seconds_count", timed, requests)
    rows = np.array([random.multinomial(n, side.bins) for n in requests])
    for place in range(len(side.bins)):
        # What no row ever fell into has no series, as a class that was never predicted.
        if side.bins[place]:
            where = {"kind": "output", "name": side.name, "bin": f"{place:02}", "profile": side.profile}
            yield _counter("inference_distribution_rows_total", {**model, **where}, rows[:, place])
    flying = {key: value for key, value in model.items() if key != "model_version"}
    yield Series("inference_requests_in_flight", flying, [float(n) for n in random.poisson(6, size=count)])


def _counter(metric: str, labels: dict[str, str], steps: np.ndarray) -> Series:
    return Series(metric, labels, [float(value) for value in np.cumsum(steps)])
