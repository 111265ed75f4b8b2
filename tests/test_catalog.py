"""Every metric we emit is well formed, on both paths."""

import re

import pytest

from sidecar import catalog
from sidecar.metric import MetricKind

ALL = pytest.mark.parametrize("metric", catalog.ALL, ids=lambda metric: metric.name)

_UNIT_WORDS = {"s": "seconds", "By": "bytes"}


def prometheus_name(otlp: str, unit: str, kind: MetricKind) -> str:
    """The translation of an OTLP name that Prometheus and the Collector do by default.

    After the OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility": characters that are
    not allowed become underscores, runs of them one; the unit's word is appended unless the name has it,
    an annotation in braces adds nothing; a monotonic sum ends in `_total`. Prometheus' translator appends
    `_ratio` to gauges of unit 1.
    """
    tokens = [token for token in re.split(r"[^a-zA-Z0-9]+", otlp) if token]
    word = _UNIT_WORDS.get(unit, "")
    if word and word not in tokens:
        tokens.append(word)
    for suffix, wanted in (
        ("total", kind is MetricKind.COUNTER),
        ("ratio", kind is MetricKind.GAUGE and unit == "1"),
    ):
        if wanted:
            tokens = [*(token for token in tokens if token != suffix), suffix]
    return "_".join(tokens)


@ALL
def test_the_standard_translation_of_the_otlp_name_is_the_prometheus_name(metric):
    assert prometheus_name(metric.otlp_name, metric.unit, metric.kind) == metric.name


@ALL
def test_the_otlp_name_has_dots_and_no_suffix_of_a_unit(metric):
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", metric.otlp_name)
    assert not metric.otlp_name.endswith(("seconds", "bytes", "total", "ratio"))


@ALL
def test_a_name_and_its_labels_are_what_prometheus_allows(metric):
    assert re.fullmatch(r"(inference|sidecar|gen_ai)_[a-z0-9_]+", metric.name)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in metric.labels)
    assert len(set(metric.labels)) == len(metric.labels)


@ALL
def test_only_counters_end_in_total_and_only_histograms_have_buckets(metric):
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    assert bool(metric.buckets) == (metric.kind is MetricKind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


@ALL
def test_capped_and_closed_labels_are_labels_and_never_both(metric):
    assert set(metric.capped) <= set(metric.labels)
    assert set(metric.closed) <= set(metric.labels)
    assert not set(metric.capped) & set(metric.closed)


@ALL
def test_every_inference_metric_says_which_model(metric):
    if metric.name.startswith(("inference_", "gen_ai_")):
        assert metric.labels[0] == "model_name"
        assert "model_version" in metric.labels or metric is catalog.IN_FLIGHT


def test_names_are_unique_on_both_paths():
    assert len({metric.name for metric in catalog.ALL}) == len(catalog.ALL)
    assert len({metric.otlp_name for metric in catalog.ALL}) == len(catalog.ALL)


def test_the_states_of_a_feature_are_in_the_order_of_the_enum():
    from sidecar.batch import State

    assert tuple(state.name.lower() for state in State) == catalog.FEATURE_STATES
