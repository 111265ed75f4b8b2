"""Real model servers and their clients, each in an environment of its own.

A client is a script in `clients/` that is given addresses, makes the same calls at each and prints what it
got as one JSON list: what it got from the server itself first, then what it got through the sidecar.
"""

import contextlib
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.faults.running import until

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".venv-peers"
# Ray takes 25 s, and 80 s on a machine that is busy.
_START_SECONDS = 180.0
_STOP_SECONDS = 20.0


def program(peer: str, name: str = "python") -> Path:
    """A program of a peer's environment."""
    return ENVIRONMENTS / peer / "bin" / name


def environment(peer: str) -> dict[str, str]:
    """Variables for a peer's programs: it finds its own first, and nothing of ours is set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SIDECAR_", "OTEL_"))}
    return ours | {"PATH": f"{ENVIRONMENTS / peer / 'bin'}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def serving(
    peer: str,
    arguments: list[str | Path],
    directory: Path,
    ready: str,
    more: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """A model server in `directory` until the block ends; `ready` is what answers 200 once it serves."""
    log = directory / f"{peer}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, arguments)), cwd=directory, env=environment(peer) | dict(more or {}),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip

    def answers() -> bool:
        assert process.poll() is None, f"{peer} ended:\n{log.read_text(errors='replace')[-4000:]}"
        with urllib.request.urlopen(ready, timeout=5) as answer:
            return bool(answer.status == 200)

    try:
        until(answers, f"an answer from {ready}; see {log}", seconds=_START_SECONDS)
        yield
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask it and all that it started to leave; whoever of its group does not is killed."""
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_STOP_SECONDS)


def asked(peer: str, script: str, *addresses: str) -> list[dict[str, Any]]:
    """What a client's calls gave at each of the addresses."""
    line = [program(peer), HERE / "clients" / script, *addresses]
    ended = subprocess.run(
        list(map(str, line)), env=environment(peer), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, f"{script} failed:\n{ended.stderr[-4000:]}"
    results: list[dict[str, Any]] = json.loads(ended.stdout.splitlines()[-1])
    return results


def written(directory: Path, script: str, peer: str, *arguments: str) -> None:
    """Run a script of `servers/` to its end, which makes files in `directory`."""
    line = [program(peer), HERE / "servers" / script, *arguments]
    ended = subprocess.run(
        list(map(str, line)),
        cwd=directory,
        env=environment(peer),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{script} failed:\n{ended.stderr[-4000:]}"
