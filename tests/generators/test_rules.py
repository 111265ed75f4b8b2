"""The rules we ship: valid, tested both ways, and saying only what exists. promtool is the judge."""

import re
from decimal import Decimal
from fractions import Fraction
from functools import cache

import pytest
import yaml

from sidecar import catalog
from sidecar.cli import main
from sidecar.generators import burn_rates, explained, files, rules
from sidecar.generators.identity import INSTALLATION
from sidecar.generators.links import Links
from sidecar.policy import ModelPolicy, Policies
from sidecar.slo import Objective
from tests.generators import promql
from tests.generators.tools import ROOT, RULES, run

GENERIC = rules.generate()
TESTS = sorted((RULES / "tests").glob("*.yaml"))


def rules_of(texts):
    groups = [group for text in texts.values() for group in yaml.safe_load(text)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts_of(texts):
    return [rule for rule in rules_of(texts) if "alert" in rule]


ALERTS = alerts_of(GENERIC)
NAMES = sorted({alert["alert"] for alert in ALERTS})


def identity(alert):
    return alert["alert"], alert["labels"]["severity"], alert["labels"].get("burnrate_tier", "")


def literal(slo="availability", objective="99.9", **models):
    named = {name: ModelPolicy(objectives=(Objective(slo, Decimal(o)),)) for name, o in models.items()}
    return rules.generate(Policies(ModelPolicy(objectives=(Objective(slo, Decimal(objective)),)), named))


def checked(texts, directory):
    files.write(directory, texts)
    return run("promtool", ["check", "rules", "--lint=all", "--lint-fatal", *directory.glob("*.rules.yaml")])


# --- what is committed -------------------------------------------------------------------------------


def test_the_committed_rules_are_what_the_generator_writes():
    assert files.differences(RULES, GENERIC) == [], "run `make gen` and commit the result"
    assert {path.name for path in RULES.glob("*.rules.yaml")} == set(GENERIC)


def test_generating_twice_gives_the_same_text():
    assert rules.generate() == GENERIC


# --- what promtool says ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [
        GENERIC,
        rules.generate(window_scale=Fraction(1, 360)),
        literal(churn="99.95", fraud="80"),
        literal(**{'a"b\\c|.*{}': "99", "ü n ☃": "99", "new\nline": "99"}),
    ],
    ids=["generic", "shortened", "literal", "hostile model names"],
)
def test_prometheus_accepts_the_rules(texts, tmp_path):
    result = checked(texts, tmp_path)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path):
    result = run("promtool", ["test", "rules", path])

    assert result.returncode == 0, result.stdout + result.stderr


# --- that promtool is asked about everything ---------------------------------------------------------


@cache
def expectations():
    tests = [test for path in TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    return [(test.get("promql_expr_test", []), test.get("alert_rule_test", [])) for test in tests]


def fired():
    """(alert, severity, tier) of everything that a test expects to fire."""
    for queries, _ in expectations():
        for sample in (sample for query in queries for sample in query["exp_samples"]):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
            if "alertname" in labels:
                yield labels["alertname"], labels.get("severity"), labels.get("burnrate_tier", "")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: "-".join(filter(None, identity(alert))))
def test_every_alert_has_a_test_in_which_it_fires(alert):
    assert identity(alert) in set(fired())


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_test_in_which_it_does_not_fire(name):
    silent = {c["alertname"] for _, cases in expectations() for c in cases if c["exp_alerts"] == []}

    assert name in silent


def test_the_tests_name_only_alerts_that_exist():
    named = {name for name, _, _ in fired()}
    named |= {case["alertname"] for _, cases in expectations() for case in cases}

    assert named == set(NAMES)


# --- what every rule must be -------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [GENERIC, literal(churn="99.95")], ids=["generic", "literal"])
def test_rules_use_only_metrics_and_labels_of_the_catalogue(texts):
    for rule in rules_of(texts):
        assert promql.problems(rule["expr"]) == []


def test_rules_read_only_recordings_that_are_made():
    made = {rule["record"] for rule in rules_of(GENERIC) if "record" in rule}
    read = {name for rule in rules_of(GENERIC) for name in promql.metrics(rule["expr"]) if ":" in name}

    assert read <= made


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: "-".join(filter(None, identity(alert))))
def test_every_alert_tells_a_person_what_to_do(alert):
    assert alert["alert"].startswith("Inference")
    assert alert["labels"]["severity"] in ("page", "ticket", "info")
    assert set(alert["annotations"]) == {
        "summary", "description", "runbook_url", "dashboard_url", "__dashboardUid__",
    }  # fmt: skip
    assert alert["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{alert['alert']}.md")
    assert (ROOT / "docs" / "runbooks" / f"{alert['alert']}.md").is_file()


