"""The analyses of a canary, run on a real Prometheus over traffic of two versions."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.examples.prometheus import prometheus, query
from tests.examples.traffic import BINS, EVEN, SHIFTED, SLOW, Scenario, Side, series
from tests.generators import promql
from tests.helm.rendering import only

ROLLOUTS = Path(__file__).parents[2] / "examples" / "rollouts"
METRICS = ("errors", "latency", "feature-availability", "predictions")

NEW_CLASS = (*(0.6 / BINS for _ in range(BINS)), 0.4)
HEALTHY = {
    "healthy": Scenario(),
    "healthy, few": Scenario(Side(rate=2.2), Side(rate=4.0)),
    # Both are as bad: the canary makes nothing worse.
    "both are bad": Scenario(Side(errors=0.2), Side(rate=90, errors=0.2)),
    "better": Scenario(Side(errors=0.0), Side(rate=90, errors=0.1, latency=SLOW)),
}
# Which of the four fails, and no other.
FAULTS = {
    "errors": ("errors", Scenario(Side(errors=0.08))),
    "latency": ("latency", Scenario(Side(latency=SLOW))),
    "nulls": ("feature-availability", Scenario(Side(incomplete=0.3))),
    "shifted predictions": ("predictions", Scenario(Side(bins=SHIFTED))),
    "a class nobody knew": ("predictions", Scenario(Side(bins=NEW_CLASS))),
    "a class that is gone": ("predictions", Scenario(Side(bins=EVEN), Side(rate=90, bins=NEW_CLASS))),
}
# Nothing can be said of any of the four, or of the one.
UNKNOWN = {
    "low traffic": (METRICS, Scenario(Side(rate=0.2, errors=0.5, latency=SLOW, bins=SHIFTED))),
    "no traffic on stable": (METRICS, Scenario(Side(errors=0.5), Side(rate=0.0))),
    "no traffic at all": (METRICS, Scenario(Side(rate=0.0), Side(rate=0.0))),
    "other bins": (("predictions",), Scenario(Side(profile="b2"))),
    "enough requests, too few rows": (("predictions",), Scenario(Side(rate=0.7, bins=SHIFTED))),
}
SCENARIOS = {
    **HEALTHY,
    **{name: scenario for name, (_, scenario) in FAULTS.items()},
    **{name: scenario for name, (_, scenario) in UNKNOWN.items()},
}
NAMESPACES = {name: f"n{number}" for number, name in enumerate(SCENARIOS)}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has seen every scenario, in a namespace of its own, labelled for both tools."""
    recorded = []
    for seed, (name, scenario) in enumerate(SCENARIOS.items()):
        namespace = NAMESPACES[name]
        pods = {"namespace": namespace, "job": "churn"}
        recorded += series(scenario, {**pods, "track": "canary"}, {**pods, "track": "stable"}, seed)
        flagger = {"namespace": f"{namespace}-flagger"}
        recorded += series(scenario, {**flagger, "job": "churn"}, {**flagger, "job": "churn-primary"}, seed)
    with prometheus(tmp_path_factory.mktemp("prometheus"), recorded) as address:
        yield address


def argo(url: str, metric: str, scenario: str) -> str:
    """What Argo Rollouts makes of one measurement: successful, failed or inconclusive."""
    template = yaml.safe_load((ROLLOUTS / "argo-analysis-template.yaml").read_text())["spec"]
    arguments = {one["name"]: one.get("value") for one in template["args"]}
    arguments |= {"namespace": NAMESPACES[scenario], "job": "churn"}
    (found,) = [one for one in template["metrics"] if one["name"] == metric]
    result = query(url, resolved(found["provider"]["prometheus"]["query"], arguments))
    assert len(result) <= 1
    succeeded = holds(resolved(found["successCondition"], arguments), result)
    failed = holds(resolved(found["failureCondition"], arguments), result)
    assert not (succeeded and failed)
    return "failed" if failed else "successful" if succeeded else "inconclusive"


def resolved(text: str, arguments: dict[str, str | None]) -> str:
    """With arguments in place; one without a value is a mistake."""
    found = re.sub(r"\{\{args\.([\w-]+)\}\}", lambda match: str(arguments[match[1]]), text)
    assert "{{" not in found
    assert "None" not in found
    return found


def holds(condition: str, result: list[float]) -> bool:
    """The one form of condition that we use. NaN compares with nothing."""
    match = re.fullmatch(r"len\(result\) > 0 && result\[0\] (<=|>) ([0-9.]+)", condition)
    assert match, condition
    if not result:
        return False
    return result[0] <= float(match[2]) if match[1] == "<=" else result[0] > float(match[2])


def flagger(url: str, metric: str, scenario: str) -> str:
    """What Flagger makes of one check: it advances, fails, or halts for want of a value."""
    templates = yaml.safe_load_all((ROLLOUTS / "flagger-metric-templates.yaml").read_text())
    canary = yaml.safe_load((ROLLOUTS / "flagger-canary.yaml").read_text())["spec"]
    (check,) = [one for one in canary["analysis"]["metrics"] if one["name"] == metric]
    (template,) = [one for one in templates if one["metadata"]["name"] == check["templateRef"]["name"]]
    model = {
        "namespace": f"{NAMESPACES[scenario]}-flagger",
        "target": canary["targetRef"]["name"],
        "interval": check["interval"],
    }
    text = re.sub(r"\{\{ (\w+) \}\}", lambda match: model[match[1]], template["spec"]["query"])
    result = query(url, text)
    if not result or result[0] != result[0]:
        return "inconclusive"
    return "failed" if result[0] > check["thresholdRange"]["max"] else "successful"


