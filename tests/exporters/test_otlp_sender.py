"""Against real receivers, and against collectors nobody wants."""

import logging
import re
import subprocess
import sys
from functools import partial

import pytest

from sidecar.exporters import otlp_data
from sidecar.exporters.otlp_sender import MetricsSender
from sidecar.exporters.otlp_settings import GRPC, HTTP, OtlpSettings, otlp_settings
from sidecar.exporters.otlp_transport import reason
from sidecar.exporters.prometheus import render
from tests.exporters.filled import filled_registry, own_series
from tests.exporters.sinks import closed_port, grpc_sink, hanging_sink, http_sink, seconds_to_end
from tests.exporters.translation import series_of_otlp

SINKS = {GRPC: grpc_sink, HTTP: http_sink}


def settings_for(endpoint: str, protocol: str, **environ: str) -> OtlpSettings:
    found = otlp_settings(environ, endpoint, protocol=protocol, version="1.2", instance="here")
    assert found is not None
    return found


def sent_once(settings: OtlpSettings) -> str:
    sender = MetricsSender(settings)
    try:
        return sender.send(filled_registry().snapshot(), None)
    finally:
        sender.close()


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_everything_a_scrape_says_arrives_at_a_real_receiver(protocol, compression):
    snapshot = filled_registry(value="é").snapshot()
    with SINKS[protocol]() as sink:
        settings = settings_for(
            sink.endpoint,
            protocol,
            OTEL_EXPORTER_OTLP_COMPRESSION=compression,
            OTEL_EXPORTER_OTLP_HEADERS="Api-Key=s3cr%3Dt",
        )
        sender = MetricsSender(settings)
        assert sender.send(snapshot, None) == ""
        sender.close()

    (request,) = sink.requests
    assert series_of_otlp(request) == own_series(render(snapshot)[0].decode())
    assert sink.headers[0]["api-key"] == "s3cr=t"
    resource = {a.key: a.value.string_value for a in request.resource_metrics[0].resource.attributes}
    assert resource == {
        "service.name": "inference-sidecar",
        "service.version": "1.2",
        "service.instance.id": "here",
    }


def test_over_http_metrics_go_to_their_path():
    with http_sink() as sink:
        assert sent_once(settings_for(sink.endpoint, HTTP)) == ""

    assert sink.paths == ["/v1/metrics"]


def test_an_export_too_large_for_one_message_is_split(monkeypatch):
    requests = partial(otlp_data.metrics_requests, most=20)
    monkeypatch.setattr(otlp_data, "metrics_requests", requests)
    snapshot = filled_registry().snapshot()
    for protocol, sink_of in SINKS.items():
        with sink_of() as sink:
            sender = MetricsSender(settings_for(sink.endpoint, protocol))
            assert sender.send(snapshot, None) == ""
            sender.close()

        assert len(sink.requests) > 1
        together = {}
        for request in sink.requests:
            together |= series_of_otlp(request)
        assert together == own_series(render(snapshot)[0].decode())


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_is_away_is_a_refused_connection(protocol):
    # Long enough for the HTTP exporter's first retry, before which it does not say why.
    settings = settings_for(f"http://127.0.0.1:{closed_port()}", protocol, OTEL_EXPORTER_OTLP_TIMEOUT="1500")

    assert sent_once(settings) == "connection refused"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (503, "unavailable (503)"),
        (401, "not authenticated"),
        (404, "it does not take metrics at this path"),
        (500, "the export failed"),
    ],
)
def test_a_collector_that_says_no_over_http_is_quoted_in_our_own_words(status, why):
    with http_sink(status) as sink:
        settings = settings_for(sink.endpoint, HTTP, OTEL_EXPORTER_OTLP_TIMEOUT="1500")

        assert sent_once(settings) == why


def test_a_collector_that_says_no_over_grpc_is_quoted_in_our_own_words():
    with grpc_sink() as sink:
        sink.status = 403

        assert sent_once(settings_for(sink.endpoint, GRPC)) == "not allowed"


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_never_answers_is_given_up_after_the_timeout(protocol):
    with hanging_sink() as sink:
        settings = settings_for(sink.endpoint, protocol, OTEL_EXPORTER_OTLP_TIMEOUT="200")

        assert sent_once(settings) == "no answer in time"


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_does_not_speak_tls_gives_one_line_of_log_and_nothing_else(protocol):
    """In a process of its own: gRPC's core decides when it is loaded whether it writes to stderr."""
    program = f"""
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
from sidecar.exporters.otlp import OtlpExporter
from sidecar.exporters.otlp_settings import otlp_settings
from sidecar.registry import Registry
environ = {{"OTEL_EXPORTER_OTLP_TIMEOUT": "500"}}
exporter = OtlpExporter(otlp_settings(environ, sys.argv[1], protocol="{protocol}"))
exporter.offer(Registry().snapshot())
exporter.close(seconds=30)
"""
    with http_sink() as sink:
        secure = sink.endpoint.replace("http://", "https://")
        run = subprocess.run(
            [sys.executable, "-c", program, secure], capture_output=True, text=True, check=True
        )

    assert run.stdout == ""
    assert re.fullmatch("cannot export metrics to https://.*; traffic is not affected\n", run.stderr)


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_the_sdk_writes_nothing_to_the_log(protocol, caplog):
    settings = settings_for(f"http://127.0.0.1:{closed_port()}", protocol, OTEL_EXPORTER_OTLP_TIMEOUT="300")
    caplog.set_level(logging.INFO)

    sent_once(settings)

    assert caplog.records == []


def test_words_nobody_foresaw_do_not_reach_the_log():
    assert reason("evil\r\nwords \x1b[31m") == "the export failed"


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_process_whose_collector_hangs_still_ends(protocol):
    """The bound is two seconds; the test allows for a slow machine and for starting Python."""
    program = f"""
import time
from sidecar.exporters.otlp import OtlpExporter
from sidecar.exporters.otlp_settings import otlp_settings
from sidecar.registry import Registry
import sys
registry = Registry()
exporter = OtlpExporter(otlp_settings({{}}, sys.argv[1], protocol="{protocol}"))
exporter.offer(registry.snapshot())
sys.stdin.readline()
began = time.monotonic()
exporter.close(registry.snapshot())
print(time.monotonic() - began)
"""
    assert seconds_to_end(program, timeout=20) < 5


def test_without_otlp_the_sdk_is_not_even_loaded():
    program = """
import sys
import sidecar.exporters.otlp
sys.exit("opentelemetry" in sys.modules or "grpc" in sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_http_does_not_load_grpc():
    program = """
import sys
from sidecar.exporters.otlp_sender import MetricsSender
from sidecar.exporters.otlp_settings import OtlpSettings
MetricsSender(OtlpSettings("http://127.0.0.1:1/v1/metrics"))
sys.exit("grpc" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
