"""The bounded store."""

import pytest

from sidecar import catalog
from sidecar.catalog import SERIES_OVERFLOW
from sidecar.exporters.prometheus import render
from sidecar.metric import OTHER, Metric, MetricKind, Shed
from sidecar.registry import Counter, Distribution, Histogram, Registry
from sidecar.series_room import lines_of

COUNTER = Metric("c_total", MetricKind.COUNTER, "", ("who", "result"), capped=("who",), limit=3)
PLAIN = Metric("plain_total", MetricKind.COUNTER, "")
GAUGE = Metric("g", MetricKind.GAUGE, "", ("who",), capped=("who",), limit=3)
HISTOGRAM = Metric(
    "h_seconds", MetricKind.HISTOGRAM, "", ("who",), buckets=(0.1, 1.0), capped=("who",), limit=3
)


@pytest.fixture
def registry():
    return Registry([COUNTER, PLAIN, GAUGE, HISTOGRAM, SERIES_OVERFLOW], started=1.0)


def series(registry, name):
    return dict(next(f.series for f in registry.snapshot().families if f.metric.name == name))


def test_a_counter_without_labels_is_at_zero_from_the_start(registry):
    assert series(registry, "plain_total") == {(): 0.0}


def test_adding_nothing_makes_a_series_exist(registry):
    registry.counter(COUNTER).add(0, "a", "good")
    assert series(registry, "c_total") == {("a", "good"): 0.0}


def test_a_full_family_counts_under_other_keeps_closed_labels_and_says_so(registry):
    counter = registry.counter(COUNTER)
    for who in "abcde":
        counter.add(1, who, "bad")
    assert series(registry, "c_total")[(OTHER, "bad")] == 2
    assert registry.value("c_total") == 5
    assert registry.value("sidecar_series_overflow_total", metric="c_total") == 2


def test_a_series_that_is_there_is_not_affected_by_a_full_family(registry):
    counter = registry.counter(COUNTER)
    for who in "abcd":
        counter.add(1, who, "bad")
    counter.add(1, "a", "bad")
    assert series(registry, "c_total")[("a", "bad")] == 2


def test_a_full_gauge_and_a_full_histogram_overflow_too(registry):
    for who in "abcde":
        registry.gauge(GAUGE).set(7, who)
        registry.histogram(HISTOGRAM).observe(0.5, who)
    assert series(registry, "g")[(OTHER,)] == 7
    assert series(registry, "h_seconds")[(OTHER,)].count == 2
    assert registry.value("sidecar_series_overflow_total") == 4


def test_a_bucket_holds_values_up_to_and_including_its_bound(registry):
    for value in (0.05, 0.1, 0.2, 1.0, 5.0):
        registry.histogram(HISTOGRAM).observe(value, "a")
    held = series(registry, "h_seconds")[("a",)]
    assert held.counts == [2, 2, 1]
    assert (held.count, held.sum) == (5, pytest.approx(6.35))


def test_a_touched_histogram_exists_without_observations(registry):
    registry.histogram(HISTOGRAM).touch("a")
    assert series(registry, "h_seconds") == {("a",): Distribution([0, 0, 0], 0.0)}


def test_a_snapshot_is_a_copy_that_later_observations_do_not_change(registry):
    registry.histogram(HISTOGRAM).observe(0.5, "a")
    registry.counter(COUNTER).add(1, "a", "good")
    before = registry.snapshot()
    registry.histogram(HISTOGRAM).observe(0.5, "a")
    registry.counter(COUNTER).add(1, "a", "good")
    held = {f.metric.name: dict(f.series) for f in before.families}
    assert held["h_seconds"][("a",)].count == 1
    assert held["c_total"][("a", "good")] == 1


def test_what_is_registered_before_a_snapshot_is_in_it(registry):
    registry.before_snapshot(lambda: registry.counter(PLAIN).set_total(9))
    assert series(registry, "plain_total") == {(): 9}


def test_forgetting_a_model_removes_its_series_in_every_family_that_has_the_label(registry):
    registry.gauge(GAUGE).set(1, "a")
    registry.gauge(GAUGE).set(1, "b")
    registry.counter(COUNTER).add(1, "a", "good")
    registry.forget(who="a")
    assert series(registry, "g") == {("b",): 1}
    assert series(registry, "c_total") == {}
    assert series(registry, "plain_total") == {(): 0.0}


