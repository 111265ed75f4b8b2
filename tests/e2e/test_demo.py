"""`sidecar demo` as a user runs it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.demo.scenario import MINIMUM_SECONDS
from tests.e2e.conftest import eventually
from tests.e2e.processes import alive, descendants

INCIDENT = ["null_surge", "shift", "slow_and_failing", "recovery"]


def demo(*arguments: str, **environment: str) -> tuple[int, dict, str]:
    """Exit code, the last line of standard output as JSON, and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "demo", "--headless", *arguments],
        capture_output=True, text=True, timeout=200, env={**os.environ, **environment},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines, f"exit {done.returncode}:\n{done.stderr}"
    return done.returncode, json.loads(lines[-1]), done.stderr


def test_every_phase_of_the_incident_is_seen_and_paged(programs):
    code, summary, told = demo("--seconds", "60")

    assert code == 0, told
    assert [phase["name"] for phase in summary["phases"]] == INCIDENT
    for phase in summary["phases"]:
        assert phase["delay_s"] == pytest.approx(phase["detected_at"] - phase["injected_at"], abs=0.01)
    assert summary["prometheus"] is True
    alerts = {alert["alertname"] for alert in summary["alerts"]}
    assert {"InferenceFeatureAvailabilityBurn", "InferenceDrift", "InferenceAvailabilityBurn"} <= alerts
    requests = summary["requests"]
    assert requests["sent"] == requests["observed"] > 1_000
    assert 0 < requests["failed"] < requests["sent"]


def test_without_an_incident_there_is_no_detection_and_no_alert(programs):
    code, summary, told = demo("--seconds", "30", "--no-incident")

    assert code == 0, told
    assert summary["phases"] == []
    assert summary["alerts"] == []
    assert summary["requests"]["failed"] == 0
    assert summary["requests"]["observed"] == summary["requests"]["sent"]


def test_without_prometheus_the_shortest_demo_sees_every_phase_and_says_how_to_get_pages():
    code, summary, told = demo("--seconds", f"{MINIMUM_SECONDS:.0f}", PATH="")

    assert code == 0, told
    assert [phase["name"] for phase in summary["phases"] if phase["detected_at"]] == INCIDENT
    assert summary["prometheus"] is False
    assert "prometheus-alertmanager" in told


def test_a_demo_that_is_too_short_is_refused_before_anything_is_started():
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "demo", "--headless", "--seconds", "5"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 2
    assert "too short" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_interrupted_it_leaves_no_process_and_no_file_behind(number, tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "demo", "--headless", "--seconds", "90"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        async with asyncio.timeout(60):
            while b"healthy" not in (line := await process.stderr.readline()):
                assert line, "it ended before traffic began"
        started = descendants(process.pid)
        # The model server, the supervisor, a relay worker and the observer at least.
        assert len(started) >= 4
        process.send_signal(number)
        said = (await asyncio.wait_for(process.communicate(), 30))[1]
    finally:
        if process.returncode is None:
            process.kill()

    async def none_alive() -> bool:
        return not any(alive(pid) for pid in started)

    await eventually(none_alive, "every process gone", seconds=5)
    assert process.returncode == 128 + number
    assert b"Traceback" not in said
    assert list(Path(tmp_path).iterdir()) == []
