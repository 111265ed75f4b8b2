"""What every monitor promises, whatever it is given: add yours to `everything`."""

import gc
import math
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.exchange import CapturedBody, Exchange, Outcome, Timings
from sidecar.inference import MISSING, Column, End, Generation, Inference, ModelRef, Operation, Undecoded
from sidecar.metric import OTHER
from sidecar.monitors.distribution import Distribution
from sidecar.monitors.drift import Drift
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
from sidecar.monitors.traffic import Traffic
from sidecar.monitors.undecoded import UndecodedExchanges
from sidecar.monitors.versions import Versions
from sidecar.observer.attribution import Attribution
from sidecar.policy import ModelPolicy, Policies
from sidecar.reference import ColumnProfile, ColumnType, Expectation
from sidecar.registry import Distribution as Histogram
from sidecar.registry import Registry
from sidecar.slo import Objective
from tests.fakes import OneReference, exchange, inference, reference

POLICIES = Policies(
    ModelPolicy(
        objectives=(
            Objective("availability", Decimal("99.9")),
            Objective("latency", Decimal(95), 0.2),
            Objective("time_to_first_token", Decimal(95), 0.2),
            Objective("feature_availability", Decimal("99.9")),
            Objective("prediction_validity", Decimal(99)),
        ),
        expectations={
            "a": Expectation(min=0, max=1, required=True),
            "b": Expectation(values=("x", "y")),
            "t": Expectation(ColumnType.TIMESTAMP, max_age=60.0),
        },
        owner="team",
        approved_versions=("1",),
    ),
    model=ModelRef("configured", "1"),
)
GIVEN = reference(
    [ColumnProfile("a", ColumnType.NUMBER, 1_000, 0.0, (0.5,), (0.5, 0.5), min=0, max=1)],
    [ColumnProfile("y", ColumnType.CATEGORY, 1_000, levels={"yes": 0.5, "no": 0.5})],
)


class Everything:
    """All monitors behind the attribution, as the observer has them."""

    def __init__(self, given=None):
        self.registry = registry = Registry()
        references = OneReference(given)
        self.attribution = Attribution(POLICIES)
        objectives = Objectives(registry, POLICIES)
        problems = Problems(registry)
        self.rows = Rows(
            [DataQuality(registry, references, problems), OutOfDistribution(registry, references),
             Freshness(registry, POLICIES, problems, lambda moment: 1e9 + moment),
             Features(registry), Predictions(registry, references), Scores(registry),
             Distribution(registry, POLICIES, references), Drift(registry, references, POLICIES), objectives],
            POLICIES, references,
        )  # fmt: skip
        in_flight = InFlight(registry, list)
        self.monitors = [
            Traffic(registry), Versions(registry, POLICIES), UndecodedExchanges(registry),
            Generations(registry), in_flight, objectives, self.rows,
            Labels(registry, POLICIES, float, self.attribution.known, Memory(64 * 1024, 3600.0)),
        ]  # fmt: skip
        registry.before_snapshot(self.rows.flush)

    def observe(self, seen: Exchange, said: Inference) -> None:
        self.attribution.attribute(seen, said)
        for monitor in self.monitors:
            monitor.observe(seen, said)

    def tick(self, now: float) -> None:
        for monitor in self.monitors:
            monitor.tick(now)


values = st.one_of(
    st.none(), st.just(MISSING), st.booleans(), st.integers(), st.floats(), st.text(max_size=3),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
)  # fmt: skip
names = st.one_of(st.sampled_from(["a", "b", "t", "y", "", OTHER, "null"]), st.text(max_size=3))
counts = st.one_of(st.none(), st.integers(0, 10**9))
generations = st.builds(
    Generation,
    streamed=st.booleans(),
    input_tokens=counts,
    output_tokens=counts,
    cached_tokens=counts,
    counted=st.booleans(),
    ends=st.lists(st.sampled_from(End), max_size=3),
    first_token=st.one_of(st.none(), st.floats(0, 1e6)),
    seconds_per_token=st.one_of(st.none(), st.floats(0, 1e6)),
    truncated=st.booleans(),
    response_model=names,
)
columns = st.lists(st.builds(Column, names, st.lists(values, max_size=4)), max_size=4)
inferences = st.builds(
    Inference,
    protocol=st.sampled_from(["v1", "v2"]),
    operation=st.sampled_from(Operation),
    model=st.builds(ModelRef, names, names),
    request_id=st.sampled_from(["", "a", "b"]),
    rows=st.integers(-1, 5),
    features=columns,
    outputs=columns,
    error=st.sampled_from(["", "", "boom"]),
    undecoded=st.one_of(st.none(), st.none(), st.sampled_from(Undecoded)),
    generation=st.one_of(st.none(), generations),
)
moments = st.one_of(st.none(), st.floats(0, 1e6))
exchanges = st.builds(
    Exchange,
    connection=st.just(1),
    transport=st.just("http1"),
    method=st.just("POST"),
    target=st.text(max_size=5),
    timings=st.builds(Timings, st.floats(0, 1e6), moments, moments, moments),
    outcome=st.sampled_from(Outcome),
    status=st.one_of(st.none(), st.integers(-1, 10**6)),
    route=st.sampled_from(["", "r"]),
    request=st.builds(CapturedBody, st.binary(max_size=3), st.integers(0, 10**12)),
    streamed=st.booleans(),
)


