"""`sidecar demo` as a user runs it."""

import subprocess
import sys

import pytest

from tests.e2e.demos import INCIDENT, demo


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


def test_a_demo_that_is_too_short_is_refused_before_anything_is_started():
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "demo", "--headless", "--seconds", "5"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 2
    assert "too short" in done.stderr
    assert "Traceback" not in done.stderr
