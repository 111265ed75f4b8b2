"""Payloads that could not be read."""

from sidecar.inference import Undecoded
from sidecar.monitors.undecoded import UndecodedExchanges
from sidecar.registry import Registry
from tests.fakes import exchange, inference

NAME = "sidecar_exchanges_undecoded_total"


def test_what_could_not_be_read_is_counted_by_reason_and_protocol():
    registry = Registry()
    said = inference(protocol="v1")
    said.undecoded = Undecoded.NOT_JSON
    UndecodedExchanges(registry).observe(exchange(), said)
    assert registry.value(NAME, reason="not_json", protocol="v1") == 1
    assert registry.value(NAME) == 1


def test_every_reason_is_at_zero_once_a_protocol_is_known():
    registry = Registry()
    UndecodedExchanges(registry).observe(exchange(), inference(x=[1]))
    series = next(f.series for f in registry.snapshot().families if f.metric.name == NAME)
    assert {labels for labels, _ in series} == {(reason.value, "v2") for reason in Undecoded}
    assert registry.value(NAME) == 0
