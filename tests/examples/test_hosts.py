"""The examples for one machine: compose and systemd, checked as far as nothing is started."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sidecar import cli, commands
from sidecar.demo import model_server
from tests.generators.tools import run

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPOSE = EXAMPLES / "compose"
SYSTEMD = EXAMPLES / "systemd"
SERVICES = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
# The keys of the compose specification that we use; an unknown one is refused by docker.
KNOWN = {
    *("image", "entrypoint", "command", "healthcheck", "expose", "volumes", "ports", "depends_on"),
    *("read_only", "cap_drop", "security_opt", "mem_limit", "stop_grace_period", "restart", "environment"),
}


def mounts(service: str) -> dict[str, Path | None]:
    """Where what is mounted: a path of the repository, or None for a volume."""
    found = {}
    for text in SERVICES[service].get("volumes", []):
        source, target, *_ = text.split(":")
        found[target] = (COMPOSE / source).resolve() if source.startswith(".") else None
    return found


def test_every_file_says_what_it_is_and_is_in_the_list() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.rglob("*.yaml"):
        if path.parts[-2] in ("kubernetes", "kserve", "rollouts"):
            assert path.read_text().startswith("# ")
            assert f"({path.relative_to(EXAMPLES)})" in listed
    for link in re.findall(r"\]\(([^)]+)\)", listed):
        assert (EXAMPLES / link).exists(), link


def test_compose_uses_what_is_there() -> None:
    whole = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    assert whole.keys() == {"name", "services", "volumes"}
    for name, service in SERVICES.items():
        assert service.keys() <= KNOWN
        assert set(service.get("depends_on", [])) <= SERVICES.keys()
        assert all(source is None or source.exists() for source in mounts(name).values()), name
        assert not service["image"].endswith(":latest") and ":" in service["image"]


def test_the_sidecar_stands_between_and_the_model_server_is_not_published() -> None:
    chosen = cli._parser().parse_args(["check", "--config", str(COMPOSE / "sidecar.yaml")])
    settings = commands._settings(chosen, upstream=True)
    assert not settings.warnings
    assert str(settings.upstream) == "model:8000"
    assert "ports" not in SERVICES["model"]
    assert f"{settings.listen.port}:{settings.listen.port}" in SERVICES["sidecar"]["ports"]
    assert mounts("sidecar") == {SERVICES["sidecar"]["command"][2]: COMPOSE / "sidecar.yaml"}


def test_the_model_server_of_the_example_takes_its_arguments() -> None:
    module, arguments = SERVICES["model"]["entrypoint"][2], SERVICES["model"]["entrypoint"][3:]
    assert module == model_server.__name__
    shown = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
    )
    assert all(flag in shown.stdout for flag in arguments if flag.startswith("--"))


def test_prometheus_accepts_its_configuration_and_finds_rules_and_sidecar(tmp_path: Path) -> None:
    files = mounts("prometheus")
    config = yaml.safe_load((COMPOSE / "prometheus.yaml").read_text())
    rules = files["/etc/prometheus/rules"]
    assert rules is not None and list(rules.glob("*.rules.yaml"))
    text = (COMPOSE / "prometheus.yaml").read_text().replace("/etc/prometheus/rules", str(rules))
    (tmp_path / "prometheus.yml").write_text(text)
    checked = run("promtool", ["check", "config", tmp_path / "prometheus.yml"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"SUCCESS: {len(list(rules.glob('*.rules.yaml')))} rule files found" in checked.stdout
    targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
    targets += config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert {target.split(":")[0] for target in targets} <= SERVICES.keys()


def test_grafana_finds_the_dashboards_and_prometheus() -> None:
    files = mounts("grafana")
    provisioning = "/etc/grafana/provisioning"
    datasources, dashboards = files[f"{provisioning}/datasources"], files[f"{provisioning}/dashboards"]
    assert datasources is not None and dashboards is not None
    (provider,) = yaml.safe_load(next(dashboards.glob("*.yaml")).read_text())["providers"]
    boards = files[provider["options"]["path"]]
    assert boards is not None and list(boards.glob("*.json"))
    (source,) = yaml.safe_load(next(datasources.glob("*.yaml")).read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that is there, as systemd's own checker wants it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in SYSTEMD.glob("inference-sidecar.s*e"):
        text = path.read_text().replace("/opt/inference-sidecar/bin/sidecar", "/bin/true")
        (tmp_path / path.name).write_text(text)
    return tmp_path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


def test_systemd_accepts_the_units(units: Path) -> None:
    checked = analyze(
        "verify", "--man=no", units / "inference-sidecar.service", units / "inference-sidecar.slice"
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_systemd_would_find_a_mistake(units: Path) -> None:
    service = units / "inference-sidecar.service"
    service.write_text(service.read_text().replace("MemoryMax=512M", "MemoryMax=much"))
    assert "Invalid memory limit" in analyze("verify", "--man=no", service).stderr


def test_the_service_is_hardened(units: Path) -> None:
    """systemd's own score: 0 is nothing to reach, 10 is everything. 2.0 is what it calls OK."""
    assert (
        analyze(
            "security", "--offline=true", "--threshold=20", units / "inference-sidecar.service"
        ).returncode
        == 0
    )


def test_the_service_outlasts_its_drain_and_owns_its_state() -> None:
    unit = (SYSTEMD / "inference-sidecar.service").read_text()
    chosen = cli._parser().parse_args(["check", "--config", str(SYSTEMD / "sidecar.yaml")])
    settings = commands._settings(chosen, upstream=True)
    assert not settings.warnings
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(stop) > settings.drain.deadline
    assert f"StateDirectory={Path(str(settings.state.dir)).name}" in unit
    user = (SYSTEMD / "inference-sidecar.sysusers.conf").read_text().split()[1]
    assert f"User={user}" in unit and "Slice=inference-sidecar.slice" in unit
    commanded = re.findall(r"^ExecStart(?:Pre)?=\S+ (.*)$", unit, re.MULTILINE)
    assert [cli._parser().parse_args(text.split()).command for text in commanded] == ["check", "run"]