def numbers(registry):
    for family in registry.snapshot().families:
        for _, value in family.series:
            yield family.metric, value.sum if isinstance(value, Histogram) else value


@given(st.lists(st.tuples(exchanges, inferences), max_size=8), st.sampled_from([None, GIVEN]))
@settings(max_examples=150, deadline=None)
def test_no_inference_whatever_it_holds_raises_or_spoils_a_number(stream, given):
    everything = Everything(given)
    for seen, said in stream:
        everything.observe(seen, said)
        everything.tick(seen.timings.last)
    everything.tick(2e6)
    for metric, number in numbers(everything.registry):
        assert math.isfinite(number), metric.name
        assert number >= 0 or metric.kind == "gauge", metric.name


@given(st.lists(st.tuples(exchanges, inferences), max_size=5))
@settings(max_examples=50, deadline=None)
def test_every_row_is_in_one_state_for_each_feature(stream):
    everything = Everything(GIVEN)
    for seen, said in stream:
        everything.observe(seen, said)
    rows = everything.registry.value("inference_rows_total")
    assert everything.registry.value("inference_feature_values_total", feature="a") == rows
    assert 0 <= everything.registry.value("inference_rows_complete_total") <= rows


def test_ten_thousand_random_names_do_not_grow_the_series():
    everything = Everything()
    for i in range(10_000):
        said = inference(model=f"m{i}", version=f"{i}", outputs={f"o{i}": [f"class {i}"]}, **{f"f{i}": [i]})
        everything.observe(exchange(at=float(i)), said)
    held = {f.metric.name: len(f.series) for f in everything.registry.snapshot().families}
    limits = {f.metric.name: f.metric.limit for f in everything.registry.snapshot().families}
    assert {name for name, series in held.items() if series > limits[name] + 100} == set()
    assert held["inference_rows_total"] <= 51
    assert everything.registry.value("inference_rows_total") == 10_000


def test_ten_thousand_random_features_and_classes_of_one_model_do_not_grow_the_series():
    everything = Everything()
    for i in range(1_000):
        wide = {f"f{i}-{j}": [j] for j in range(10)}
        everything.observe(exchange(), inference(outputs={f"o{i}": ["c"], "y": [f"class {i}"]}, **wide))
    held = {f.metric.name: len(f.series) for f in everything.registry.snapshot().families}
    assert held["inference_feature_values_total"] == (200 + 3 + 1) * 8
    assert held["inference_predictions_invalid_total"] == (50 + 1) * 4
    assert held["inference_predictions_total"] < 300
    assert held["inference_distribution_rows_total"] < 2_000
    assert everything.registry.value("inference_predictions_total") == 2_000


def test_ten_thousand_versions_that_the_server_refuses_leave_one_series():
    everything = Everything()
    for i in range(10_000):
        refused = exchange(status=404, outcome=Outcome.CLIENT_ERROR)
        everything.observe(refused, inference(model=f"m{i}", version=f"{i}", **{f"f{i}": [i]}))
    everything.rows.flush()
    assert everything.registry.value("inference_requests_total", model_name=OTHER) == 10_000
    states = next(f for f in everything.registry.snapshot().families if "feature_values" in f.metric.name)
    assert {labels[2] for labels, _ in states.series} == {"a", "b", "t", OTHER}


@pytest.mark.parametrize("given", [None, GIVEN])
def test_nothing_keeps_an_argument_or_what_is_in_it(given):
    everything = Everything(given)
    nested = [{"deep": [1, 2]}]
    seen = exchange(b"body", b"answer")
    said = inference(outputs={"y": [[1.0]]}, a=[0.5], n=[nested])
    held = [seen, said, said.features, said.features[0], said.features[0].values, nested]
    gc.collect()
    before = [sys.getrefcount(thing) for thing in held]
    everything.observe(seen, said)
    everything.rows.flush()
    everything.tick(200.0)
    gc.collect()
    assert [sys.getrefcount(thing) for thing in held] == before


def test_a_model_forgotten_after_a_day_comes_back_with_all_its_zeros():
    everything = Everything()
    everything.observe(exchange(at=0.0), inference(a=[0.5]))
    everything.rows.flush()
    before = {f.metric.name: len(f.series) for f in everything.registry.snapshot().families}
    for labels in everything.attribution.expire(100_000.0) + everything.rows.expire(100_000.0):
        everything.registry.forget(**labels)
    assert everything.registry.value("inference_requests_total") == 0
    everything.observe(exchange(at=100_001.0), inference(a=[0.5]))
    after = {f.metric.name: len(f.series) for f in everything.registry.snapshot().families}
    assert before == after
