"""Inhibition in a running Alertmanager with the shipped example: causes silence symptoms, and nothing else.

Alerts are posted as Prometheus would post them. Only receivers are replaced, by webhooks nobody listens to:
what is asked is Alertmanager's own word on what it inhibits.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from sidecar.demo.monitoring import Programs, answers
from sidecar.demo.processes import free_ports, running, until
from tests.e2e.conftest import eventually

EXAMPLE = Path(__file__).parents[2] / "alert-rules" / "alertmanager.yaml"
MODEL = {"cluster": "c", "namespace": "ml", "job": "models", "model_name": "churn"}
DOWN = {"alertname": "InferenceUpstreamUnreachable", "severity": "page",
        "cluster": "c", "namespace": "ml", "job": "models"}  # fmt: skip
DRIFT = {"alertname": "InferenceDrift", "model_version": "4", "kind": "feature", "name": "age", **MODEL}
FRESH = {"alertname": "InferenceModelVersionChanged", "severity": "info", "model_version": "4", **MODEL}


def burn(slo: str, tier: str, severity: str, **labels: str) -> dict[str, str]:
    name = {"availability": "InferenceAvailabilityBurn", "latency": "InferenceLatencyBurn"}[slo]
    return {"alertname": name, "slo": slo, "burnrate_tier": tier, "severity": severity, **MODEL, **labels}


def without(labels: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in names}


FAST = burn("availability", "fast", "page")
NULLS = {"alertname": "InferenceFeatureNullSurge", "severity": "ticket", "feature": "age", **MODEL}
FEATURES = {**burn("availability", "fast", "page"), "alertname": "InferenceFeatureAvailabilityBurn",
            "slo": "feature_availability"}  # fmt: skip
GONE = {"alertname": "InferenceTrafficVanished", "severity": "ticket", **MODEL}
LOW = {"alertname": "InferenceTrafficUnusual", "severity": "ticket", "change": "low", **MODEL}

CASES = {
    "no server: its latency": (DOWN, burn("latency", "slow", "ticket"), True),
    "no server: its drift": (DOWN, {**DRIFT, "severity": "ticket"}, True),
    "no server: another job": (DOWN, burn("latency", "slow", "ticket", job="others"), False),
    "fast tier: slow tier": (FAST, burn("availability", "slow", "ticket"), True),
    "fast tier: another model": (FAST, burn("availability", "slow", "ticket", model_name="fraud"), False),
    "fast tier: another objective": (FAST, burn("latency", "medium", "page", model_name="fraud"), False),
    "slow tier: never the fast one": (burn("availability", "slow", "ticket"), FAST, False),
    "failures: latency of what succeeds": (FAST, burn("latency", "fast", "page"), True),
    "fresh version: tickets about its drift": (FRESH, {**DRIFT, "severity": "ticket"}, True),
    "fresh version: pages about its drift stay": (FRESH, {**DRIFT, "severity": "page"}, False),
    "fresh version: drift of the old one stays": (
        FRESH, {**DRIFT, "severity": "ticket", "model_version": "3"}, False,
    ),
    "features missing: what they look like": (FEATURES, NULLS, True),
    "nobody asks: few ask": (GONE, LOW, True),
    # Missing on both sides counts as equal to Alertmanager; the guards say no.
    "no job on either side": (without(DOWN, "job"), without({**DRIFT, "severity": "ticket"}, "job"), False),
    "no model on either side": (without(FAST, "model_name"),
                                without(burn("availability", "slow", "ticket"), "model_name"), False),
    "no version on either side": (without(FRESH, "model_version"),
                                  without({**DRIFT, "severity": "ticket"}, "model_version"), False),
    # A bare Prometheus has neither cluster nor namespace.
    "bare": (without(FAST, "cluster", "namespace"),
             without(burn("availability", "slow", "ticket"), "cluster", "namespace"), True),
}  # fmt: skip


@pytest.fixture
async def alertmanager(programs: Programs, tmp_path: Path) -> AsyncIterator[str]:
    """A running Alertmanager with the example's routes and inhibitions."""
    config = yaml.safe_load(EXAMPLE.read_text())
    config["receivers"] = [{"name": receiver["name"]} for receiver in config["receivers"]]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    arguments = [programs.alertmanager, f"--config.file={path}", f"--storage.path={tmp_path / 'data'}",
                 f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    async with running("Alertmanager", arguments, tmp_path / "alertmanager.log") as child:
        await until(lambda: answers(f"{url}/-/ready"), child)
        yield url


async def test_a_cause_silences_its_symptoms_and_nothing_that_lacks_the_labels(alertmanager: str):
    """Every case has a cluster of its own, or, without one, a job: they never meet each other."""
    posted = []
    for number, (cause, symptom, _) in enumerate(CASES.values()):
        posted += [_of_case(number, cause), _of_case(number, symptom)]
    async with aiohttp.ClientSession() as session:
        body = [{"labels": labels} for labels in posted]
        async with session.post(f"{alertmanager}/api/v2/alerts", json=body) as response:
            assert response.status == 200

        async def inhibited() -> dict[str, bool]:
            async with session.get(f"{alertmanager}/api/v2/alerts") as response:
                found = {_key(a["labels"]): bool(a["status"]["inhibitedBy"]) for a in await response.json()}
            return {
                name: found.get(_key(_of_case(number, symptom)), False)
                for number, (name, (_, symptom, _)) in enumerate(CASES.items())
            }

        wanted = {name: silenced for name, (_, _, silenced) in CASES.items()}

        async def causes_known() -> bool:
            found = await inhibited()
            return all(found[name] for name, silenced in wanted.items() if silenced)

        # All alerts came in one message: when the last cause is known, so are those that silence nothing.
        await eventually(causes_known, "every symptom silenced that should be")
        assert await inhibited() == wanted


def _of_case(number: int, labels: dict[str, str]) -> dict[str, str]:
    """The same alert in a place of its own; what it lacks it still lacks."""
    places = {"cluster": f"c{number}", "namespace": f"n{number}"}
    own = {**labels, **{name: place for name, place in places.items() if name in labels}}
    if "cluster" not in labels and "job" in labels:
        own["job"] = f"{labels['job']}{number}"
    return own


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
