"""What is pushed: only what is asked for, nothing that must not leave, and the same numbers on both paths."""

import pytest

from sidecar import catalog
from sidecar.config.telemetry import LogsSection, OtlpSection, TracesSection
from sidecar.exporters.prometheus import render
from sidecar.inference import ModelRef
from sidecar.observer.telemetry import DriftActive, Telemetry, _settings
from sidecar.registry import Registry
from tests.fakes import exchange, inference

ENDPOINT = "http://127.0.0.1:1"


def telemetry(otlp: OtlpSection, environ: dict[str, str] | None = None) -> Telemetry:
    return Telemetry(otlp, environ or {}, Registry(), "1", "here")


def made(found: Telemetry) -> list[str]:
    found.close(Registry().snapshot())
    return [type(monitor).__name__ for monitor in found.monitors]


def test_without_a_collector_nothing_looks_at_an_exchange():
    found = telemetry(OtlpSection(traces=TracesSection(ratio=1)), {"OTEL_TRACES_SAMPLER": "always_on"})

    assert found.metrics is None
    assert made(found) == []


def test_a_collector_alone_gets_metrics_and_nothing_else():
    found = telemetry(OtlpSection(endpoint=ENDPOINT))

    assert found.metrics is not None
    assert made(found) == []


@pytest.mark.parametrize(
    ("otlp", "environ", "expected"),
    [
        (OtlpSection(endpoint=ENDPOINT, traces=TracesSection(ratio=0)), {}, ["Spans"]),
        (OtlpSection(endpoint=ENDPOINT), {"OTEL_TRACES_SAMPLER": "always_on"}, ["Spans"]),
        (OtlpSection(endpoint=ENDPOINT, traces=TracesSection(ratio=1)), {"OTEL_TRACES_EXPORTER": "none"}, []),
        (OtlpSection(endpoint=ENDPOINT, logs=LogsSection(ratio=1, features={"a": "keep"})), {}, ["Records"]),
        (OtlpSection(endpoint=ENDPOINT, logs=LogsSection(ratio=0, features={"a": "keep"})), {}, []),
        (
            OtlpSection(endpoint=ENDPOINT, logs=LogsSection(ratio=1, features={"a": "keep"})),
            {"OTEL_LOGS_EXPORTER": "none"},
            [],
        ),
    ],
)
def test_spans_and_records_are_there_when_they_are_asked_for_and_not_switched_off(otlp, environ, expected):
    assert made(telemetry(otlp, environ)) == expected


def test_failures_and_drops_are_counters_of_each_signal_from_zero():
    registry = Registry()
    logs = LogsSection(ratio=1, features={"age": "keep"})
    otlp = OtlpSection(endpoint=ENDPOINT, traces=TracesSection(ratio=1), logs=logs)
    found = Telemetry(otlp, {"OTEL_METRICS_EXPORTER": "none"}, registry, "1", "here")
    text = render(registry.snapshot())[0].decode()
    for monitor in found.monitors:
        monitor.observe(exchange(), inference(age=[1]))
    found.close(registry.snapshot())

    for signal in ("traces", "logs"):
        for name in (catalog.OTLP_EXPORT_FAILURES.name, catalog.OTLP_DROPPED.name):
            assert f'{name}{{signal="{signal}"}} 0.0' in text
            assert registry.value(name, signal=signal) == 1


def test_a_value_that_is_wrong_for_all_signals_is_said_once(caplog):
    otlp = OtlpSection(endpoint=ENDPOINT, traces=TracesSection(ratio=1))
    made(telemetry(otlp, {"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}))

    assert len([m for m in caplog.messages if "TIMEOUT" in m]) == 1


def test_exemplars_and_exponential_histograms_follow_the_usual_variables():
    registry = Registry()
    environ = {
        "OTEL_METRICS_EXEMPLAR_FILTER": "always_off",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
    }
    Telemetry(OtlpSection(endpoint=ENDPOINT), environ, registry, "1", "here").close(registry.snapshot())

    histogram = registry.histogram(catalog.REQUEST_DURATION)
    assert (histogram.exponential, histogram.exemplars_limit) == (True, 0)


def test_a_drift_verdict_is_seen_within_a_second_and_only_for_its_model():
    registry = Registry()
    active = DriftActive(registry)
    gauge = registry.gauge(catalog.DRIFT_ACTIVE)
    model = ModelRef("m", "1")
    assert not active(model, 1.0)
    gauge.set(1, "m", "1", "feature", "age", "ticket")

    assert not active(model, 1.5)
    assert active(model, 2.0)
    assert not active(ModelRef("m", "2"), 2.0)
    gauge.set(0, "m", "1", "feature", "age", "ticket")
    assert not active(model, 3.0)


def test_how_it_is_sent_is_what_the_configuration_says_then_what_the_variables_say(tmp_path):
    secret = tmp_path / "headers"
    secret.write_text("Authorization: Bearer hunter2\nx-scope-orgid: of the file\n")
    otlp = OtlpSection(
        endpoint=ENDPOINT,
        headers={"x-scope-orgid": "ml", "x-a": "1"},
        headers_file=str(secret),
        timeout="5s",
        compression="gzip",
    )
    environ = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
        "OTEL_METRIC_EXPORT_INTERVAL": "20000",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-a=2,x-b=3",
    }

    found = _settings(otlp, environ, "1", "here")["metrics"]

    assert found is not None
    assert (found.timeout, found.interval, found.compression) == (5.0, 20.0, "gzip")
    assert found.headers == {
        "authorization": "Bearer hunter2", "x-scope-orgid": "of the file", "x-a": "1", "x-b": "3",
    }  # fmt: skip
    assert "hunter2" not in repr(found)


def test_a_file_of_headers_that_has_gone_is_said_and_the_rest_is_sent(tmp_path, caplog):
    otlp = OtlpSection(endpoint=ENDPOINT, headers={"x-a": "1"}, headers_file=str(tmp_path / "gone"))

    found = _settings(otlp, {}, "1", "here")["metrics"]

    assert found is not None
    assert found.headers == {"x-a": "1"}
    assert "otlp.headers_file: cannot be read" in caplog.text
