import logging
import threading
from collections.abc import Sequence

import pytest

from sidecar.exporters import otlp_records, otlp_spans
from sidecar.exporters.otlp_batches import BATCH_SIZE, QUEUE_LIMIT, Batches
from sidecar.exporters.otlp_settings import GRPC, HTTP, LOGS, TRACES, OtlpSettings, otlp_settings
from sidecar.exporters.otlp_transport import Refused
from sidecar.exporters.records import Record
from sidecar.exporters.spans import Span
from tests.exporters.sinks import grpc_sink, http_sink, seconds_to_end

SETTINGS = OtlpSettings("http://collector:4318/v1/traces", signal=TRACES)
SINKS = {GRPC: grpc_sink, HTTP: http_sink}
SPAN = Span("4b" * 16, "0a" * 8, "", "predict m", 1.0, 2.0, False, {"model_name": "m"})
RECORD = Record(1.0, {"feature.age": 41})


class Numbers:
    """A codec of numbers."""

    rejects = 0

    def encode(self, records: Sequence[int], resource: object) -> bytes:
        return ",".join(map(str, records)).encode()

    def rejected(self, answer: bytes) -> int:
        return self.rejects


class FakeTransport:
    """Takes what it is given, or refuses it as often as `refusals` says."""

    def __init__(self, *refusals: Refused) -> None:
        self.refusals = list(refusals)
        self.sent: list[list[int]] = []
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()
        self.sending = threading.Event()
        self.closed = False

    def send(self, request: bytes) -> bytes:
        self.attempts += 1
        self.sending.set()
        self.gate.wait(10)
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append([int(number) for number in request.split(b",")])
        return b""

    def close(self) -> None:
        self.closed = True
        self.gate.set()


def batches_of(transport: FakeTransport, codec: Numbers | None = None, pauses=(0.0, 0.0)) -> Batches[int]:
    chosen = codec or Numbers()
    return Batches(SETTINGS, lambda: chosen, lambda _: transport, pauses)


def test_what_is_put_arrives_in_order_and_in_batches():
    transport = FakeTransport()
    batches = batches_of(transport)
    for number in range(BATCH_SIZE + 3):
        batches.put(number)
    batches.close(10)

    assert [n for batch in transport.sent for n in batch] == list(range(BATCH_SIZE + 3))
    assert max(map(len, transport.sent)) <= BATCH_SIZE
    assert (batches.health.failures, batches.health.dropped) == (0, 0)
    assert transport.closed


def test_the_queue_is_bounded_and_what_finds_no_room_is_counted():
    transport = FakeTransport()
    transport.gate.clear()
    batches = batches_of(transport)
    for number in range(QUEUE_LIMIT + 7):
        batches.put(number)

    assert batches.health.dropped == 7
    transport.gate.set()
    batches.close(10)


def test_a_batch_that_cannot_be_taken_now_is_sent_again():
    transport = FakeTransport(Refused("unavailable", True), Refused("unavailable", True))
    batches = batches_of(transport)
    for number in range(BATCH_SIZE):
        batches.put(number)
    assert _until(lambda: transport.sent)
    batches.close(10)

    assert transport.sent == [list(range(BATCH_SIZE))]
    assert (batches.health.failures, batches.health.dropped) == (2, 0)


def test_a_batch_that_is_refused_for_good_is_dropped_and_counted():
    transport = FakeTransport(Refused("not allowed", False))
    batches = batches_of(transport)
    batches.put(1)
    batches.close(10)

    assert (transport.attempts, batches.health.failures, batches.health.dropped) == (1, 1, 1)


def test_attempts_end():
    transport = FakeTransport(*(Refused("unavailable", True) for _ in range(9)))
    batches = batches_of(transport)
    for number in range(BATCH_SIZE):
        batches.put(number)
    assert _until(lambda: batches.health.dropped)
    batches.close(10)

    assert (transport.attempts, batches.health.dropped) == (3, BATCH_SIZE)


def test_what_the_collector_says_it_rejected_is_a_failure_and_is_dropped():
    codec = Numbers()
    codec.rejects = 2
    batches = batches_of(FakeTransport(), codec)
    batches.put(1)
    batches.close(10)

    assert (batches.health.failures, batches.health.dropped) == (1, 2)


def test_failures_are_logged_only_when_the_state_changes(caplog):
    caplog.set_level(logging.INFO, "sidecar.exporters.otlp")
    transport = FakeTransport(*(Refused("unavailable", True) for _ in range(3)))
    batches = batches_of(transport, pauses=(0.0, 0.0, 0.0))
    for number in range(BATCH_SIZE):
        batches.put(number)
    assert _until(lambda: transport.sent)
    batches.close(10)

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "cannot export traces to http://collector:4318/v1/traces: unavailable" in caplog.text


def test_closing_takes_no_pause_and_does_not_wait_for_a_collector_that_hangs():
    transport = FakeTransport()
    transport.gate.clear()
    batches = batches_of(transport)
    batches.put(1)
    batches.closing()
    assert transport.sending.wait(10)

    batches.close(0.01)

    assert transport.closed


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_spans_and_records_arrive_at_a_receiver(protocol):
    with SINKS[protocol]() as sink:
        for signal, codec, record in ((TRACES, otlp_spans, SPAN), (LOGS, otlp_records, RECORD)):
            settings = otlp_settings({}, sink.endpoint, signal=signal, protocol=protocol)
            batches = Batches(settings, lambda codec=codec: codec)
            batches.put(record)
            batches.close(10)
            assert batches.health.failures == 0

    (spans, records) = sink.requests
    assert spans.resource_spans[0].scope_spans[0].spans[0].name == "predict m"
    assert records.resource_logs[0].scope_logs[0].log_records[0].attributes[0].value.int_value == 41
    if protocol == HTTP:
        assert sink.paths == ["/v1/traces", "/v1/logs"]


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_process_whose_collector_hangs_still_ends(protocol):
    """All three signals at once; the bound is two seconds, the test allows for a slow machine."""
    program = f"""
import sys, time
from sidecar.config.telemetry import LogsSection, OtlpSection, TracesSection
from sidecar.observer.telemetry import Telemetry
from sidecar.registry import Registry
from tests.fakes import exchange, inference
logs = LogsSection(ratio=1, features={{"age": "keep"}})
otlp = OtlpSection(endpoint=sys.argv[1], traces=TracesSection(ratio=1), logs=logs)
registry = Registry()
telemetry = Telemetry(otlp, {{"OTEL_EXPORTER_OTLP_PROTOCOL": "{protocol}"}}, registry, "1", "here")
for monitor in telemetry.monitors:
    for _ in range(600):
        monitor.observe(exchange(), inference(age=[1]))
telemetry.metrics.offer(registry.snapshot())
sys.stdin.readline()
began = time.monotonic()
telemetry.close(registry.snapshot())
print(time.monotonic() - began)
"""
    assert seconds_to_end(program, timeout=30) < 5


def _until(true) -> bool:
    waiting = threading.Event()
    return any(true() or waiting.wait(0.01) for _ in range(1_000))
