"""The first screen of the page a person is sent to: which cause it names, asked of promtool."""

import json

import pytest

from sidecar.generators.boards.findings import findings
from sidecar.generators.boards.objectives import alerts
from sidecar.generators.boards.predictions import detections, drift_now
from sidecar.generators.links import Links
from tests.generators.tools import run

OF = 'namespace="ml",job="m",model_name="churn",model_version="3"'
OK = (
    f'inference_requests_total{{{OF},instance="a",protocol="v2",operation="predict",code="200",outcome="ok"}}'
)
VALUE = f'inference_feature_values_total{{{OF},instance="a",feature="age",state='
EVENT = f'inference_slo_events_total{{{OF},instance="a",slo="latency",result='
REFUSED = OK.replace('code="200",outcome="ok"', 'code="502",outcome="upstream_unreachable"')
FAILED = OK.replace('code="200",outcome="ok"', 'code="503",outcome="server_error"')
DRIFT = f'inference_drift_active{{{OF},kind="feature",name="age",'

# What is exported over ten minutes → what the table says: finding, of what, share.
INCIDENTS = {
    "the model server is gone": (
        {OK: "500x10", REFUSED: "0+60x10"},
        [("no model server is reached", "", 1.0)],
    ),
    "one replica of two fails half of its requests": (
        {OK: "0+60x10", FAILED: "0+20x10", OK.replace('"a"', '"b"'): "0+80x10"},
        [("the server fails, code", "503", 0.125)],
    ),
    "a feature is null in a third of the rows": (
        {OK: "0+60x10", f'{VALUE}"valid"}}': "0+40x10", f'{VALUE}"null"}}': "0+20x10"},
        [("feature missing, null or of a wrong type", "age", 1 / 3)],
    ),
    "half of the answers are slow": (
        {OK: "0+60x10", f'{EVENT}"good"}}': "0+30x10", f'{EVENT}"bad"}}': "0+30x10"},
        [("answers are slower than the objective", "", 0.5)],
    ),
    "one replica of two holds a verdict of drift": (
        {
            f'{DRIFT}level="page",instance="a"}}': "1x10",
            f'{DRIFT}level="ticket",instance="a"}}': "0x10",
            f'{DRIFT}level="page",instance="b"}}': "0x10",
        },
        [("has drifted", "age", 0.5)],
    ),
    "all is well": ({OK: "0+60x10", FAILED: "0x10", f'{VALUE}"null"}}': "0x10"}, []),
}


def asked(panel, at=0):
    """A query of a panel, with every choice left open."""
    expr = panel.build().targets[at].expr
    for variable, every in {"$cluster": ".*", "$namespace": ".*", "$job": ".+", "$model": ".+"}.items():
        expr = expr.replace(variable, every)
    return expr.replace("$__rate_interval", "5m").replace("$__range", "9m")


def check(series, expr, samples, directory):
    """promtool's word."""
    test = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [{"expr": expr, "eval_time": "9m", "exp_samples": samples}],
            }
        ],
    }
    (directory / "test.yaml").write_text(json.dumps(test))
    result = run("promtool", ["test", "rules", directory / "test.yaml"])

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_table_names_the_cause_and_how_much_of_it(incident, tmp_path):
    series, said = INCIDENTS[incident]
    labels = ('{{model_name="churn",finding="{}"' + "{}}}").format
    samples = [
        {"labels": labels(finding, f',of="{of}"' if of else ""), "value": round(share * 1e6)}
        for finding, of, share in said
    ]
    check(series, f"round(1e6 * {asked(findings())})", samples, tmp_path)


