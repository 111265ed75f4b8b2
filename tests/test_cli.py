"""The command as users meet it: what it prints where, and its exit code. Runs the real process."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sidecar import __version__

COMMANDS = (
    "run", "relay", "observe", "check", "profile", "replay", "rules", "dashboards",
    "demo", "probe", "redirect", "webhook", "version",
)  # fmt: skip


def sidecar(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "sidecar", *arguments],
        capture_output=True, text=True, timeout=60, cwd=cwd or root,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin", **env},
    )  # fmt: skip


def test_help_lists_every_command_and_goes_to_stdout():
    shown = sidecar("--help")
    assert shown.returncode == 0
    assert all(f"\n    {command}" in shown.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(command):
    shown = sidecar(command, "--help")
    assert shown.returncode == 0
    assert f"example:\n  sidecar {command}" in shown.stdout


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_2():
    shown = sidecar()
    assert shown.returncode == 2
    assert "usage: sidecar" in shown.stderr


def test_version_says_the_version():
    assert sidecar("version").stdout.startswith(f"sidecar {__version__} ")
    assert sidecar("--version").stdout == f"sidecar {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "upstream: missing; say where the model server is: --upstream host:port"),
        (["run", "--upstream", "8000"],
         "--upstream: 8000 is not an address; give the host too, such as 127.0.0.1:8000"),
        (["run", "--upstream", "127.0.0.1:18080"],
         "--upstream: 127.0.0.1:18080 is where the sidecar itself listens (listen); "
         "give the model server's address"),
        (["run", "--config", "nowhere.yaml"], "nowhere.yaml: cannot be read: no such file or directory"),
        (["run", "--upstream"], "sidecar run: argument --upstream: expected one argument"
         " (see sidecar run --help)"),
        (["run", "--upstream", "h:1", "--reference", "gone.json"],
         "--reference: no file at gone.json; make one with: sidecar profile DATA -o gone.json"),
        (["relay", "--upstream", "h:1", "--tee", "h:2"], "--tee: h:2 is not a unix socket; give unix:/path"),
        (["profile", "gone.csv"], "gone.csv: cannot be read: no such file or directory"),
        (["demo", "--seconds", "0"], "sidecar demo: argument --seconds: '0' is not a number of seconds"
         " from 1 to 86400 (see sidecar demo --help)"),
        (["check", "--config", ""],
         "--config: an empty value is not allowed; is a variable of the shell not set?"),
        (["replay", "a.csv", "--label="],
         "--label: an empty value is not allowed; is a variable of the shell not set?"),
        (["profile", ""], "an empty argument is not allowed; is a variable of the shell not set?"),
        (["probe", "--admin", "x"],
         "--admin: x is not an address; give host:port, [::1]:port or unix:/path"),
        (["rules", "-o", "/dev/null"], "cannot write to /dev/null: it is a file; give a directory"),
        (["rules", "-o", "/dev/null/x"], "cannot write to /dev/null/x: Not a directory"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_on_stderr_and_exit_code_2(arguments, sentence):
    failed = sidecar(*arguments)
    assert (failed.returncode, failed.stdout, failed.stderr) == (2, "", sentence + "\n")


def test_check_prints_every_problem_and_exits_2(tmp_path):
    (tmp_path / "sidecar.yaml").write_text("upstraem: h:1\nworkers: 0\n")
    failed = sidecar("check", "--config", "sidecar.yaml", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.splitlines() == [
        "sidecar.yaml: workers: 0 is not allowed; give a number of processes from 1 to 64",
        "sidecar.yaml: upstraem: no such key; did you mean upstream?",
    ]


def test_check_says_what_would_run(tmp_path):
    (tmp_path / "sidecar.yaml").write_text("upstream: 127.0.0.1:8000\n")
    fine = sidecar("check", "--config", "sidecar.yaml", cwd=tmp_path)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout == (
        "sidecar.yaml is fine: relays 0.0.0.0:18080 to 127.0.0.1:8000; admin on 0.0.0.0:19464; "
        "objectives availability 99.9 %, feature_availability 99.9 %; reference learnt from traffic\n"
    )


def test_check_reports_a_reference_that_is_not_there(tmp_path):
    (tmp_path / "sidecar.yaml").write_text("models: {fraud: {reference: fraud.json}}\n")
    failed = sidecar("check", "--config", "sidecar.yaml", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr == (
        "sidecar.yaml: models.fraud.reference: no file at fraud.json; "
        "make one with: sidecar profile DATA -o fraud.json\n"
    )


def test_check_reports_a_reference_that_is_no_reference(tmp_path):
    (tmp_path / "sidecar.yaml").write_text("reference: r.json\n")
    (tmp_path / "r.json").write_text("{]")
    failed = sidecar("check", "--config", "sidecar.yaml", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.startswith("sidecar.yaml: reference: r.json")
    assert failed.stderr.count("\n") == 1


def test_the_configuration_may_be_named_by_a_variable(tmp_path):
    (tmp_path / "sidecar.yaml").write_text("workers: 0\n")
    failed = sidecar("check", SIDECAR_CONFIG=str(tmp_path / "sidecar.yaml"))
    assert failed.returncode == 2
    assert "workers: 0 is not allowed" in failed.stderr


def test_variables_that_a_kubernetes_service_injects_are_one_warning():
    env = {"SIDECAR_PORT": "tcp://10.0.0.1:80", "SIDECAR_SERVICE_HOST": "10.0.0.1"}
    fine = sidecar("check", **env)
    assert fine.returncode == 0
    assert fine.stderr == "warning: there is no such setting: SIDECAR_PORT, SIDECAR_SERVICE_HOST (ignored)\n"


def test_rules_are_written_to_a_directory_or_printed(tmp_path):
    written = sidecar("rules", "-o", str(tmp_path / "rules"))
    assert written.returncode == 0
    files = sorted(str(path) for path in (tmp_path / "rules").iterdir())
    assert sorted(written.stdout.splitlines()) == files

    printed = sidecar("rules", "-o", "-")
    assert len(list(yaml.safe_load_all(printed.stdout))) == len(files)


def test_rules_for_a_configuration_have_its_objectives_and_its_mistakes(tmp_path):
    (tmp_path / "sidecar.yaml").write_text("slos: {availability: {objective: 98.5}}\n")
    fine = sidecar("rules", "-o", "-", "--config", "sidecar.yaml", cwd=tmp_path)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout != sidecar("rules", "-o", "-").stdout

    (tmp_path / "sidecar.yaml").write_text("slos: {availability: {objective: 101}}\n")
    failed = sidecar("rules", "-o", "-", "--config", "sidecar.yaml", cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("sidecar.yaml: slos.availability.objective: 101 leaves no room")


def test_dashboards_are_written_as_json(tmp_path):
    written = sidecar("dashboards", "-o", str(tmp_path / "boards"))
    assert written.returncode == 0
    boards = list((tmp_path / "boards").iterdir())
    assert boards
    assert all(json.loads(board.read_text())["uid"] for board in boards)


def test_a_profile_is_built_and_summed_up(tmp_path):
    rows = "".join(f"{age},{'n' if age % 2 else 's'},{age % 3 == 0}\n" for age in range(100))
    (tmp_path / "data.csv").write_text("age,region,churned\n" + rows)
    built = sidecar("profile", "data.csv", "--label", "churned", cwd=tmp_path)
    assert built.returncode == 0
    assert (tmp_path / "reference.json").is_file()
    assert "100 rows" in built.stdout
    assert "age" in built.stdout
    assert "region" in built.stdout

    printed = sidecar("profile", "data.csv", "-o", "-", cwd=tmp_path)
    assert printed.stdout == (tmp_path / "reference.json").read_text() or printed.stdout.startswith("{")


@pytest.mark.parametrize("arguments", ["rules -o -", "dashboards -o -", "--help", "version"])
def test_a_reader_that_leaves_early_gets_no_traceback(arguments):
    # It is gone before Python has begun.
    assert shell(f"sidecar {arguments} | true").stderr == ""


def test_help_is_fast_because_nothing_heavy_is_imported():
    code = """
