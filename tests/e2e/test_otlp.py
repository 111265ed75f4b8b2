"""A request through a running sidecar: its metrics, its span and its record at a collector."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exporters.sinks import Sink, hanging_sink, http_sink
from tests.faults.running import eventually, sidecar
from tests.faults.servers import answer, ask, post, request, upstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PATH = "/v2/models/churn/versions/3/infer"
BODY = json.dumps({
    "inputs": [{"name": "age", "shape": [2], "datatype": "INT64", "data": [41, 17]}],
}).encode()  # fmt: skip
OPTIONS = {
    "SIDECAR_OTLP__TRACES__RATIO": "0",
    "SIDECAR_OTLP__LOGS": "{ratio: 1, rows: 5, features: {age: {bucket: [18, 30]}}, outputs: {churn: keep}}",
}


async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    output = {"name": "churn", "shape": [2], "datatype": "FP64", "data": [0.25, 0.75]}
    said = json.dumps({"model_name": "churn", "model_version": "3", "outputs": [output]}).encode()
    while True:
        await request(reader)
        writer.write(answer(said))


def traced() -> bytes:
    head, _, body = post(BODY, PATH).partition(b"\r\n\r\n")
    return head + f"\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n\r\n".encode() + body


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Not in the test itself: it has a loop of its own."""
    with http_sink() as found:
        yield found


async def test_metrics_a_span_and_records_reach_the_collector(tmp_path: Path, sink: Sink):
    environment = {**OPTIONS, "SIDECAR_OTLP__ENDPOINT": sink.endpoint}
    async with upstream(model) as server:
        began = time.time()
        with sidecar(tmp_path, server.name, environment=environment) as running:
            await ask(running.address, traced())
            await ask(running.address, post(BODY, PATH))
            await eventually(
                lambda: running.metric("inference_requests_total", outcome="ok") == 2, "two requests"
            )
            assert running.metric("sidecar_otlp_export_failures_total", signal="traces") == 0
            assert await asyncio.to_thread(running.stop) == 0
    found = dict(zip(sink.paths, sink.requests, strict=True))

    (span,) = found["/v1/traces"].resource_spans[0].scope_spans[0].spans
    assert (span.trace_id.hex(), span.name) == (TRACE, "predict churn")
    assert began - 1 < span.start_time_unix_nano / 1e9 <= span.end_time_unix_nano / 1e9 < time.time() + 1
    records = found["/v1/logs"].resource_logs[0].scope_logs[0].log_records
    fields = [{a.key: a.value for a in record.attributes} for record in records]
    assert [f["feature.age"].string_value for f in fields] == [">=30", "<18"] * 2
    assert [f["output.churn"].double_value for f in fields] == [0.25, 0.75] * 2
    metrics = {m.name: m for m in found["/v1/metrics"].resource_metrics[0].scope_metrics[0].metrics}
    durations = metrics["inference.request.duration"].histogram.data_points
    assert [e.trace_id.hex() for point in durations for e in point.exemplars] == [TRACE]


async def test_a_collector_that_never_answers_keeps_nobody(tmp_path: Path):
    with hanging_sink() as sink:
        environment = {**OPTIONS, "SIDECAR_OTLP__ENDPOINT": sink.endpoint}
        async with upstream(model) as server:
            with sidecar(tmp_path, server.name, environment=environment) as running:
                for _ in range(5):
                    await ask(running.address, traced())
                await eventually(
                    lambda: running.metric("inference_requests_total", outcome="ok") == 5, "five requests"
                )
                began = time.monotonic()
                assert await asyncio.to_thread(running.stop) == 0
            # Two seconds are its bound; the rest is for a slow machine. OpenTelemetry's SDK takes 30.
            assert time.monotonic() - began < 15
