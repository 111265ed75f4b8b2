"""The demo's labels, some seconds behind its traffic."""

from sidecar.demo.truth import DELAY_SECONDS, Truth


def test_a_request_is_labelled_when_its_delay_is_over_and_once():
    truth = Truth("http://sidecar")
    truth.add("a", ["sky", "grass"], now=10.0)
    truth.add("b", ["path"], now=11.0)
    assert truth._due(10.0 + DELAY_SECONDS - 0.1) == []
    assert truth._due(10.0 + DELAY_SECONDS) == [{"id": "a", "labels": ["sky", "grass"]}]
    assert truth._due(99.0) == [{"id": "b", "labels": ["path"]}]
    assert truth._due(99.0) == []
