"""What is counted and learnt goes on after the observer was killed, and after the whole sidecar left."""

import asyncio
import json
import os
import random
import signal
import time
from pathlib import Path

from tests.e2e.processes import observer_of
from tests.faults.running import Sidecar, eventually, sidecar
from tests.faults.servers import answer, ask, post, request, upstream

ROWS = 500
PATH = "/v2/models/m/infer"


def body(seed: int) -> bytes:
    draw = random.Random(seed)
    values = [draw.gauss(0, 1) for _ in range(ROWS)]
    return json.dumps({"inputs": [tensor("x", values)]}).encode()


def tensor(name: str, values: list[float]) -> dict[str, object]:
    return {"name": name, "shape": [ROWS], "datatype": "FP64", "data": values}


async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    said = json.dumps(
        {"model_name": "m", "model_version": "1", "outputs": [tensor("y", [0.5] * ROWS)]}
    ).encode()
    while True:
        await request(reader)
        writer.write(answer(said))


async def send(running: Sidecar, count: int) -> None:
    for seed in range(count):
        await ask(running.address, post(body(seed), PATH))


def answered(running: Sidecar) -> float:
    return running.metric("inference_requests_total", outcome="ok", model_name="m")


def profile(running: Sidecar) -> dict[str, object]:
    status, text = running.get("/api/v1/reference?model=m")
    return json.loads(text) if status == 200 else {}


async def test_counters_and_the_learnt_reference_go_on_after_a_kill_and_after_a_restart(tmp_path: Path):
    kept = {"SIDECAR_STATE__DIR": str(tmp_path / "state")}
    async with upstream(model) as server:
        with sidecar(tmp_path, server.name, environment=kept) as running:
            await send(running, 12)
            await eventually(lambda: answered(running) == 12, "twelve requests counted")
            await eventually(lambda: profile(running).get("source") == "learnt", "a learnt reference")
            await eventually((tmp_path / "state" / "monitors.json").exists, "the reference saved")
            learnt = profile(running)
            killed = observer_of(running.process.pid)
            assert killed is not None
            await send(running, 3)
            await eventually(lambda: answered(running) == 15, "fifteen requests counted")

            os.kill(killed, signal.SIGKILL)
            seen = await asyncio.to_thread(watched, running, killed)
            assert set(seen) == {15.0}, "a scraper never saw less than it had seen"
            # Until the relay has found the new observer, requests are not seen, as without any state.
            while answered(running) < 17:
                await send(running, 1)
            assert profile(running) == learnt
            total = answered(running)
            assert await asyncio.to_thread(running.stop) == 0

        with sidecar(tmp_path, server.name, environment=kept) as again:
            await eventually(lambda: answered(again) >= total, "what was counted before")
            while answered(again) < total + 2:
                await send(again, 1)
            assert profile(again) == learnt
            assert again.metric("sidecar_state_save_failures_total") == 0


def watched(running: Sidecar, killed: int) -> list[float]:
    """Every value of the counter that a scraper sees until another observer has answered."""
    seen: list[float] = []
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        time.sleep(0.01)
        try:
            page = running.get("/metrics")[1]
        except OSError:  # asked at the very moment
            continue
        lines = [line for line in page.splitlines() if line.startswith("inference_requests_total{")]
        values = [float(line.rsplit(" ", 1)[1]) for line in lines if 'outcome="ok"' in line]
        # Without an observer the supervisor answers, and has no such series at all.
        if values:
            seen.append(sum(values))
            if observer_of(running.process.pid) not in (None, killed):
                return seen
    raise AssertionError("no other observer")
