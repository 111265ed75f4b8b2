"""The Dockerfile's promises, as text: nobody can build it where there is no registry, but all can read it."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"(?ms)^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", TEXT))
VALUES = yaml.safe_load((ROOT / "helm" / "inference-sidecar" / "values.yaml").read_text())


def test_the_last_stage_is_the_sidecar_and_it_has_every_stage_from_one_base():
    assert list(STAGES) == ["build", "sidecar", "redirect"]
    assert TEXT.rstrip().endswith("FROM sidecar")
    assert set(re.findall(r"^FROM (\S+)", TEXT, re.M)) == {"${BASE}", "sidecar"}


def test_it_runs_as_the_user_that_the_chart_demands():
    user = VALUES["sidecar"]["securityContext"]["runAsUser"]
    assert re.findall(r"^USER (\S+)", STAGES["sidecar"], re.M) == [f"{user}:{user}"]


def test_nothing_at_run_time_needs_a_shell():
    for instruction in re.findall(r"^(?:ENTRYPOINT|CMD|HEALTHCHECK .*CMD) (.*)", STAGES["sidecar"], re.M):
        assert instruction.startswith("[")
    assert "RUN" not in STAGES["sidecar"]


def test_only_the_wheel_and_what_it_was_resolved_with_reach_the_builder():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    allowed = [line.removeprefix("!") for line in ignored[1:]]
    assert ignored[0] == "*"
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", TEXT, re.M) for name in line.split()}
    assert copied == set(allowed)


def test_the_ports_are_those_of_the_chart():
    ports = VALUES["sidecar"]["ports"]
    assert f"EXPOSE {ports['inference']} {ports['admin']}\n" in TEXT


@pytest.mark.parametrize("stage", ["sidecar", "redirect"])
def test_it_asks_after_itself_where_it_stays(stage):
    expected = '["/opt/sidecar/bin/sidecar", "probe"]' if stage == "sidecar" else "HEALTHCHECK NONE"
    assert expected in STAGES[stage]
