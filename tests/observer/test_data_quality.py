"""From requests on the wire's side to what on-call reads: broken features, odd rows and segments."""

import json

import numpy as np
import pytest

from sidecar.config.load import load
from sidecar.observer.pipeline import Pipeline
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.store import to_json
from sidecar.wire.head import keep_too
from tests.fakes import exchange

CONFIG = """
reference: reference.json
segments: {tenant: {header: x-tenant}}
features: {as_of: {type: timestamp, max_age: 5m}}
"""


@pytest.fixture
def pipeline(tmp_path):
    builder = ProfileBuilder()
    builder.add(5_000, {"income": np.random.default_rng(0).lognormal(8, 1, 5_000)})
    (tmp_path / "reference.json").write_text(json.dumps(to_json(builder.reference())))
    (tmp_path / "sidecar.yaml").write_text(CONFIG)
    yield Pipeline(load(str(tmp_path / "sidecar.yaml"), {}, {"upstream": "127.0.0.1:1"}))
    keep_too([])


def ask(pipeline, rows, seed, factor=1.0):
    incomes = np.random.default_rng(seed).lognormal(8, 1, rows) * factor
    for at, income in enumerate(incomes.tolist()):
        body = json.dumps({"instances": [{"income": income, "as_of": "2020-01-01"}]}).encode()
        answer = b'{"predictions": [1]}'
        headers = {"content-type": "application/json", "x-tenant": "acme"}
        pipeline.observer.observe(
            exchange(body, answer, target="/v1/models/m:predict", request_headers=headers, at=100.0 + at)
        )
    pipeline.rows.flush()


def test_another_unit_is_a_problem_by_name_and_its_rows_are_odd(pipeline):
    ask(pipeline, 128, 1)
    assert {(p.feature, p.problem) for p in pipeline.problems.standing()} == {("as_of", "stale")}
    assert pipeline.registry.value("inference_out_of_distribution_rows_total") == 0
    ask(pipeline, 64, 2, 1_000.0)
    texts = {(p.feature, p.problem): p.text for p in pipeline.problems.standing()}
    assert texts["income", "unit_change"] == "values are 1,000 times the reference's"
    assert pipeline.registry.value("inference_feature_problem", feature="income") >= 1
    assert pipeline.registry.value("inference_out_of_distribution_rows_total", model_name="m") >= 40


def test_rows_and_requests_are_counted_by_segment(pipeline):
    ask(pipeline, 10, 1)
    labels = {"model_name": "m", "segment": "tenant", "value": "acme"}
    assert pipeline.registry.value("inference_segment_requests_total", **labels) == 10
    assert pipeline.registry.value("inference_segment_rows_total", **labels) == 10
    assert pipeline.registry.value("inference_feature_age_seconds", feature="as_of") == 10
