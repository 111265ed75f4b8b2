"""Labels posted to a running sidecar, as a data scientist posts them, and what its metrics then say."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.faults.running import Sidecar, eventually, sidecar
from tests.faults.servers import answer, ask, post, request, upstream

PATH = "/v2/models/churn/infer"
PREDICTED = [1, 0, 1]


async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    y = {"name": "y", "shape": [3], "datatype": "INT64", "data": PREDICTED}
    said = json.dumps({"model_name": "churn", "model_version": "3", "outputs": [y]}).encode()
    while True:
        await request(reader)
        writer.write(answer(said))


async def predict(running: Sidecar, *identities: str) -> None:
    x = {"name": "x", "shape": [3], "datatype": "FP64", "data": [0.1, 0.2, 0.3]}
    for identity in identities:
        await ask(running.address, post(json.dumps({"id": identity, "inputs": [x]}).encode(), PATH))


def label(running: Sidecar, labels: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    url = f"http://{running.admin[0]}:{running.admin[1]}/api/v1/labels"
    sent = {"Content-Type": "application/json", **headers}
    asked = urllib.request.Request(url, json.dumps(labels).encode(), sent)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answered:
            return answered.status, json.load(answered)
    except urllib.error.HTTPError as error:
        said = error.read()
        # Before the observer is there, the supervisor answers in a sentence.
        return error.code, json.loads(said) if said.startswith(b"{") else {}


async def counted(running: Sidecar, requests: int) -> None:
    await eventually(
        lambda: running.metric("inference_requests_total", outcome="ok") >= requests, f"{requests} requests"
    )


async def test_labels_join_predictions_and_their_quality_is_shown_also_after_a_restart(tmp_path: Path):
    kept = {"SIDECAR_STATE__DIR": str(tmp_path / "state"), "SIDECAR_SLOS__QUALITY__OBJECTIVE": "90"}
    async with upstream(model) as server:
        with sidecar(tmp_path, server.name, environment=kept) as running:
            await counted(running, 0)
            while running.metric("inference_requests_total", outcome="ok") < 1:
                await predict(running, "warm")
            await predict(running, *(f"r{at}" for at in range(20)))
            await counted(running, 21)
            right = [{"id": f"r{at}", "labels": PREDICTED} for at in range(10)]
            wrong = [{"id": "r10", "labels": [0, 1, None]}, {"id": "r11", "row": 7, "label": 1}]
            status, said = await asyncio.to_thread(label, running, right)
            assert (status, said["matched"]) == (200, 30)
            status, said = await asyncio.to_thread(label, running, wrong)
            assert (status, said["matched"], said["problems"][0]["index"]) == (422, 2, 1)
            assert running.metric("inference_quality_ratio", metric="accuracy") == pytest.approx(30 / 32)
            assert running.metric("inference_slo_events_total", slo="quality", result="bad") == 2
            shown = json.loads(running.get("/api/v1/status")[1])["quality"][0]
            assert (shown["model_name"], shown["labels"]["matched"]) == ("churn", 32)
            assert "Labels" in running.get("/")[1]
            assert await asyncio.to_thread(running.stop) == 0

        with sidecar(tmp_path, server.name, environment=kept) as again:
            await eventually(lambda: again.metric("inference_labels_total") == 32, "what was counted before")
            again_posted = [right[0], {"id": "r12", "labels": PREDICTED}, {"id": "r10", "row": 2, "label": 0}]
            status, said = await asyncio.to_thread(label, again, again_posted)
            assert (status, said["duplicate"], said["matched"]) == (200, 3, 4)
            assert again.metric("inference_quality_ratio", metric="accuracy") == pytest.approx(33 / 36)


async def test_with_a_token_only_who_knows_it_may_post(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("correct-horse-battery")
    async with upstream(model) as server:
        environment = {"SIDECAR_ADMIN_TOKEN_FILE": str(token)}
        with sidecar(tmp_path, server.name, environment=environment) as running:
            await counted(running, 0)
            await eventually(lambda: label(running, {"id": "a", "label": 1})[0] == 401, "the observer there")
            bearer = {"Authorization": "Bearer correct-horse-battery"}
            assert label(running, {"id": "a", "label": 1}, **bearer)[0] == 200
            assert label(running, {"id": "a", "label": 1}, **bearer, Origin="http://evil.example")[0] == 403
