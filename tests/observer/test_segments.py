"""From requests of ten tenants to the ticket about one, through decoders, cleaning and the registry."""

import json

import numpy as np
import pytest

from sidecar.admin.status import status
from sidecar.config.load import load
from sidecar.observer.pipeline import Pipeline
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.store import to_json
from sidecar.wire.head import keep_too
from tests.fakes import exchange

CONFIG = """
reference: reference.json
segments: {tenant: {header: x-tenant}, plan: {header: x-plan, drift: false}}
"""
TENANTS = [f"t{i}" for i in range(10)]


@pytest.fixture
def pipeline(tmp_path):
    builder = ProfileBuilder()
    builder.add(15_000, {"income": np.random.default_rng(0).normal(size=15_000)})
    (tmp_path / "reference.json").write_text(json.dumps(to_json(builder.reference())))
    (tmp_path / "sidecar.yaml").write_text(CONFIG)
    yield Pipeline(load(str(tmp_path / "sidecar.yaml"), {}, {"upstream": "127.0.0.1:1"}))
    keep_too([])


def ask(pipeline, second, tenant, shift):
    rows = np.random.default_rng([second, TENANTS.index(tenant)]).normal(size=64) + shift
    body = json.dumps({"instances": [{"income": income} for income in rows.tolist()]}).encode()
    answer = json.dumps({"predictions": [1] * 64}).encode()
    headers = {"content-type": "application/json", "x-tenant": tenant, "x-plan": "gold"}
    target = "/v1/models/m:predict"
    asked = exchange(body, answer, target=target, request_headers=headers, at=1_000.0 + second)
    pipeline.observer.observe(asked)


def test_the_tenant_whose_rows_move_is_on_the_status_page_and_in_the_metrics(pipeline):
    for second in range(260):
        for tenant in TENANTS:
            ask(pipeline, second, tenant, 0.8 if second >= 230 and tenant == "t3" else 0.0)
        pipeline.rows.tick(1_000.5 + second)
    found = status(pipeline.registry.snapshot(), None, {})
    shown = [(d["segment"], d["value"], d["name"], d["level"], d["folded"]) for d in found["drift"]]
    assert shown == [("tenant", "t3", "income", "ticket", False)]
    said = [sentence["text"] for sentence in found["attention"]]
    assert any(text.endswith("drifts where tenant is t3") for text in said), said
    verdicts = [v for v in pipeline.drift.verdicts() if v.standing]
    assert {(v.segment, v.value, v.name) for v in verdicts} == {("tenant", "t3", "income")}
    assert pipeline.registry.value("inference_segment_drift_rows_total", segment="plan") == 0
    assert pipeline.registry.value("inference_segment_drift_judged") == len(TENANTS)