def test_no_label_holds_a_value_that_changes_from_one_evaluation_to_the_next():
    assert not [alert for alert in ALERTS if "$value" in str(alert["labels"])]


def test_a_template_names_only_labels_that_the_alert_keeps():
    for alert in ALERTS:
        # What stands in `with` is left out where it is missing.
        text = re.sub(r"\{\{ with (or )?\$labels\.\w+", "", str(alert["annotations"]))
        named = set(re.findall(r"\$labels\.(\w+)", text))
        missing = named - {"namespace"} - promql.kept(alert["expr"]) - set(alert["labels"])
        assert not missing, (alert["alert"], missing)


def test_every_rule_is_explained_where_it_stands():
    """A reader of the files understands an expression without the generator."""
    names = {rule.get("record") or rule["alert"] for rule in rules_of(GENERIC)}

    assert [name for name in names if not explained.explanation(name)] == []
    for name, text in GENERIC.items():
        assert all(len(line) <= 120 for line in text.splitlines() if line.lstrip().startswith("#")), name


def test_nothing_is_explained_that_is_gone():
    names = {re.sub(r"\d+[mhd]$", "", rule.get("record") or rule["alert"]) for rule in rules_of(GENERIC)}

    assert set(explained._EXPLAINED) <= names


def test_absence_waits_for_more_than_a_scrape():
    for alert in ALERTS:
        if "absent(" in alert["expr"] or "unless" in alert["expr"]:
            assert alert["for"] in ("2m", "10m", "15m")


# --- two installations -------------------------------------------------------------------------------

# Judged replica by replica: what is wrong with one sidecar is not wrong with the others.
OF_A_REPLICA = {
    "InferenceSidecarNoData", "InferenceSidecarChunksDropped", "InferenceSidecarObserverRestarting",
    "InferenceSidecarObserverLag", "InferenceSidecarOtlpFailing", "InferenceSidecarMergeFailing",
    "InferenceMemoryNearLimit",
}  # fmt: skip


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: "-".join(filter(None, identity(alert))))
def test_installations_are_alerts_of_their_own_and_pods_are_not(alert):
    if alert["expr"].startswith("absent("):
        return  # of nothing at all
    # A label that one side brings along is kept, too.
    kept = promql.kept(alert["expr"]) | set(re.findall(r"group_left \((\w+)\)", alert["expr"]))
    of_a_replica = alert["alert"] in OF_A_REPLICA or "connect_failures" in alert["expr"]

    assert set(INSTALLATION) <= kept
    assert of_a_replica or not kept & {"instance", "pod", "container", "endpoint"}


def test_recordings_keep_installations_apart_and_add_up_pods():
    for name in promql.recorded():
        kept = promql.kept(promql.recorded()[name])
        assert set(INSTALLATION) <= kept or name == "inference_health:component:weight", name
        assert not kept & {"instance", "pod"}, name


def test_no_label_of_ours_is_one_that_a_scrape_adds():
    """It would become `exported_…`, and every rule and dashboard would ask for the wrong one."""
    operator = {"namespace", "pod", "container", "endpoint", "job", "instance", "service", "node"}
    operator |= {"cluster", "prometheus", "prometheus_replica", "track"}

    assert not [m.name for m in catalog.ALL if set(m.labels) & operator]


# --- burn rates --------------------------------------------------------------------------------------


def test_burn_rates_spend_the_shares_of_the_budget_that_the_workbook_names():
    hours = {"1h": 1, "6h": 6, "1d": 24, "3d": 72}
    spent = {tier.name: tier.burn * hours[tier.long] / (30 * 24) for tier in burn_rates.TIERS}

    assert spent == {
        "fast": Decimal("0.02"),
        "medium": Decimal("0.05"),
        "slow": Decimal("0.1"),
        "long": Decimal("0.1"),
    }


def test_a_configured_objective_is_written_as_an_exact_decimal():
    text = literal(objective="99.95")["slo-alerts.rules.yaml"]

    assert "> 0.0072\n" in text
    assert "> 0.0005\n" in text
    assert "0000000" not in text and "9999999" not in text


