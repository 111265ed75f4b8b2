"""Other shapes of the rules: PrometheusRule objects, Sloth and OpenSLO specifications, another burn."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from sidecar.cli import main
from sidecar.generators import files, rule_objects, rules, slo_specs
from sidecar.generators.links import Links
from sidecar.policy import ModelPolicy, Policies
from sidecar.slo import Objective
from tests.generators import promql
from tests.generators.tools import run

GOLDEN = Path(__file__).parent / "golden"
POLICIES = Policies(
    ModelPolicy(
        (
            Objective("availability", Decimal("99.95")),
            Objective("latency", Decimal(95), 0.2),
            Objective("quality", Decimal(90), None, 0.5),
        )
    ),
    {"Fraud EU": ModelPolicy((Objective("availability", Decimal(80)),))},
)


@pytest.mark.parametrize(
    ("name", "texts"),
    [("sloth", slo_specs.sloth(POLICIES, Links())), ("openslo", slo_specs.openslo(POLICIES))],
)
def test_specifications_are_what_was_accepted(name, texts):
    """Set ACCEPT=1 to write the golden file; read its diff as a reviewer."""
    text = "".join(f"=== {file}\n{texts[file]}" for file in sorted(texts))
    if os.environ.get("ACCEPT"):
        (GOLDEN / f"{name}.txt").write_text(text)
    assert text == (GOLDEN / f"{name}.txt").read_text()


def test_a_specification_judges_each_model_once_by_its_own_objective():
    texts = slo_specs.sloth(POLICIES, Links())
    own, others = (yaml.safe_load(texts[f"{name}.sloth.yaml"]) for name in ("fraud-eu", "other-models"))
    assert {slo["name"]: slo["objective"] for slo in own["slos"]} == {"availability": 80.0}
    assert {slo["name"]: slo["objective"] for slo in others["slos"]} == {
        "availability": 99.95,
        "latency": 95.0,
        "quality": 90.0,
    }
    for slo in (*own["slos"], *others["slos"]):
        for query in slo["sli"]["events"].values():
            assert promql.problems(query.replace("{{.window}}", "5m")) == []


def test_a_budget_that_nobody_can_save_at_night_is_a_ticket_everywhere():
    slos = yaml.safe_load(slo_specs.sloth(POLICIES, Links())["other-models.sloth.yaml"])["slos"]
    pages = {slo["name"]: slo["alerting"]["page_alert"]["labels"]["severity"] for slo in slos}
    assert pages == {"availability": "page", "latency": "page", "quality": "ticket"}
    alerts = [
        r for t in rules.generate(POLICIES).values() for g in yaml.safe_load(t)["groups"] for r in g["rules"]
    ]
    quality = [r["labels"] for r in alerts if r.get("alert") == "InferenceQualityBurn"]
    # 14.4 times 10 % is more than all: no fast tier.
    assert [one["burnrate_tier"] for one in quality] == ["medium", "slow", "long"]
    assert {one["severity"] for one in quality} == {"ticket"}


def test_an_object_holds_the_groups_of_its_file_and_the_labels_that_an_operator_looks_for():
    texts = rules.generate()
    found = rule_objects.objects(texts, {"release": "kps"})
    assert set(found) == {name.replace(".rules.", ".prometheusrule.") for name in texts}
    for name, text in texts.items():
        body = yaml.safe_load(found[name.replace(".rules.", ".prometheusrule.")])
        assert body["apiVersion"] == "monitoring.coreos.com/v1"
        assert body["metadata"]["labels"]["release"] == "kps"
        assert body["spec"] == yaml.safe_load(text)
    assert len({yaml.safe_load(text)["metadata"]["name"] for text in found.values()}) == len(texts)


@pytest.mark.parametrize("format", ["prometheus", "prometheusrule", "sloth", "openslo"])
def test_the_command_writes_each_format(format, tmp_path, capsys):
    assert main(["rules", "-o", str(tmp_path), "--format", format]) == 0
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written and [Path(line).name for line in sorted(capsys.readouterr().out.split())] == written


def test_a_label_that_is_none_is_a_usage_error(tmp_path, capsys):
    assert main(["rules", "-o", str(tmp_path), "--format", "prometheusrule", "--label", "release"]) == 2
    assert "give KEY=VALUE such as release=prometheus" in capsys.readouterr().err


def test_a_label_that_would_go_nowhere_is_a_usage_error(tmp_path, capsys):
    assert main(["rules", "-o", str(tmp_path), "--label", "release=kps"]) == 2
    assert "give --format prometheusrule" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- paging at a steady four times -------------------------------------------------------------------


def fired(policies, directory):
    """Whether a steady burn of five pages: promtool's word."""
    files.write(directory, rules.generate(policies))
    series = (
        'inference_slo_events_total{job="m",model_name="churn",model_version="3",slo="availability",result='
    )
    exists = [{"labels": '{severity="page"}', "value": 1}]
    test = {
        "rule_files": ["slo-recording.rules.yaml", "slo-alerts.rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [
                {"series": f'{series}"good"}}', "values": "0+995x600"},
                {"series": f'{series}"bad"}}', "values": "0+5x600"},
            ],
            "promql_expr_test": [{
                "expr": 'count by (severity) (ALERTS{alertstate="firing",severity="page"})',
                "eval_time": "590m",
                "exp_samples": exists,
            }],
        }],
    }  # fmt: skip
    (directory / "test.yaml").write_text(json.dumps(test))
    return run("promtool", ["test", "rules", directory / "test.yaml"]).returncode == 0


@pytest.mark.parametrize(("burn", "pages"), [(None, False), (Decimal(4), True), (Decimal("5.5"), False)])
def test_a_steady_burn_pages_from_the_rate_that_was_asked_for(burn, pages, tmp_path):
    availability = ModelPolicy((Objective("availability", Decimal("99.9")),))
    assert fired(Policies(availability, page_burn=burn), tmp_path) is pages
