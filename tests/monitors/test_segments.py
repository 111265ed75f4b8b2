"""Traffic divided by a feature or by a header, in families of its own."""

import pytest

from sidecar.exchange import Outcome
from sidecar.metric import OTHER
from sidecar.monitors.rows import Rows
from sidecar.monitors.segments import Segments
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.policy import ModelPolicy, Policies, Segment
from sidecar.reference import Expectation
from sidecar.registry import Registry
from tests.fakes import OneReference, exchange, inference

REQUESTS, ROWS = "inference_segment_requests_total", "inference_segment_rows_total"
COMPLETE = "inference_segment_rows_complete_total"
UNAVAILABLE = "inference_segment_unavailable_values_total"


class Watch:
    def __init__(self, *segments: Segment) -> None:
        required = {"age": Expectation(required=True)}
        policies = Policies(ModelPolicy(segments=segments, expectations=required))
        self.registry = Registry()
        self.segments = Segments(self.registry, policies)
        self.rows = Rows([self.segments], policies, OneReference(), self.segments)
        self.registry.before_snapshot(self.rows.flush)

    def observe(self, seen, said):
        self.segments.observe(seen, said)
        self.rows.observe(seen, said)

    def value(self, name, **labels):
        return self.registry.value(name, **labels)

    def values(self, name):
        self.rows.flush()
        families = self.registry.snapshot().families
        return {labels[3] for f in families if f.metric.name == name for labels, _ in f.series}


def asked(tenant, at=100.0, **more):
    return exchange(request_headers={"x-tenant": tenant}, at=at, **more)


def test_a_header_divides_requests_rows_and_what_they_lack():
    watch = Watch(Segment("tenant", header="x-tenant"))
    watch.observe(asked("a"), inference(age=[1, None, 3]))
    watch.observe(asked("b"), inference(age=[1]))
    watch.observe(exchange(), inference(age=[1]))
    for value, rows, complete, unavailable in (("a", 3, 2, 1), ("b", 1, 1, 0), ("", 1, 1, 0)):
        labels = {"segment": "tenant", "value": value}
        assert watch.value(REQUESTS, **labels) == 1
        assert watch.value(ROWS, **labels) == rows
        assert watch.value(COMPLETE, **labels) == complete
        assert watch.value(UNAVAILABLE, feature="age", **labels) == unavailable


@pytest.mark.parametrize(
    ("regions", "n"),
    [(["n", "s", "n", None], "n"), ([1, 2, 1, None], "1"), ([True, False, True, None], "true")],
)  # fmt: skip
def test_a_feature_divides_rows_and_a_request_is_in_each_segment_it_has_rows_of(regions, n):
    watch = Watch(Segment("region", feature="region"))
    before = regions[::2] * 10
    watch.observe(exchange(), inference(region=before, age=[1] * 20))
    assert watch.value(REQUESTS, value=n) == 0  # nobody had seen it before
    watch.rows.flush()
    watch.registry.forget(segment="region")
    watch.observe(exchange(), inference(region=regions, age=[1, None, None, 4]))
    assert watch.value(REQUESTS, value=n) == 1
    assert watch.value(REQUESTS, value="") == 1
    assert watch.value(ROWS, value=n) == 2
    assert watch.value(COMPLETE, value=n) == 1
    assert watch.value(UNAVAILABLE, value=n, feature="age") == 1
    assert watch.value(ROWS) == 4


def test_past_the_limit_values_share_one_name():
    watch = Watch(Segment("tenant", header="x-tenant", limit=2), Segment("region", feature="region", limit=2))
    for i in range(200):
        watch.observe(asked(f"t{i}"), inference(region=[f"r{i}"] * 25, age=[1] * 25))
        watch.rows.flush()
    for name in (REQUESTS, ROWS):
        assert watch.values(name) - {"r0", "r1"} == {"t0", "t1", OTHER}
    assert watch.value(ROWS, segment="region", value=OTHER) == 198 * 25


def test_a_value_of_a_feature_that_few_rows_carry_is_never_shown():
    watch = Watch(Segment("customer", feature="customer", limit=100))
    for i in range(1_000):
        watch.observe(exchange(at=float(i)), inference(customer=[f"c{i % 100}", "c"], age=[1, 1]))
    assert watch.values(ROWS) == {"c", OTHER}
    assert watch.value(ROWS) == 2_000


def test_a_request_that_was_refused_adds_no_value():
    watch = Watch(Segment("tenant", header="x-tenant"))
    watch.observe(asked("a", status=400, outcome=Outcome.CLIENT_ERROR), inference(age=[1]))
    assert watch.values(REQUESTS) == {OTHER}


def test_values_unused_for_a_day_leave():
    watch = Watch(Segment("tenant", header="x-tenant"))
    watch.observe(asked("a"), inference(age=[1]))
    gone = watch.segments.expire(200.0 + UNUSED_AFTER_SECONDS)
    assert gone == [{"model_name": "m", "segment": "tenant", "value": "a"}]
    watch.registry.forget(**gone[0])
    assert watch.value(REQUESTS) == 0


def test_without_segments_nothing_is_counted():
    watch = Watch()
    watch.observe(asked("a"), inference(age=[1]))
    assert watch.value(REQUESTS) == watch.value(ROWS) == 0
