"""Counters and histograms go on where they were."""

import math

import pytest

from sidecar import catalog
from sidecar.observer import saved_series
from sidecar.profiles.state_file import dump, parse
from sidecar.registry import Registry

MODEL = ("m", "1")


def filled() -> Registry:
    registry = Registry(started=1_000.0)
    registry.counter(catalog.ROWS).add(41.5, *MODEL)
    registry.counter(catalog.SLO_EVENTS).add(0, *MODEL, "availability", "bad")
    registry.histogram(catalog.REQUEST_SIZE).observe(1_000.0, *MODEL)
    registry.gauge(catalog.DRIFT_ACTIVE).set(1, *MODEL, "feature", "x", "page")
    return registry


def through_a_file(registry: Registry) -> dict:
    return parse("t", dump("t", saved_series.document(registry.snapshot())))


def everything(metric, labels) -> bool:
    return True


def test_counters_and_histograms_survive_and_gauges_do_not():
    registry = Registry(started=2_000.0)
    saved_series.restore(through_a_file(filled()), registry, everything)

    registry.counter(catalog.ROWS).add(1, *MODEL)
    assert registry.value("inference_rows_total") == 42.5
    assert (*MODEL, "availability", "bad") in registry.counter(catalog.SLO_EVENTS).values
    before, after = (r.histogram(catalog.REQUEST_SIZE).values[MODEL] for r in (filled(), registry))
    assert (before.counts, before.sum) == (after.counts, after.sum)
    assert registry.value("inference_drift_active") == 0
    assert registry.started == 1_000.0


def test_series_that_are_not_wanted_are_left():
    registry = Registry()
    assert saved_series.restore(through_a_file(filled()), registry, lambda metric, labels: False) == 0
    assert registry.value("inference_rows_total") == 0


def test_a_family_whose_meaning_changed_is_left():
    document = through_a_file(filled())
    for family in document["families"]:
        if family["name"] == "inference_rows_total":
            family["labels"] = ["model_name", "version"]
        if family["name"] == "inference_request_size_bytes":
            family["buckets"] = [1.0]
    document["families"].append({"name": "inference_gone_total", "labels": [], "buckets": [], "series": []})
    registry = Registry()
    saved_series.restore(document, registry, everything)
    assert registry.value("inference_rows_total") == 0
    assert registry.value("inference_request_size_bytes") == 0
    assert (*MODEL, "availability", "bad") in registry.counter(catalog.SLO_EVENTS).values


def test_a_histogram_without_a_sum_is_lost_alone():
    registry = filled()
    registry.histogram(catalog.REQUEST_SIZE).observe(math.inf, *MODEL)
    other = Registry()
    saved_series.restore(through_a_file(registry), other, everything)
    assert other.value("inference_request_size_bytes") == 0
    assert other.value("inference_rows_total") == 41.5


@pytest.mark.parametrize("series", [[["m"], 1], [["m", 1], 1], [["m", "1"], "x"], [["m", "1"], None], [1], 7])
def test_what_is_no_document_of_ours_changes_nothing(series):
    document = through_a_file(filled())
    next(f for f in document["families"] if f["name"] == "inference_rows_total")["series"].append(series)
    registry = Registry()
    with pytest.raises(ValueError):
        saved_series.restore(document, registry, everything)
    assert registry.value("inference_slo_events_total") == 0


@pytest.mark.parametrize("document", [None, [], {}, {"families": 1}, {"families": [{}], "started": 1}])
def test_what_is_no_document_at_all_is_a_value_error(document):
    with pytest.raises(ValueError):
        saved_series.restore(document, Registry(), everything)


def test_a_restored_model_that_nobody_asks_for_a_day_leaves():
    registry = Registry()
    requests = registry.counter(catalog.REQUESTS)
    for version in ("1", "2"):
        requests.add(5, "m", version, "v2", "predict", "200", "ok")
    restored = saved_series.Restored(registry, now=100.0)
    requests.add(1, "m", "2", "v2", "predict", "200", "ok")
    assert restored.expire(100.0 + 86_400.0) == []
    assert restored.expire(100.0 + 86_401.0) == [{"model_name": "m", "model_version": "1"}]
    assert restored.expire(100.0 + 186_401.0) == []


def test_a_full_family_takes_no_more_than_it_holds():
    registry = Registry()
    rows = registry.counter(catalog.ROWS)
    for at in range(catalog.ROWS.limit):
        rows.add(1, "m", str(at))
    registry.go_on(catalog.ROWS, ("m", "another"), 5.0)
    assert len(rows.values) == catalog.ROWS.limit
