"""The first screen of the page a person is sent to: which cause it names, asked of promtool."""

import json

import pytest

from sidecar.generators.boards.findings import findings
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


def query():
    expr = findings().build().targets[0].expr
    for variable, every in {"$cluster": ".*", "$namespace": ".*", "$job": ".+", "$model": ".+"}.items():
        expr = expr.replace(variable, every)
    return expr.replace("$__rate_interval", "5m")


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_table_names_the_cause_and_how_much_of_it(incident, tmp_path):
    series, said = INCIDENTS[incident]
    labels = ('{{model_name="churn",finding="{}"' + "{}}}").format
    samples = [
        {"labels": labels(finding, f',of="{of}"' if of else ""), "value": round(share * 1e6)}
        for finding, of, share in said
    ]
    test = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"expr": f"round(1e6 * {query()})", "eval_time": "9m", "exp_samples": samples}
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(json.dumps(test))
    result = run("promtool", ["test", "rules", tmp_path / "test.yaml"])

    assert result.returncode == 0, result.stdout + result.stderr
