"""Fleet drift in PromQL gives the numbers of the formulas; promtool compares, this says with what."""

import re
from math import floor, log

import pytest
import yaml

from tests.generators.tools import RULES

CASES = yaml.safe_load((RULES / "tests" / "fleet.yaml").read_text())["tests"][0]
REPLICAS, WINDOW_MINUTES, REFERENCE_ROWS = 3, 5, 1000


def labels(series):
    return dict(re.findall(r'(\w+)="([^"]*)"', series))


def by_bin(metric, name):
    """What replica b, which does not restart, has of each bin: the step of its counter, or its gauge."""
    found = {}
    for one in CASES["input_series"]:
        at = labels(one["series"])
        of_this = one["series"].startswith(metric) and at["name"] == name and at["profile"] == "p"
        if of_this and at["instance"] == "b":
            found[at["bin"]] = float(re.match(r"(?:0\+)?([\d.]+)x", one["values"])[1])
    return found


def expected(method):
    query = next(q for q in CASES["promql_expr_test"] if f"_{method}:" in q["expr"])
    return {labels(s["labels"])["name"]: s["value"] for s in query["exp_samples"]}


def smoothed(rows):
    return [(row + 0.5) / (sum(rows) + 0.5 * len(rows)) for row in rows]


def scores(name):
    steps, shares = by_bin("inference_distribution_rows", name), by_bin("inference_reference_ratio", name)
    rows = {bin: step * WINDOW_MINUTES * REPLICAS for bin, step in steps.items()}
    used = [bin for bin in rows if rows[bin] or shares[bin]]
    live = smoothed([rows[bin] for bin in used])
    reference = smoothed([shares[bin] * REFERENCE_ROWS for bin in used])
    both = list(zip(live, reference, strict=True))
    psi = sum((p - q) * log(p / q) for p, q in both)
    bias = (len(used) - 1) * (1 / sum(rows.values()) + 1 / REFERENCE_ROWS)
    js = sum(p * log(2 * p / (p + q)) + q * log(2 * q / (p + q)) for p, q in both) / 2
    return {"psi": psi, "psi_debiased": psi - bias, "js": js, "tv": sum(abs(p - q) for p, q in both) / 2}


@pytest.mark.parametrize("method", ["psi", "psi_debiased", "js", "tv"])
@pytest.mark.parametrize("name", ["shifted", "empty", "same", "unused", "new_bin", "restart"])
def test_what_promtool_expects_is_what_the_formulas_give(name, method):
    assert expected(method)[name] == pytest.approx(floor(scores(name)[method] * 1e9 + 0.5), abs=1)


def test_a_column_without_rows_or_without_a_reference_has_no_score():
    assert all(set(expected(m)) & {"quiet", "x"} == set() for m in ("psi", "tv"))
