import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.exporters.otlp_settings import otlp_settings

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def test_without_an_endpoint_nothing_is_exported():
    assert otlp_settings({}) is None
    assert otlp_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}) is None
    assert otlp_settings({"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None


@pytest.mark.parametrize(
    "off",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_METRICS_EXPORTER": "prometheus"},
    ],
)
def test_the_usual_switches_turn_export_off_whatever_the_configuration_says(off):
    assert otlp_settings({**ENDPOINT, **off}) is None
    assert otlp_settings(off, "http://collector:4317") is None


@pytest.mark.parametrize(
    "on", [{"OTEL_SDK_DISABLED": "false"}, {"OTEL_METRICS_EXPORTER": "prometheus, otlp"}]
)
def test_a_switch_that_says_otlp_leaves_it_on(on):
    assert otlp_settings({**ENDPOINT, **on})


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://c:4318", "http://c:4318/v1/metrics"),
        ("http://c:4318/", "http://c:4318/v1/metrics"),
        ("https://c/otlp", "https://c/otlp/v1/metrics"),
        ("https://c/otlp/v1/metrics", "https://c/otlp/v1/metrics"),
        ("http://c:4317", "http://c:4317"),
    ],
)
def test_a_base_endpoint_gets_the_path_of_metrics_when_the_protocol_is_http(endpoint, expected):
    assert otlp_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}).endpoint == expected
    assert otlp_settings({}, endpoint).endpoint == expected


def test_the_endpoint_for_metrics_wins_over_the_base_and_is_taken_as_it_is():
    environ = {**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://other:9/here"}

    assert otlp_settings(environ).endpoint == "http://other:9/here"


def test_our_own_configuration_wins_over_the_variables():
    environ = {**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://other:9/here"}

    assert otlp_settings(environ, "http://mine:4317").endpoint == "http://mine:4317"


def test_protocol_headers_and_interval_of_our_configuration_win_over_the_variables():
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=2",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
    }
    found = otlp_settings(
        environ, "http://mine:4317", protocol="http/protobuf", headers={"b": "3"}, interval=30
    )

    assert (found.protocol, found.endpoint) == ("http/protobuf", "http://mine:4317/v1/metrics")
    assert found.headers == {"a": "1", "b": "3"}
    assert found.interval == 30


@pytest.mark.parametrize(
    ("endpoint", "protocol"),
    [
        ("http://c:4317", "grpc"),
        ("c:4317", "grpc"),
        ("http://c:4318", "http/protobuf"),
        ("https://c", "http/protobuf"),
        ("http://c:notaport", "http/protobuf"),
    ],
)
def test_without_a_protocol_the_port_tells(endpoint, protocol):
    assert otlp_settings({}, endpoint).protocol == protocol


def test_a_protocol_that_is_given_wins_over_the_port_and_the_signal_over_the_base():
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert otlp_settings(environ, "http://c:4318").protocol == "grpc"

    environ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"] = "http/protobuf"
    assert otlp_settings(environ, "http://c:4317").protocol == "http/protobuf"


def test_times_are_milliseconds_as_the_specification_says():
    environ = {**ENDPOINT, "OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_METRIC_EXPORT_INTERVAL": "15000"}

    found = otlp_settings(environ)

    assert (found.timeout, found.interval) == (2.5, 15.0)


def test_defaults_are_those_of_the_specification():
    found = otlp_settings(ENDPOINT)

    assert (found.timeout, found.interval, found.compression, found.delta) == (10.0, 60.0, "none", False)
    assert found.problems == ()


def test_an_interval_below_a_second_becomes_a_second():
    assert otlp_settings({**ENDPOINT, "OTEL_METRIC_EXPORT_INTERVAL": "15"}).interval == 1.0


def test_headers_are_percent_decoded_and_never_shown():
    found = otlp_settings({**ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cr%3Dt, x=1,"})

    assert found.headers == {"api-key": "s3cr=t", "x": "1"}
    assert "s3cr" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "inf"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
    ],
)
def test_a_value_that_means_nothing_is_reported_once_and_the_default_stands(name, value):
    found, usual = otlp_settings({**ENDPOINT, name: value}), otlp_settings(ENDPOINT)

    assert len(found.problems) == 1
    assert "s3cret" not in found.problems[0]
    assert (found.protocol, found.timeout, found.interval, found.compression, found.delta, found.headers) == (
        usual.protocol, usual.timeout, usual.interval, usual.compression, usual.delta, usual.headers,
    )  # fmt: skip


def test_grpc_knows_no_deflate():
    environ = {"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}

    assert otlp_settings(environ, "http://c:4318").compression == "deflate"
    assert otlp_settings(environ, "http://c:4317").compression == "none"


@pytest.mark.parametrize(("value", "delta"), [("delta", True), ("LowMemory", True), ("cumulative", False)])
def test_temporality_is_cumulative_unless_delta_is_preferred(value, delta):
    environ = {**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": value}

    assert otlp_settings(environ).delta is delta


def test_the_destination_that_people_read_has_no_password():
    found = otlp_settings({}, "https://user:s3cret@collector:4318")

    assert found.destination == "collector:4318/v1/metrics"


@pytest.mark.parametrize("signal", ["metrics", "traces", "logs"])
def test_each_signal_has_its_own_path_and_its_own_variables(signal):
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/v1/metrics",
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT": "2000",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3000",
    }
    found = otlp_settings(environ, signal=signal)

    assert (found.endpoint, found.timeout, found.signal) == (f"http://c:4318/v1/{signal}", 2.0, signal)
    assert otlp_settings({**environ, f"OTEL_{signal.upper()}_EXPORTER": "none"}, signal=signal) is None


@pytest.mark.parametrize(
    ("value", "exponential"),
    [("base2_exponential_bucket_histogram", True), ("explicit_bucket_histogram", False), ("linear", False)],
)
def test_histograms_have_buckets_unless_exponential_ones_are_preferred(value, exponential):
    environ = {**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": value}

    assert otlp_settings(environ).exponential is exponential


@settings(max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_in_the_environment_is_a_problem(endpoint, other):
    names = ("PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION")
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_RESOURCE_ATTRIBUTES": other}
    environ.update({f"OTEL_EXPORTER_OTLP_{name}": other for name in names})

    found = otlp_settings(environ)

    assert found is None or found.destination is not None
