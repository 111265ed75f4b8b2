"""The examples for one machine: compose and systemd, checked as far as nothing is started."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from sidecar import cli, commands
from sidecar.demo import model_server
from sidecar.demo.processes import free_ports
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


def test_the_model_server_of_the_example_takes_its_arguments(capsys, monkeypatch) -> None:
    module, arguments = SERVICES["model"]["entrypoint"][2], SERVICES["model"]["entrypoint"][3:]
    assert module == model_server.__name__
    monkeypatch.setattr(sys, "argv", [module, *arguments, "--help"])
    with pytest.raises(SystemExit, match="0"):
        model_server.main()
    shown = capsys.readouterr().out
    assert all(argument in shown for argument in arguments if argument.startswith("--"))


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


def missing(program: str) -> NoReturn:
    """Elsewhere the test is left out; in CI nothing is."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{program} is not installed")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that is there, as systemd's own checker wants it."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
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


def allowed(service: str) -> set[str]:
    """The system calls that the unit's filters leave."""
    found: set[str] = set()
    for given in re.findall(r"^SystemCallFilter=(\S+)$", service, re.MULTILINE):
        names = calls(given.removeprefix("~"))
        found = found - names if given.startswith("~") else found | names
    return found


def calls(group: str) -> set[str]:
    """Those of a group, and of the groups in it."""
    found: set[str] = set()
    for line in analyze("syscall-filter", group).stdout.splitlines()[1:]:
        name = line.strip()
        if name and not name.startswith("#"):
            found |= calls(name) if name.startswith("@") else {name}
    return found


@pytest.mark.e2e
def test_the_service_is_allowed_every_system_call_that_it_makes(units: Path, tmp_path: Path) -> None:
    """From its start over a request to its end, with state: a filter that is too narrow shows here first."""
    strace = shutil.which("strace")
    if strace is None:
        missing("strace")
    listen, admin = free_ports(2)
    config = yaml.safe_load((SYSTEMD / "sidecar.yaml").read_text())
    config |= {"upstream": "127.0.0.1:1", "listen": f"127.0.0.1:{listen}", "admin": f"127.0.0.1:{admin}"}
    config |= {"state": {"dir": str(tmp_path / "state")}, "drain": {"grace": "100ms"}}
    (tmp_path / "state").mkdir()
    (tmp_path / "sidecar.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "sidecar", "run", "--config", str(tmp_path / "sidecar.yaml")]
    process = subprocess.Popen([strace, "-f", "-qq", "-o", str(tmp_path / "calls"), *command])
    try:
        eventually(lambda: b"inference_" in asked(admin, "GET /metrics"))
        assert b"502" in asked(listen, "POST /v1/models/churn:predict")
    finally:
        # The supervisor, not strace, which would let go of it.
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        process.wait(30)
    lines = (tmp_path / "calls").read_text()
    made = set(re.findall(r"^\d+\s+(?:<\.\.\. )?(\w+)[( ]", lines, re.MULTILINE))
    assert {"setpriority", "accept4", "socketpair"} <= made
    assert made - allowed((units / "inference-sidecar.service").read_text()) == set()


def asked(port: int, line: str) -> bytes:
    """What one request is answered with; nothing while nobody is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"{line} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return b""


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


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
