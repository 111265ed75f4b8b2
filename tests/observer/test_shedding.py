"""Payloads are left unread when, and only as long as, the observer is behind."""

from sidecar.observer.shedding import Shedding


def test_payloads_are_read_as_long_as_chunks_are_fresh() -> None:
    shedding = Shedding()
    for step in range(100):
        shedding.late(0.01, step * 0.1)
        assert shedding.decoding


def test_lateness_that_does_not_shrink_ends_the_reading_of_payloads() -> None:
    shedding = Shedding()
    shedding.late(0.3, 10.0)
    assert shedding.decoding
    shedding.late(0.35, 10.3)
    assert not shedding.decoding


def test_a_backlog_that_shrinks_is_read_whole() -> None:
    shedding = Shedding()
    for now, lag in (
        (10.0, 9.0),
        (10.2, 7.5),
        (10.4, 7.0),
        (10.7, 2.0),
        (10.9, 0.3),
        (11.2, 0.01),
        (12.0, 0.4),
    ):
        shedding.late(lag, now)
        assert shedding.decoding


def test_reading_begins_again_only_when_the_lag_is_well_below_the_limit() -> None:
    shedding = Shedding()
    shedding.late(0.6, 10.0)
    shedding.late(0.6, 11.0)
    shedding.late(0.2, 12.0)
    shedding.late(0.15, 12.5)
    assert not shedding.decoding
    shedding.late(0.05, 13.0)
    assert shedding.decoding


def test_drops_at_the_relay_end_the_reading_at_once_and_for_two_seconds() -> None:
    shedding = Shedding()
    shedding.dropped(10.0)
    assert not shedding.decoding
    shedding.late(0.0, 11.9)
    assert not shedding.decoding
    shedding.late(0.0, 12.0)
    assert shedding.decoding
