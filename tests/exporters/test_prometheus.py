import math
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sidecar import catalog
from sidecar.exporters.prometheus import OPENMETRICS, TEXT, prefers_openmetrics, render
from sidecar.metric import Metric, MetricKind
from sidecar.registry import Registry
from tests.exporters.filled import filled_registry, series_of_snapshot

OPENMETRICS_ACCEPT = "application/openmetrics-text;version=1.0.0"
PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def parsed(registry: Registry, accept: str = "") -> dict:
    body, _ = render(registry.snapshot(), accept)
    parse = parse_openmetrics if prefers_openmetrics(accept) else parse_text
    return {family.name: family for family in parse(body.decode())}


def samples(families: dict) -> dict:
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families.values() for s in f.samples}


@pytest.mark.parametrize("accept", ["", OPENMETRICS_ACCEPT])
def test_every_series_of_every_family_is_there_with_its_value(accept):
    registry = filled_registry()
    found = samples(parsed(registry, accept))

    own = {key: value for key, value in found.items() if not key[0].startswith("process_")}
    assert len(own) == series_of_snapshot(registry.snapshot())
    for family in registry.snapshot().families:
        if family.metric.kind is MetricKind.HISTOGRAM:
            continue
        for labels, value in family.series:
            key = tuple(sorted(zip(family.metric.labels, labels, strict=True)))
            assert own[(family.metric.name, key)] == value


@pytest.mark.parametrize("accept", ["", OPENMETRICS_ACCEPT])
def test_every_family_is_announced_with_its_type_even_before_it_has_series(accept):
    families = parsed(Registry(), accept)

    for metric in catalog.ALL:
        name = metric.name.removesuffix("_total") if metric.kind is MetricKind.COUNTER else metric.name
        assert families[name].type == metric.kind, metric.name


def test_both_formats_say_the_same():
    registry = filled_registry()

    text, openmetrics = samples(parsed(registry)), samples(parsed(registry, OPENMETRICS_ACCEPT))

    def own(found: dict) -> dict:
        return {key: value for key, value in found.items() if not key[0].startswith("process_")}

    assert own(text) == own(openmetrics)


def test_buckets_are_cumulative_and_their_bounds_are_spelt_as_client_libraries_spell_them():
    registry = Registry()
    histogram = registry.histogram(catalog.REQUEST_SIZE)
    for size in (1, 64, 65, 10**9):
        histogram.observe(size, "m", "1")

    body = render(registry.snapshot())[0].decode()

    assert 'inference_request_size_bytes_bucket{model_name="m",model_version="1",le="64.0"} 2\n' in body
    assert 'inference_request_size_bytes_bucket{model_name="m",model_version="1",le="256.0"} 3\n' in body
    assert 'le="6.7108864e+07"} 3\n' in body
    assert 'inference_request_size_bytes_bucket{model_name="m",model_version="1",le="+Inf"} 4\n' in body
    assert 'inference_request_size_bytes_count{model_name="m",model_version="1"} 4\n' in body
    assert 'inference_request_size_bytes_sum{model_name="m",model_version="1"} 1000000130.0\n' in body


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.sampled_from(["", OPENMETRICS_ACCEPT]))
@example('quote " backslash \\ newline \n } , = # é 🦀 \\n \\" \\', "")
@example('quote " backslash \\ newline \n } , = # é 🦀 \\n \\" \\', OPENMETRICS_ACCEPT)
@example('} 1\nevil_metric{a="b"} 2', "")
@example("%s %d {0}", "")
def test_any_label_value_comes_back_as_it_went_in(value, accept):
    registry = Registry()
    registry.gauge(catalog.FEATURE_MEAN).set(1.5, "m", "1", value)

    families = parsed(registry, accept)

    (sample,) = families["inference_feature_mean"].samples
    assert sample.labels["feature"] == value
    assert sample.value == 1.5
    assert "evil_metric" not in families


def test_a_lone_surrogate_does_not_cost_the_scrape():
    registry = Registry()
    registry.gauge(catalog.FEATURE_MEAN).set(1, "m", "1", "\ud800")

    assert (
        samples(parsed(registry))[
            ("inference_feature_mean", (("feature", "?"), ("model_name", "m"), ("model_version", "1")))
        ]
        == 1
    )


@pytest.mark.parametrize("accept", ["", OPENMETRICS_ACCEPT])
@pytest.mark.parametrize("value", [0, 3, 0.1, -2.5, 1e21, 5e-324, math.inf, -math.inf, math.nan])
def test_any_number_comes_back_as_it_went_in(value, accept):
    registry = Registry()
    registry.gauge(catalog.OBSERVER_LAG).set(value)

    (sample,) = parsed(registry, accept)["sidecar_observer_lag_seconds"].samples

    assert sample.value == value or (math.isnan(value) and math.isnan(sample.value))


def test_what_is_no_finite_number_is_spelt_as_the_formats_want():
    registry = Registry()
    for name, value in (("a", math.inf), ("b", -math.inf), ("c", math.nan)):
        registry.gauge(catalog.FEATURE_MEAN).set(value, "m", "1", name)

    lines = render(registry.snapshot())[0].decode().splitlines()

    spelt = [line.rpartition(" ")[2] for line in lines if line.startswith("inference_feature_mean{")]
    assert spelt == ["+Inf", "-Inf", "NaN"]


def test_help_with_quotes_newlines_and_backslashes_is_escaped_as_each_format_wants():
    metric = Metric("x", MetricKind.GAUGE, 'a "b" \\ c\nd')
    for accept in ("", OPENMETRICS_ACCEPT):
        assert parsed(Registry([metric]), accept)["x"].documentation == 'a "b" \\ c\nd'


def test_openmetrics_ends_with_eof_says_units_and_has_no_created_series():
    body = render(filled_registry().snapshot(), OPENMETRICS_ACCEPT)[0].decode()

    assert body.endswith("\n# EOF\n")
    assert body.count("# EOF") == 1
    assert "# UNIT inference_request_duration_seconds seconds\n" in body
    assert "# UNIT sidecar_relay_bytes bytes\n" in body
    assert "_created" not in body


@pytest.mark.parametrize("accept", ["", OPENMETRICS_ACCEPT])
def test_process_metrics_describe_this_process(accept):
    families = parsed(Registry(), accept)

    assert families["process_resident_memory_bytes"].samples[0].value > 1e6
    assert families["process_cpu_seconds"].samples[0].name == "process_cpu_seconds_total"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2_42, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        (BROWSER, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text;version=0.0.1,text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;version=abc", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=high", TEXT),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT),
        (";;,,==;q=;version=", TEXT),
    ],
)
def test_the_format_is_the_best_one_the_scraper_reads(accept, expected):
    assert render(Registry().snapshot(), accept)[1] == expected


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_no_accept_header_is_a_problem(accept):
    assert prefers_openmetrics(accept) in (True, False)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say_about_a_scrape():
    body, _ = render(filled_registry(value='é"\\\n').snapshot())

    result = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)

    assert (result.returncode, result.stderr) == (0, b"")
