from typing import Any

from sidecar.registry import Registry
from sidecar.relay.counters import Counters
from sidecar.relay_totals import RelayTotals


def report(sent: int, dropped: int = 0) -> dict[str, Any]:
    counters = Counters()
    counters.bytes[0] = sent
    counters.dropped_bytes["observer_behind"] = dropped
    counters.lag(0.0001)
    return counters.report()


def test_workers_add_up() -> None:
    registry = Registry()
    totals = RelayTotals(registry)
    totals.report(1, report(100))
    totals.report(2, report(23, dropped=5))
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 123
    assert registry.value("sidecar_tee_dropped_bytes_total", reason="observer_behind") == 5
    assert registry.value("sidecar_relay_loop_lag_seconds") == 2


def test_a_newer_report_replaces_the_older_one_of_the_same_worker() -> None:
    registry = Registry()
    totals = RelayTotals(registry)
    totals.report(1, report(100))
    totals.report(1, report(150))
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 150


def test_what_a_worker_counted_stays_when_it_leaves() -> None:
    registry = Registry()
    totals = RelayTotals(registry)
    totals.report(1, report(100))
    totals.left(1)
    totals.report(2, report(1))
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 101
    assert registry.value("sidecar_relay_loop_lag_seconds") == 2


def test_everything_exists_at_zero_before_the_first_report() -> None:
    registry = Registry()
    RelayTotals(registry)
    zero = {
        name: registry.value(name) for name in ("sidecar_chunks_dropped_total", "sidecar_relay_bytes_total")
    }
    assert set(zero.values()) == {0.0}
    (family,) = [f for f in registry.snapshot().families if f.metric.name == "sidecar_chunks_dropped_total"]
    assert {labels for labels, _ in family.series} == {("observer_behind",), ("observer_down",)}
