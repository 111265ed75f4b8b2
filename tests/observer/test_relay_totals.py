from typing import Any

from sidecar.observer.relay_totals import RelayTotals
from sidecar.registry import Registry
from sidecar.relay.counters import Counters


def report(slot: int, sent: int, dropped: int = 0, before: dict[str, Any] | None = None) -> dict[str, Any]:
    counters = Counters(slot, before)
    counters.bytes[0] += sent
    counters.dropped_bytes["observer_behind"] += dropped
    counters.lag(0.0001)
    return counters.report()


def test_workers_add_up() -> None:
    registry = Registry()
    totals = RelayTotals(registry)
    totals.report(report(1, 100))
    totals.report(report(2, 23, dropped=5))
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 123
    assert registry.value("sidecar_tee_dropped_bytes_total", reason="observer_behind") == 5
    assert registry.value("sidecar_relay_loop_lag_seconds") == 2


def test_a_newer_report_replaces_the_older_one_of_the_same_worker() -> None:
    registry = Registry()
    totals = RelayTotals(registry)
    totals.report(report(1, 100))
    totals.report(report(1, 150))
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 150


def test_what_a_worker_counted_stays_when_another_takes_its_place() -> None:
    registry = Registry()
    totals = RelayTotals(registry)
    totals.report(report(1, 100, dropped=3))
    totals.report(report(1, 1, before=totals.of(1)))
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 101
    assert registry.value("sidecar_tee_dropped_bytes_total", reason="observer_behind") == 3
    assert registry.value("sidecar_relay_loop_lag_seconds") == 2


def test_whoever_comes_later_learns_all_of_it_from_the_living() -> None:
    first, later = RelayTotals(Registry()), Registry()
    first.report(report(1, 100))
    RelayTotals(later).report(report(1, 1, before=first.of(1)))
    assert later.value("sidecar_relay_bytes_total", direction="request") == 101
    assert first.of(2) is None


def test_everything_exists_at_zero_before_the_first_report() -> None:
    registry = Registry()
    RelayTotals(registry)
    zero = {
        name: registry.value(name) for name in ("sidecar_chunks_dropped_total", "sidecar_relay_bytes_total")
    }
    assert set(zero.values()) == {0.0}
    (family,) = [f for f in registry.snapshot().families if f.metric.name == "sidecar_chunks_dropped_total"]
    assert {labels for labels, _ in family.series} == {("observer_behind",), ("observer_down",)}


def test_an_older_report_that_comes_later_is_passed_over() -> None:
    """The supervisor brings them as well as the tee, and neither waits for the other."""
    registry = Registry()
    totals = RelayTotals(registry)
    older, newer = report(1, 100), report(1, 150, dropped=4)
    newer["cpu"] = older["cpu"] + 0.01
    totals.report(newer)
    assert not totals.report(older)
    assert totals.newest() == [newer]
    assert registry.value("sidecar_relay_bytes_total", direction="request") == 150
