import json
from dataclasses import replace

from sidecar import catalog, catalog_quality
from sidecar.admin.status import MAX_FEATURES, Details, status
from sidecar.registry import Registry
from tests.admin.incident import broken, healthy


def status_of(registry: Registry, *, before=None, details: Details | None = None) -> dict:
    now = replace(registry.snapshot(), taken=1_300.0)
    return status(now, before, details or {})


def incident(*, details: Details | None = None) -> dict:
    registry = Registry(started=1_000.0)
    healthy(registry)
    broken(registry)
    return status_of(registry, details=details)


def test_traffic_is_judged_over_the_window_and_not_since_the_start():
    registry = Registry(started=0.0)
    healthy(registry)
    before = replace(registry.snapshot(), taken=1_290.0)
    registry.counter(catalog.REQUESTS).add(20, "churn", "3", "v2", "predict", "500", "server_error")

    found = status_of(registry, before=before)

    assert found["window_seconds"] == 10.0
    assert found["traffic"]["requests_per_second"] == 2.0
    assert found["traffic"]["error_ratio"] == 1.0
    assert found["traffic"]["requests_total"] == 1_020
    assert found["traffic"]["p99_seconds"] is None


def test_client_errors_are_no_errors_of_the_model_server():
    registry = Registry(started=0.0)
    requests = registry.counter(catalog.REQUESTS)
    requests.add(98, "m", "1", "v2", "predict", "200", "ok")
    requests.add(2, "m", "1", "v2", "predict", "500", "server_error")
    requests.add(100, "m", "1", "v2", "predict", "400", "client_error")
    requests.add(50, "m", "1", "v2", "predict", "", "unobserved")

    (model,) = status_of(registry)["models"]

    assert model["error_ratio"] == 0.02
    assert model["client_error_ratio"] == 0.4
    assert model["requests"] == 250


def test_latency_is_that_of_good_answers():
    registry = Registry(started=0.0)
    durations = registry.histogram(catalog.REQUEST_DURATION)
    for _ in range(100):
        durations.observe(0.02, "m", "1", "v2", "ok")
        durations.observe(50.0, "m", "1", "v2", "server_error")

    traffic = status_of(registry)["traffic"]

    assert 0.01 < traffic["p50_seconds"] < traffic["p99_seconds"] <= 0.025


def test_the_burn_rate_is_the_one_the_rules_use():
    found = incident()["objectives"]

    worst, next_worst = found
    assert worst["slo"] == "feature_availability"
    assert round(worst["burn_rate"], 1) == round(700 / 1700 / 0.001, 1)
    assert round(next_worst["burn_rate"], 1) == round(60 / 1060 / 0.001, 1)


def test_features_come_worst_first_with_what_is_wrong_with_them():
    found = incident()["features"]

    assert [feature["feature"] for feature in found[:3]] == ["balance", "age", "country"]
    balance, age = found[:2]
    assert balance["available_ratio"] == 2000 / 2700
    assert balance["states"] == {"valid": 2000, "null": 700}
    assert age["available_ratio"] == 1.0
    assert (age["invalid_ratio"], age["psi"], age["drift"]) == (20 / 2020, 0.41, "ticket")


def test_out_of_range_is_not_unavailable_but_every_other_fault_is():
    registry = Registry(started=0.0)
    values = registry.counter(catalog.FEATURE_VALUES)
    for state in catalog.FEATURE_STATES:
        values.add(1, "m", "1", "f", state)

    (feature,) = status_of(registry)["features"]

    assert feature["available_ratio"] == 3 / 8
    assert feature["invalid_ratio"] == 2 / 8


def test_a_thousand_features_are_counted_and_the_worst_shown():
    registry = Registry(started=0.0)
    values = registry.counter(catalog.FEATURE_VALUES)
    for i in range(1_000):
        values.add(i, "m", "1", f"f{i}", "valid")
        values.add(1, "m", "1", f"f{i}", "null")

    found = status_of(registry)

    assert found["features_total"] == 1_000
    assert len(found["features"]) == MAX_FEATURES
    assert found["features"][0]["feature"] == "f0"


def test_verdicts_that_stand_are_listed_and_those_at_zero_are_not():
    assert [(d["name"], d["level"], d["psi"]) for d in incident()["drift"]] == [("age", "ticket", 0.41)]


def test_what_was_not_seen_is_listed_with_its_reason():
    found = incident()["not_seen"]

    assert found["undecoded"] == [{"reason": "not_json", "protocol": "v2", "recent": 7, "total": 7}]
    assert found["chunks_dropped"] == [{"reason": "observer_behind", "recent": 3, "total": 3}]
    assert (found["blind_connections"], found["connections"]) == (1, 17)


def test_references_in_use_and_those_being_learnt_are_listed():
    found = incident(details={"learning": {"fraud": {"rows": 3, "needed": 1000}}})["references"]

    assert [(r["model_name"], r["source"]) for r in found] == [("churn", "given"), ("fraud", "learning")]


def test_our_own_cost_is_cores_and_bytes_of_each_process():
    found = incident()["cost"]

    assert found["cpu"]["relay"] == 9.0 / 300
    assert found["memory_bytes"]["observer"] == 142 * 2**20


def test_a_fresh_start_is_all_unknown_and_nothing_raises():
    found = status(Registry(started=1_000.0).snapshot(), None, {})

    assert found["traffic"]["error_ratio"] is None
    assert found["features"] == found["models"] == found["drift"] == []
    assert json.dumps(found, allow_nan=False)


def test_two_snapshots_of_the_same_moment_divide_by_nothing():
    registry = Registry(started=1_000.0)
    healthy(registry)
    now = registry.snapshot()

    assert status(now, now, {})["traffic"]["requests_per_second"] is None


def test_drift_within_a_segment_says_where_and_comes_after_what_is_not_folded():
    registry = Registry(started=1_000.0)
    healthy(registry)
    broken(registry)
    active = registry.gauge(catalog_quality.SEGMENT_DRIFT_ACTIVE)
    for value, name, state in (("acme", "age", "folded"), ("blue", "balance", "alone")):
        active.set(1, "churn", "3", "tenant", value, "feature", name, state)
    found = status_of(registry)["drift"]
    assert [(d["name"], d.get("value"), d.get("folded")) for d in found] == [
        ("age", None, None), ("balance", "blue", False), ("age", "acme", True),
    ]  # fmt: skip
    assert found[1]["segment"] == "tenant" and found[1]["level"] == "ticket"