def test_discarding_a_series_that_is_not_there_is_no_error(registry):
    registry.gauge(GAUGE).set(1, "a")
    registry.gauge(GAUGE).discard("nobody")
    registry.gauge(GAUGE).discard("a")
    assert series(registry, "g") == {}


def test_a_wrong_number_of_labels_is_a_mistake_of_ours_and_raises(registry):
    with pytest.raises(ValueError, match="has labels"):
        registry.counter(COUNTER).add(1, "a")


def test_a_value_sums_the_series_that_match(registry):
    for who, result in (("a", "good"), ("a", "bad"), ("b", "bad")):
        registry.counter(COUNTER).add(2, who, result)
    assert registry.value("c_total", who="a") == 4
    assert registry.value("c_total", who="nobody") == 0


def filled(limit: int) -> Registry:
    """Everything the catalogue has, as far as there is room: segments first, then bins, and so on."""
    registry = Registry(started=1.0, series_limit=limit)
    families = [f for f in registry._families.values() if f.metric.capped]
    for family in sorted(families, key=lambda f: -f.metric.shed):
        for at in range(limit):
            labels = [
                f"{label}-{at}" if label in family.metric.capped else "x" for label in family.metric.labels
            ]
            if isinstance(family, Histogram):
                family.observe(1.0, *labels)
            elif isinstance(family, Counter):
                family.add(1.0, *labels)
            else:
                family.set(1.0, *labels)
    return registry


def lines(registry: Registry) -> int:
    body, _ = render(registry.snapshot(), process=False)
    return sum(not line.startswith(b"#") for line in body.splitlines())


def test_all_series_together_are_bounded_and_what_is_shed_first_leaves_room_for_the_rest():
    registry = filled(2_000)
    assert registry.room.used == lines(registry)
    used, others = dict.fromkeys(Shed, 0), 0
    for family in registry._families.values():
        named = sum(OTHER not in labels for labels in family.values) if family.metric.capped else 0
        used[family.metric.shed] += named * lines_of(family.metric)
        others += (len(family.values) - named) * lines_of(family.metric)
    shares = {shed: lines / 2_000 for shed, lines in used.items()}
    assert shares[Shed.SEGMENTS] == pytest.approx(0.5, abs=0.05)
    assert shares[Shed.BINS] == pytest.approx(0.2, abs=0.05)
    assert min(shares.values()) > 0
    assert sum(used.values()) <= 2_000
    assert registry.value("sidecar_series_overflow_total", metric="inference_segment_rows_total") > 0
    # What cannot multiply is never told that there is no room, the counter of overflows least of all.
    registry.counter(catalog.OTLP_EXPORT_FAILURES).add(1, "metrics")
    assert registry.value("sidecar_otlp_export_failures_total", signal="metrics") == 1


def test_room_comes_back_when_series_leave():
    registry = filled(400)
    registry.forget(model_name="model_name-0")
    registry.gauge(catalog.DRIFT_SCORE).discard("gone", "1", "feature", "x", "psi")
    for family in registry._families.values():
        for labels in list(family.values):
            if family.metric.labels:
                family.discard(*labels)
    assert registry.room.used == lines(registry) == sum(1 for _ in registry._families.values() if _.values)


def test_what_goes_on_after_a_restart_takes_room_too():
    registry = Registry(started=1.0, series_limit=100)
    for at in range(200):
        registry.go_on(catalog.REQUESTS, ("m", str(at), "v2", "predict", "200", "ok"), 5.0)
    assert registry.room.used == lines(registry) <= 100
    assert registry.value("inference_requests_total") == 5 * len(registry.counter(catalog.REQUESTS).values)


def test_a_zero_for_which_there_is_no_room_is_no_observation_and_no_overflow(registry):
    for who in "abcd":
        registry.counter(COUNTER).add(1, who, "ok")
    before = registry.value("sidecar_series_overflow_total")
    registry.counter(COUNTER).add(0, "e", "ok")
    assert registry.value("sidecar_series_overflow_total") == before == 1