def test_a_tier_that_could_never_fire_is_left_out_and_said_so():
    texts = literal(objective="80")
    tiers = {alert["labels"].get("burnrate_tier") for alert in alerts_of(texts)} - {None}

    assert tiers == {"slow", "long"}
    assert 'No fast tier for {slo="availability"}: it could never fire.' in texts["slo-alerts.rules.yaml"]


def test_an_objective_that_nobody_has_brings_no_alerts():
    names = {alert["alert"] for alert in alerts_of(literal())}

    assert "InferenceAvailabilityBurn" in names
    assert "InferenceLatencyBurn" not in names


def test_a_model_with_its_own_objective_is_not_judged_by_the_default_too():
    text = literal(objective="99.9", churn="99")["slo-alerts.rules.yaml"]

    assert 'slo="availability",model_name="churn"} > 0.144' in text
    assert 'slo="availability",model_name!~"churn"} > 0.0144' in text


def test_a_model_name_is_matched_literally():
    text = literal(**{"a.b": "99"})["slo-alerts.rules.yaml"]

    assert 'model_name!~"a\\\\.b"' in text


# --- shortened ---------------------------------------------------------------------------------------


def test_shortened_rules_say_that_they_are_not_for_production():
    for text in rules.generate(window_scale=Fraction(1, 360)).values():
        assert "NOT FOR PRODUCTION: every window and wait is shortened by 1/360" in text
    for text in GENERIC.values():
        assert "NOT FOR PRODUCTION" not in text


def test_shortened_rules_have_the_same_alerts_and_recordings_but_for_those_about_a_whole_day():
    def names(texts):
        return [(rule.get("alert") or rule["record"], rule.get("labels")) for rule in rules_of(texts)]

    long = [name for name in names(GENERIC) if name[0] != "InferenceLowTrafficFailures"]
    assert names(rules.generate(window_scale=Fraction(1, 360))) == long


def test_every_link_is_whole_once_a_grafana_is_named():
    for alert in alerts_of(rules.generate(links=Links(grafana="https://grafana.example/sub"))):
        links = {k: v for k, v in alert["annotations"].items() if k.endswith("_url")}
        assert all(v.startswith("https://") for v in links.values())


def test_without_one_grafana_still_finds_the_dashboard():
    for alert in ALERTS:
        assert alert["annotations"]["dashboard_url"].startswith("/d/inference-on-call?")
        # By this one Grafana's own pages about alerts lead to the dashboard.
        assert alert["annotations"]["__dashboardUid__"] == "inference-on-call"


def test_links_can_point_elsewhere():
    links = Links(runbooks="https://wiki.example/rb", grafana="https://grafana.example")
    first = alerts_of(rules.generate(links=links))[0]["annotations"]

    assert first["runbook_url"].startswith("https://wiki.example/rb/Inference")
    assert first["dashboard_url"].startswith("https://grafana.example/d/inference-on-call?from=now-3h&to=now")


@pytest.mark.parametrize(
    ("flags", "variables", "file", "grafana"),
    [
        ([], {}, "", ""),
        ([], {}, "https://file.example/", "https://file.example"),
        (
            [],
            {"SIDECAR_PAGING__GRAFANA_URL": "https://env.example"},
            "https://file.example",
            "https://env.example",
        ),
        (
            ["--grafana-url", "https://flag.example/g/"],
            {"SIDECAR_PAGING__GRAFANA_URL": "https://env.example"},
            "https://file.example",
            "https://flag.example/g",
        ),
    ],
)
def test_the_address_of_grafana_is_taken_from_flags_over_variables_over_the_file(
    flags, variables, file, grafana, tmp_path, monkeypatch, capsys
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if file:
        (tmp_path / "c.yaml").write_text(
            f"paging: {{grafana_url: '{file}', runbook_url: https://wiki.example}}"
        )
        flags = [*flags, "--config", str(tmp_path / "c.yaml")]

    assert main(["rules", "-o", "-", *flags]) == 0
    out = capsys.readouterr().out

    assert f"dashboard_url: {grafana}/d/inference-on-call?" in out
    assert ("runbook_url: https://wiki.example/InferenceDrift.md" in out) == bool(file)


@pytest.mark.parametrize("flag", ["--grafana-url", "--runbook-url"])
def test_an_address_that_is_none_is_a_usage_error(flag, capsys):
    assert main(["rules", "-o", "-", flag, "grafana/d"]) == 2
    assert f"{flag}: grafana/d is not allowed; give a URL such as https://" in capsys.readouterr().err
