"""Open inferences."""

from sidecar.monitors.in_flight import InFlight
from sidecar.registry import Registry
from tests.fakes import exchange, inference

NAME = "inference_requests_in_flight"


def test_open_exchanges_are_counted_by_model_and_a_model_without_any_goes_to_zero():
    registry, open_now = Registry(), ["a", "a", "b"]
    monitor = InFlight(registry, lambda: open_now)
    monitor.tick(0.0)
    assert (registry.value(NAME, model_name="a"), registry.value(NAME, model_name="b")) == (2, 1)
    open_now[:] = ["b"]
    monitor.refresh()
    assert (registry.value(NAME, model_name="a"), registry.value(NAME, model_name="b")) == (0, 1)


def test_a_model_is_at_zero_as_soon_as_it_is_known():
    registry = Registry()
    InFlight(registry, list).observe(exchange(), inference(model="a"))
    assert [s for f in registry.snapshot().families if f.metric.name == NAME for s in f.series] == [
        (("a",), 0)
    ]


def test_registered_before_a_snapshot_it_is_never_stale():
    registry, open_now = Registry(), ["a"]
    registry.before_snapshot(InFlight(registry, lambda: open_now).refresh)
    assert registry.value(NAME) == 1
    open_now.clear()
    assert registry.value(NAME) == 0


def test_more_models_than_the_family_holds_do_not_grow_it():
    registry = Registry()
    monitor = InFlight(registry, lambda: (f"m{i}" for i in range(5_000)))
    monitor.refresh()
    monitor.refresh()
    assert len(next(f.series for f in registry.snapshot().families if f.metric.name == NAME)) <= 2_001
