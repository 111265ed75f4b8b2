from sidecar import catalog
from sidecar.relay.counters import LAG_BUCKETS, Counters


def test_the_relay_counts_lag_in_the_buckets_of_the_catalogue() -> None:
    assert catalog.RELAY_LOOP_LAG.buckets == LAG_BUCKETS


def test_a_report_has_every_reason_of_the_catalogue_from_the_start() -> None:
    report = Counters().report()
    assert set(report["dropped_bytes"]) == set(catalog.TEE_DROPPED_BYTES.closed["reason"])
    assert set(report["dropped_chunks"]) == set(catalog.CHUNKS_DROPPED.closed["reason"])
    assert set(report["connect_failures"]) == set(catalog.UPSTREAM_CONNECT_FAILURES.closed["reason"])
    assert report["memory"] > 1_000_000


def test_a_successor_goes_on_from_everything_its_predecessor_reported() -> None:
    first = Counters(3)
    first.bytes = [5, 7]
    first.dropped_bytes["skipped"] = 2
    first.dropped_chunks["observer_down"] = 1
    first.connect_failures["refused"] = 4
    first.lag(0.002)
    before = first.report()
    report = Counters(3, before).report()
    assert report["cpu"] >= before["cpu"]
    for same in ("slot", "bytes", "dropped_bytes", "dropped_chunks", "connect_failures", "lag"):
        assert report[same] == before[same], same
    assert report["connections"] == 0
