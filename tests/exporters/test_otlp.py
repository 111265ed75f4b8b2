import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sidecar import catalog
from sidecar.exporters.otlp import OtlpExporter
from sidecar.exporters.otlp_settings import OtlpSettings
from sidecar.registry import Registry, Snapshot

SETTINGS = OtlpSettings("http://collector:4318/v1/metrics")


class FakeSender:
    """Answers with `why`; holds each send until `gate` is open; keeps what it was given."""

    def __init__(self, why: str = "") -> None:
        self.why = why
        self.gate = threading.Event()
        self.gate.set()
        self.sending = threading.Event()
        self.sent: list[tuple[float, float | None]] = []
        self.arrived = threading.Semaphore(0)
        self.closed = False
        self.interrupted = False

    def send(self, snapshot: Snapshot, since: Snapshot | None) -> str:
        self.sending.set()
        self.gate.wait(10)
        self.sent.append((snapshot.taken, since.taken if since else None))
        why = self.why
        self.arrived.release()
        return why

    def close(self) -> None:
        self.closed = True
        self.interrupted = self.sending.is_set() and not self.sent
        self.gate.set()


def snapshot(taken: float) -> Snapshot:
    return Snapshot(taken, 0.0)


@contextmanager
def exporting(sender: FakeSender, settings: OtlpSettings = SETTINGS) -> Iterator[OtlpExporter]:
    exporter = OtlpExporter(settings, lambda _: sender)
    try:
        yield exporter
    finally:
        sender.gate.set()
        exporter.close()


def test_what_is_offered_is_sent():
    sender = FakeSender()
    with exporting(sender) as exporter:
        for taken in (1.0, 2.0):
            exporter.offer(snapshot(taken))
            assert sender.arrived.acquire(timeout=10)

    assert sender.sent == [(1.0, None), (2.0, None)]
    assert sender.closed
    assert exporter.failures == 0


def test_while_the_collector_is_busy_only_the_newest_snapshot_is_kept_and_the_rest_count_as_failures():
    sender = FakeSender()
    sender.gate.clear()
    with exporting(sender) as exporter:
        exporter.offer(snapshot(1.0))
        assert sender.sending.wait(10)
        for taken in (2.0, 3.0, 4.0):
            exporter.offer(snapshot(taken))
        assert exporter.failures == 2
        sender.gate.set()
        assert sender.arrived.acquire(timeout=10)
        assert sender.arrived.acquire(timeout=10)

    assert [taken for taken, _ in sender.sent] == [1.0, 4.0]


def test_a_delta_reaches_back_to_the_last_snapshot_that_arrived():
    sender = FakeSender()
    settings = OtlpSettings("http://collector:4318/v1/metrics", delta=True)
    with exporting(sender, settings) as exporter:
        for taken, why in ((1.0, ""), (2.0, "refused"), (3.0, ""), (4.0, "")):
            sender.why = why
            exporter.offer(snapshot(taken))
            assert sender.arrived.acquire(timeout=10)

    assert sender.sent == [(1.0, None), (2.0, 1.0), (3.0, 1.0), (4.0, 3.0)]


def test_the_first_delta_leaves_out_what_was_counted_before_a_restart():
    sender = FakeSender()
    settings = OtlpSettings("http://collector:4318/v1/metrics", delta=True)
    with exporting(sender, settings) as exporter:
        exporter.goes_on_from(snapshot(1.0))
        exporter.offer(snapshot(2.0))
        assert sender.arrived.acquire(timeout=10)

    assert sender.sent == [(2.0, 1.0)]


def test_failures_are_counted_each_time_and_logged_only_when_the_state_changes(caplog):
    caplog.set_level(logging.INFO, "sidecar.exporters.otlp")
    sender = FakeSender()
    with exporting(sender) as exporter:
        for why in ("refused", "refused", "no answer", "", "", "refused"):
            sender.why = why
            exporter.offer(snapshot(1.0))
            assert sender.arrived.acquire(timeout=10)

    assert exporter.failures == 4
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert "http://collector:4318/v1/metrics" in caplog.text


def test_failures_become_a_metric_that_exists_at_zero():
    registry = Registry()
    sender = FakeSender("refused")
    with exporting(sender) as exporter:
        exporter.count_into(registry)
        name = catalog.OTLP_EXPORT_FAILURES.name
        assert (name, ("metrics",), 0.0) in [
            (f.metric.name, labels, value) for f in registry.snapshot().families for labels, value in f.series
        ]
        exporter.offer(snapshot(1.0))
        exporter.close()

    assert registry.value(name, signal="metrics") == 1
    assert registry.value(name, signal="metrics") == 1


def test_settings_the_sdk_does_not_take_are_failures_not_an_end(caplog):
    def connect(_: OtlpSettings) -> FakeSender:
        raise ValueError("no such thing: connection refused")

    exporter = OtlpExporter(SETTINGS, connect)
    exporter.offer(snapshot(1.0))
    exporter.close()

    assert exporter.failures == 1
    assert "connection refused (ValueError)" in caplog.text


def test_values_that_were_ignored_are_said_once(caplog):
    settings = OtlpSettings("http://c", problems=("OTEL_X: 'y' is not a z",))
    with exporting(FakeSender(), settings):
        pass

    assert caplog.messages == ["OTEL_X: 'y' is not a z; ignored"]


def test_closing_sends_the_last_snapshot_and_nothing_after_it():
    sender = FakeSender()
    with exporting(sender) as exporter:
        exporter.close(snapshot(9.0))
        for taken in (10.0, 11.0):
            exporter.offer(snapshot(taken))
        exporter.close(snapshot(12.0))

    assert sender.sent == [(9.0, None)]
    assert exporter.failures == 0


def test_closing_gives_up_on_an_export_that_hangs():
    sender = FakeSender()
    sender.gate.clear()
    exporter = OtlpExporter(SETTINGS, lambda _: sender)
    exporter.offer(snapshot(1.0))
    assert sender.sending.wait(10)

    exporter.close(snapshot(2.0), seconds=0.01)

    assert sender.interrupted
    exporter._thread.join(10)
    assert not exporter._thread.is_alive()