TOOLS = (argo, flagger)


@pytest.mark.e2e
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", HEALTHY)
def test_a_healthy_canary_passes_each_check(url: str, tool, scenario: str) -> None:
    assert {metric: tool(url, metric, scenario) for metric in METRICS} == dict.fromkeys(METRICS, "successful")


@pytest.mark.e2e
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", FAULTS)
def test_each_fault_fails_the_check_that_is_about_it_and_no_other(url: str, tool, scenario: str) -> None:
    failing = [metric for metric in METRICS if tool(url, metric, scenario) != "successful"]
    assert failing == [FAULTS[scenario][0]]
    assert tool(url, failing[0], scenario) == "failed"


@pytest.mark.e2e
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", UNKNOWN)
def test_of_what_was_not_seen_often_enough_nothing_is_said(url: str, tool, scenario: str) -> None:
    assert {tool(url, metric, scenario) for metric in UNKNOWN[scenario][0]} == {"inconclusive"}


@pytest.mark.e2e
def test_the_autoscalers_ask_for_the_requests_in_flight(url: str) -> None:
    scaled = yaml.safe_load((ROLLOUTS / "keda-scaled-object.yaml").read_text())
    asked = scaled["spec"]["triggers"][0]["metadata"]["query"]
    (total,) = query(url, asked.replace('"models"', f'"{NAMESPACES["healthy"]}"'))
    assert 8 < total < 16  # two pods with six each
    (rule,) = yaml.safe_load((ROLLOUTS / "prometheus-adapter-values.yaml").read_text())["rules"]["custom"]
    text = rule["metricsQuery"].replace("<<.GroupBy>>", "track")
    text = text.replace("<<.Series>>", "inference_requests_in_flight")
    each = query(url, text.replace("<<.LabelMatchers>>", f'namespace="{NAMESPACES["healthy"]}"'))
    assert len(each) == 2 and all(3 < value < 10 for value in each)
    scaler = yaml.safe_load((ROLLOUTS / "hpa.yaml").read_text())
    assert scaler["spec"]["metrics"][0]["pods"]["metric"]["name"] in rule["seriesQuery"]


def queries() -> Iterator[str]:
    template = yaml.safe_load((ROLLOUTS / "argo-analysis-template.yaml").read_text())["spec"]
    arguments = {one["name"]: one.get("value", "x") for one in template["args"]}
    for metric in template["metrics"]:
        yield resolved(metric["provider"]["prometheus"]["query"], arguments)
        streams = {**arguments, "latency-metric": "gen_ai_server_time_to_first_token_seconds"}
        yield resolved(metric["provider"]["prometheus"]["query"], streams)
    for template in yaml.safe_load_all((ROLLOUTS / "flagger-metric-templates.yaml").read_text()):
        yield re.sub(r"\{\{ (\w+) \}\}", "5m", template["spec"]["query"])
    scaled = yaml.safe_load((ROLLOUTS / "keda-scaled-object.yaml").read_text())
    yield scaled["spec"]["triggers"][0]["metadata"]["query"]


def test_every_query_is_about_series_and_labels_that_we_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """`track` comes from the PodMonitor (podMonitor.trackLabel)."""
    monkeypatch.setattr(promql, "TARGET", promql.TARGET | {"track"})
    for text in queries():
        assert promql.problems(text) == []


def test_the_labels_that_tell_canary_from_stable_come_from_the_chart() -> None:
    monitor = only({"podMonitor": {"enabled": True}}, "PodMonitor")["spec"]
    assert monitor["jobLabel"] == "app.kubernetes.io/name"
    (endpoint,) = monitor["podMetricsEndpoints"]
    relabelled = {
        rule["targetLabel"]: rule["sourceLabels"]
        for rule in endpoint["relabelings"]
        if rule.get("targetLabel")
    }
    assert relabelled["track"] == ["__meta_kubernetes_pod_label_inference_sidecar_io_track"]


def test_every_metric_has_the_same_patience_and_an_answer_for_too_little_traffic() -> None:
    template = yaml.safe_load((ROLLOUTS / "argo-analysis-template.yaml").read_text())["spec"]
    assert tuple(metric["name"] for metric in template["metrics"]) == METRICS
    for metric in template["metrics"]:
        assert {"successCondition", "failureCondition", "inconclusiveLimit"} <= metric.keys()
        assert metric["inconclusiveLimit"] + 1 <= metric["count"]


def test_the_rollouts_use_the_templates_and_give_every_argument_that_has_no_value() -> None:
    template = yaml.safe_load((ROLLOUTS / "argo-analysis-template.yaml").read_text())
    needed = {one["name"] for one in template["spec"]["args"] if "value" not in one}
    rollout, _ = yaml.safe_load_all((ROLLOUTS / "argo-rollout.yaml").read_text())
    canary = rollout["spec"]["strategy"]["canary"]
    analyses = [step["analysis"] for step in canary["steps"] if "analysis" in step]
    for analysis in analyses:
        assert analysis["templates"] == [{"templateName": template["metadata"]["name"]}]
        assert {one["name"] for one in analysis["args"]} == needed
    assert canary["canaryMetadata"]["labels"] == {"inference-sidecar.io/track": "canary"}
    assert canary["stableMetadata"]["labels"] == {"inference-sidecar.io/track": "stable"}


def test_the_traffic_is_what_it_says() -> None:
    assert all(abs(sum(bins) - 1) < 1e-9 for bins in (EVEN, SHIFTED, NEW_CLASS))
