"""The example of routes and inhibition: valid, every alert routed, no inhibition by labels nobody has."""

import re

import pytest
import yaml

from sidecar.generators.identity import INSTALLATION
from tests.generators.test_rules import ALERTS, identity
from tests.generators.tools import RULES, run

CONFIG = RULES / "alertmanager.yaml"
PARSED = yaml.safe_load(CONFIG.read_text())


def test_alertmanager_accepts_the_example():
    result = run("amtool", ["check-config", CONFIG])

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: "-".join(filter(None, identity(alert))))
def test_pages_reach_whoever_is_on_call_and_tickets_do_not(alert):
    receiver = {"page": "on-call", "ticket": "ml-tickets", "info": "nobody"}[alert["labels"]["severity"]]
    # The owner is filled in when the alert is sent.
    labels = [f"{k}={'risk-ml' if '{{' in v else v}" for k, v in alert["labels"].items()]
    arguments = ["config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver}"]

    result = run("amtool", [*arguments, f"alertname={alert['alert']}", *labels])

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("rule", PARSED["inhibit_rules"], ids=str)
def test_an_inhibition_never_takes_a_missing_label_for_an_equal_one(rule):
    """`cluster` and `namespace` may be missing; what identifies the model must be there."""
    guarded = {re.match(r"\w+", matcher)[0] for matcher in rule["target_matchers"] if '=~ ".+"' in matcher}
    identifying = set(rule["equal"]) & {"job", "model_name", "slo"}

    assert "job" in rule["equal"]
    assert identifying <= guarded


def _alternatives(pattern):
    """The branches of a pattern, also of one group in it; a pattern of each."""
    parts = re.split(r"\|(?![^(]*\))", pattern)
    for part in parts:
        before, group, after = re.fullmatch(r"([^(]*)(?:\((.*)\))?(.*)", part).groups()
        yield from (f"{before}{one}{after}" for one in (group or "").split("|"))


@pytest.mark.parametrize("rule", PARSED["inhibit_rules"], ids=str)
def test_an_inhibition_names_alerts_and_values_that_exist(rule):
    known = {
        "alertname": {alert["alert"] for alert in ALERTS},
        "severity": {"page", "ticket", "info"},
        "burnrate_tier": {alert["labels"].get("burnrate_tier") for alert in ALERTS},
    }
    for matcher in rule["source_matchers"] + rule["target_matchers"]:
        label, value = re.fullmatch(r'(\w+) =~? "(.*)"', matcher).groups()
        if label in known:
            for alternative in _alternatives(value):
                assert any(re.fullmatch(alternative, k) for k in known[label] if k), matcher


@pytest.mark.parametrize("rule", PARSED["inhibit_rules"], ids=str)
def test_a_ticket_never_silences_a_page(rule):
    source = " ".join(rule["source_matchers"])
    target = " ".join(rule["target_matchers"])

    assert (
        'severity = "page"' in source
        or 'burnrate_tier = "' in source
        or 'severity = "ticket"' in target
        or "InferenceLowTrafficFailures" in target
    )


def test_two_installations_are_two_notifications_and_two_pods_of_one_are_one():
    grouped = set(PARSED["route"]["group_by"])

    assert grouped >= {"alertname", *INSTALLATION, "model_name"}
    assert not grouped & {"instance", "pod", "model_version"}
    # No route takes it back.
    assert "group_by" not in str(PARSED["route"]["routes"])


@pytest.mark.parametrize("rule", PARSED["inhibit_rules"], ids=str)
def test_an_inhibition_never_reaches_into_another_installation(rule):
    assert set(INSTALLATION) <= set(rule["equal"])
