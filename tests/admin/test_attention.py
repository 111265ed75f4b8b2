from sidecar import catalog
from sidecar.admin.attention import sentences
from sidecar.registry import Registry
from tests.admin.incident import healthy
from tests.admin.test_status import incident, status_of


def test_the_worst_comes_first_and_every_finding_is_one_sentence():
    found = [(note["level"], note["text"]) for note in incident()["attention"]]

    assert found == [
        ("bad", "feature availability of churn v3: 700 of 1,700 bad, budget burning at 411.8×"),
        ("bad", "availability of churn v3: 60 of 1,060 bad, budget burning at 56.6×"),
        ("bad", "2 connections found no model server"),
        ("warn", "feature age of churn v3 drifts (PSI 0.41)"),
        ("warn", "3 chunks of traffic were relayed but not read"),
        ("warn", "7 inference payloads could not be read"),
        ("warn", "1 connection is relayed but cannot be read"),
    ]


def test_healthy_traffic_needs_no_attention():
    registry = Registry(started=1_000.0)
    healthy(registry)

    assert status_of(registry)["attention"] == []


def test_before_the_first_inference_the_page_says_where_to_send_it():
    found = status_of(Registry(started=0.0), details={"listen": "0.0.0.0:18080"})["attention"]

    assert found == [{"level": "info", "text": "no inference seen yet: send requests to 0.0.0.0:18080"}]


def test_problems_with_the_data_are_said_in_their_own_words():
    registry = Registry(started=1_000.0)
    healthy(registry)
    text = "values are 1,000 times the reference's"
    broken = {"model": "churn", "feature": "income", "problem": "unit_change", "text": text, "since": 7.0}
    twice = {"model": "churn", "feature": "", "problem": "duplicated", "text": "95% of rows", "since": 8.0}
    found = status_of(registry, details={"problems": [broken, twice]})

    assert found["problems"] == [broken, twice]
    assert found["attention"] == [
        {"level": "warn", "text": f"feature income of churn: unit change: {text}"},
        {"level": "warn", "text": "churn: duplicated: 95% of rows"},
    ]


def test_an_old_loss_is_no_longer_worth_attention():
    registry = Registry(started=0.0)
    healthy(registry)
    found = status_of(registry)
    found["not_seen"]["chunks_dropped"] = [{"reason": "observer_behind", "recent": 0, "total": 99}]

    assert sentences(found) == []


def test_a_page_that_stands_is_bad():
    found = incident()
    found["drift"] = [{**found["drift"][0], "level": "page", "psi": None}]

    assert {"level": "bad", "text": "feature age of churn v3 drifts"} in sentences(found)


def test_a_psi_just_below_zero_is_none():
    found = incident()
    found["drift"] = [{**found["drift"][0], "psi": -0.001}]

    assert {"level": "warn", "text": "feature age of churn v3 drifts (PSI 0.00)"} in sentences(found)


def judged(bad: float, good: float, slo: str = "availability") -> list[dict[str, str]]:
    registry = Registry(started=1_000.0)
    registry.counter(catalog.REQUESTS).add(bad, "churn", "3", "v2", "predict", "503", "server_error")
    registry.counter(catalog.REQUESTS).add(good, "churn", "3", "v2", "predict", "200", "ok")
    registry.gauge(catalog.SLO_OBJECTIVE).set(0.999, "churn", "3", slo)
    registry.counter(catalog.SLO_EVENTS).add(bad, "churn", "3", slo, "bad")
    registry.counter(catalog.SLO_EVENTS).add(good, "churn", "3", slo, "good")
    return status_of(registry)["attention"]


def test_one_failure_of_two_requests_is_no_alarm():
    assert judged(bad=1, good=1) == judged(bad=2, good=0) == []


def test_a_few_failures_are_a_warning_and_ten_are_bad_as_in_the_alert_rules():
    assert [note["level"] for note in judged(bad=9, good=1)] == ["warn"]
    assert [note["level"] for note in judged(bad=10, good=1)] == ["bad"]


def test_quality_is_a_warning_however_fast_its_budget_burns():
    assert [note["level"] for note in judged(bad=100, good=0, slo="quality")] == ["warn"]


def test_a_tenant_that_drifts_is_named_unless_all_do():
    found = incident()
    within = {**found["drift"][0], "psi": None, "segment": "tenant", "value": "acme", "folded": False}
    found["drift"] = [within, {**within, "value": "blue", "folded": True}]

    said = [sentence["text"] for sentence in sentences(found) if "tenant" in sentence["text"]]
    assert said == ["feature age of churn v3 drifts where tenant is acme"]