import sys
from sidecar.cli import main
try:
    main(["--help"])
except SystemExit:
    heavy = {"numpy", "pydantic", "yaml", "aiohttp", "rich", "river", "asyncio"}
    print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_change_nothing(closed):
    command = f"{sys.executable} -m sidecar version {closed}"
    root = str(Path(__file__).parents[1])
    shown = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, cwd=root)
    assert (shown.returncode, shown.stderr) == (0, "")


NO_FULL_DISK = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(command: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command.replace("sidecar ", f"{sys.executable} -m sidecar ", 1)],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1],
        env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip


@NO_FULL_DISK
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["check", "version", "--version", "--help", "run --help", "rules -o -"])
def test_a_full_disk_below_our_output_is_a_sentence(arguments, unbuffered):
    failed = shell(f"sidecar {arguments} > /dev/full", unbuffered)
    assert (failed.returncode, failed.stderr) == (1, "sidecar: No space left on device\n")


@NO_FULL_DISK
@pytest.mark.parametrize("arguments", ["check --config nowhere", "check --nonsense", "run"])
def test_a_full_disk_below_our_complaints_changes_no_exit_code(arguments):
    assert shell(f"sidecar {arguments} 2> /dev/full").returncode == 2


@NO_FULL_DISK
def test_a_warning_that_cannot_be_written_stops_nobody():
    done = shell("SIDECAR_NOTHING=1; export SIDECAR_NOTHING; exec sidecar check 2> /dev/full")
    assert (done.returncode, done.stdout[:24]) == (0, "the configuration is fin")


@pytest.mark.parametrize("way", ["CLOUDEVENTS", "EXT_PROC"])
def test_an_ingest_address_that_is_taken_is_said_before_anything_is_started(way):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = sidecar("run", "--admin", "127.0.0.1:0", **{f"SIDECAR_INGEST__{way}": address})
    assert said.returncode == 1
    assert said.stderr == (
        f"cannot listen on {address}: something listens there already (another sidecar?); "
        "choose another address or stop it\n"
    )
