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