def test_tiers_of_one_objective_are_one_row_since_the_first_and_what_informs_is_none(tmp_path):
    burn = (
        'alertname="InferenceLatencyBurn",severity="page",slo="latency",namespace="ml",job="m",'
        'model_name="churn",'
    )
    surge = (
        'alertname="InferenceFeatureNullSurge",severity="ticket",feature="age",namespace="ml",job="m",'
        'model_name="churn",owner="risk-ml"'
    )
    new = 'alertname="InferenceModelVersionChanged",severity="info",namespace="ml",job="m",model_name="churn"'
    firing = {
        burn + 'owner="risk-ml",burnrate_tier="fast"': 300,
        burn + 'owner="risk-ml",burnrate_tier="medium"': 60,
        surge: 120,
        new: 10,
    }
    series = {}
    for labels, since in firing.items():
        series[f'ALERTS{{alertstate="firing",{labels}}}'] = "1x10"
        series[f"ALERTS_FOR_STATE{{{labels}}}"] = f"{since}x10"
    # One that waits, and one of somebody else.
    series['ALERTS{alertstate="pending",alertname="InferenceDrift",severity="page",job="m"}'] = "1x10"
    series['ALERTS_FOR_STATE{alertname="InferenceDrift",severity="page",job="m"}'] = "400x10"
    series['ALERTS{alertstate="firing",alertname="Watchdog",severity="page",job="m"}'] = "1x10"
    of = 'model_name="churn",namespace="ml",owner="risk-ml"'
    samples = [
        {"labels": f'{{alertname="InferenceLatencyBurn",severity="page",{of}}}', "value": 60_000},
        {
            "labels": f'{{alertname="InferenceFeatureNullSurge",severity="ticket",about="age",{of}}}',
            "value": 120_000,
        },
    ]
    check(series, asked(alerts()), samples, tmp_path)


COLUMN = f'{OF},kind="feature",name='
# Two replicas hold a verdict of age, of three that serve; of size each found a change, and no verdict stands.
DRIFTING = {
    f'inference_drift_active{{{COLUMN}"age",level="page",instance="a"}}': "1x10",
    f'inference_drift_active{{{COLUMN}"age",level="page",instance="b"}}': "1x10",
    f'inference_drift_active{{{COLUMN}"age",level="page",instance="c"}}': "0x10",
    f'inference_drift_active{{{COLUMN}"age",level="ticket",instance="a"}}': "0x10",
    f'inference_drift_active{{{COLUMN}"size",level="page",instance="a"}}': "0x10",
    f'inference_drift_active_since_timestamp_seconds{{{COLUMN}"age",instance="a"}}': "400x10",
    f'inference_drift_active_since_timestamp_seconds{{{COLUMN}"age",instance="b"}}': "300x10",
    f'inference_drift_detections_total{{{COLUMN}"age",instance="a"}}': "0+1x10",
    f'inference_drift_detections_total{{{COLUMN}"age",instance="b"}}': "0x10",
    f'inference_drift_detections_total{{{COLUMN}"size",instance="a"}}': "0+3x10",
}
AGE, SIZE = (f'{{model_name="churn",kind="feature",name="{name}"' for name in ("age", "size"))


@pytest.mark.parametrize(
    ("column", "value"), [("since", 300_000), ("replicas", 2 / 3), ("changes", 9)], ids=str
)
def test_of_each_verdict_that_stands_it_says_since_when_on_how_many_and_how_often(column, value, tmp_path):
    at = ["since", "replicas", "changes"].index(column)
    said = [{"labels": f'{AGE},level="page"}}', "value": round(value * 1e6)}]

    check(DRIFTING, f"round(1e6 * ({asked(drift_now(Links()), at)}))", said, tmp_path)


def test_columns_that_go_on_changing_are_named_whether_or_not_a_verdict_stands(tmp_path):
    said = [
        {"labels": f"{AGE}}}", "value": 9},
        {"labels": f"{SIZE}}}", "value": 3 * 9},
    ]

    check(DRIFTING, asked(detections()), said, tmp_path)


def test_where_nothing_changes_the_graph_says_none(tmp_path):
    series = {
        'sidecar_build_info{job="m"}': "1x10",
        f'inference_drift_detections_total{{{COLUMN}"age",instance="a"}}': "0x10",
    }
    check(series, asked(detections()), [{"labels": '{name="none"}', "value": 0}], tmp_path)
