"""Everything we send, through a collector that others wrote: what it hands on is what a scrape says.

Rotel takes OTLP over gRPC and HTTP, decodes it, and exports it again; a receiver of ours looks at that.
"""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import rotel

from sidecar.exporters import otlp_records, otlp_spans
from sidecar.exporters.otlp_batches import Batches
from sidecar.exporters.otlp_sender import MetricsSender
from sidecar.exporters.otlp_settings import GRPC, HTTP, LOGS, METRICS, TRACES, otlp_settings
from sidecar.exporters.prometheus import render
from sidecar.registry import Exemplar, Histogram, Registry, Snapshot
from tests.exporters.filled import filled_registry, own_series
from tests.exporters.sinks import Sink, closed_port, http_sink
from tests.exporters.test_otlp_batches import RECORD, SPAN
from tests.exporters.translation import series_of_otlp

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass
class Collector:
    """A running collector: where it listens, and what it handed on."""

    endpoints: dict[str, str]
    sink: Sink

    def handed_on(self, signal: str, enough: Callable[[list], bool] = bool) -> list:
        """Its requests of one signal, once there are enough."""
        waiting = threading.Event()
        for _ in range(1_000):
            pairs = zip(list(self.sink.paths), list(self.sink.requests), strict=False)
            found = [request for path, request in pairs if path.endswith(signal)]
            if enough(found):
                return found
            waiting.wait(0.01)
        pytest.fail(f"the collector handed on {self.sink.paths}")


@contextmanager
def collector(directory: Path) -> Iterator[Collector]:
    """The collector, ready to take requests."""
    grpc_port, http_port = closed_port(), closed_port()
    with http_sink() as sink:
        process = subprocess.Popen(
            [
                str(Path(rotel.__file__).with_name("rotel-agent")), "start",
                "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}",
                "--otlp-http-endpoint", f"127.0.0.1:{http_port}",
                "--exporter", "otlp", "--otlp-exporter-endpoint", sink.endpoint,
                "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "none",
                "--pid-file", str(directory / "pid"), "--log-file", str(directory / "log"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            for port in (grpc_port, http_port):
                _wait_for(port)
            endpoints = {GRPC: f"http://127.0.0.1:{grpc_port}", HTTP: f"http://127.0.0.1:{http_port}"}
            yield Collector(endpoints, sink)
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    waiting = threading.Event()
    for _ in range(1_000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            waiting.wait(0.01)
    pytest.fail("the collector did not start")


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("rotel")) as found:
        yield found


@pytest.fixture
def forgetting(running: Collector) -> Collector:
    """The collector, having handed on nothing yet."""
    running.sink.paths.clear()
    running.sink.requests.clear()
    return running


def send(to: Collector, protocol: str, snapshot: Snapshot, **environ: str) -> None:
    settings = otlp_settings(environ, to.endpoints[protocol], protocol=protocol, version="1", instance="here")
    sender = MetricsSender(settings)
    assert sender.send(snapshot, None) == ""
    sender.close()


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_metrics_that_crossed_a_collector_are_what_a_scrape_says(protocol, compression, forgetting):
    snapshot = filled_registry(value="é").snapshot()
    expected = own_series(render(snapshot)[0].decode())

    send(forgetting, protocol, snapshot, OTEL_EXPORTER_OTLP_COMPRESSION=compression)

    together: dict = {}
    for request in forgetting.handed_on(METRICS):
        together |= series_of_otlp(request)
    assert together == expected


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_exponential_histograms_and_exemplars_cross_it(protocol, forgetting):
    registry = Registry()
    registry.keep_exponential()
    for family in registry._families.values():
        if isinstance(family, Histogram) and family.metric.labels:
            labels = tuple("x" for _ in family.metric.labels)
            family.observe(0.3, *labels)
            family.exemplify(Exemplar(0.3, 1.0, TRACE, PARENT), *labels)

    send(forgetting, protocol, registry.snapshot())

    requests = forgetting.handed_on(METRICS)
    metrics = [m for r in requests for s in r.resource_metrics[0].scope_metrics for m in s.metrics]
    points = [m.exponential_histogram.data_points[0] for m in metrics if m.HasField("exponential_histogram")]
    assert len(points) > 5
    for point in points:
        assert (point.count, point.sum) == (1, 0.3)
        assert [e.trace_id.hex() for e in point.exemplars] == [TRACE]


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_spans_and_records_cross_it(protocol, forgetting):
    for signal, codec, record in ((TRACES, otlp_spans, SPAN), (LOGS, otlp_records, RECORD)):
        settings = otlp_settings({}, forgetting.endpoints[protocol], signal=signal, protocol=protocol)
        batches = Batches(settings, lambda codec=codec: codec)
        batches.put(record)
        batches.close(10)
        assert (batches.health.failures, batches.health.dropped) == (0, 0)

    (spans,) = forgetting.handed_on(TRACES)
    (records,) = forgetting.handed_on(LOGS)
    span = spans.resource_spans[0].scope_spans[0].spans[0]
    log = records.resource_logs[0].scope_logs[0].log_records[0]
    assert (span.name, span.trace_id.hex(), span.end_time_unix_nano) == (
        "predict m",
        SPAN.trace_id,
        2_000_000_000,
    )
    assert {a.key: a.value.int_value for a in log.attributes} == {"feature.age": 41}
    assert log.time_unix_nano == 1_000_000_000
