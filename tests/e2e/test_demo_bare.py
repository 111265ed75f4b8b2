"""A demo where Prometheus and Alertmanager are not installed."""

from sidecar.demo.scenario import MINIMUM_SECONDS
from tests.e2e.demos import INCIDENT, demo


def test_without_prometheus_the_shortest_demo_sees_every_phase_and_says_how_to_get_pages():
    code, summary, told = demo("--seconds", f"{MINIMUM_SECONDS:.0f}", PATH="")

    assert code == 0, told
    assert [phase["name"] for phase in summary["phases"] if phase["detected_at"]] == INCIDENT
    assert summary["prometheus"] is False
    assert "prometheus-alertmanager" in told
