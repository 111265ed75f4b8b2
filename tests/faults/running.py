"""A sidecar as its user starts it: a process tree, its ports, what it says of itself, how it ends."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import command, descendants

_RELAYING = re.compile(r"relaying (?:127\.0\.0\.1|\[::1\]):(\d+) to ")
_ADMIN = re.compile(r"status page on http://127\.0\.0\.1:(\d+)/")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
Address = tuple[str, int]


class Sidecar:
    """One running `sidecar run` (or another command); its log is a file, so nothing of it can block."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log
        self.address: Address = ("127.0.0.1", 0)
        self.admin: Address = ("127.0.0.1", 0)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def relay_pids(self) -> list[int]:
        return self._pids("sidecar.relay.worker")

    def observer_pid(self) -> int | None:
        return next(iter(self._pids("sidecar.observer")), None)

    def _pids(self, module: str) -> list[int]:
        return [pid for pid in descendants(self.process.pid) if module in command(pid)]

    def get(self, path: str, seconds: float = 10.0) -> tuple[int, str]:
        """Status and body of an admin page."""
        url = f"http://{self.admin[0]}:{self.admin[1]}{path}"
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of `name` with these labels; 0 when there is none."""
        return total(self.get("/metrics")[1], name, **labels)

    def stop(self, seconds: float = 40.0) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def total(page: str, name: str, **labels: str) -> float:
    """The sum of matching samples of a page in Prometheus text."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@contextlib.contextmanager
def sidecar(
    directory: Path,
    upstream: str,
    *arguments: str,
    prefix: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Sidecar]:
    """`sidecar run` in front of `upstream` on free ports, ready; no process of it is left afterwards."""
    fixed = ("run", "--upstream", upstream, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    with started(directory, *fixed, *arguments, prefix=prefix, environment=environment) as running:
        until(lambda: _found_ports(running), "its ports in the log", running)
        until(lambda: running.get("/-/ready")[0] == 200, "ready", running)
        yield running


@contextlib.contextmanager
def started(
    directory: Path,
    *arguments: str,
    prefix: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Sidecar]:
    """Any command of the sidecar, just started."""
    log = directory / f"sidecar-{time.monotonic_ns()}.log"
    line = [*prefix, sys.executable, "-m", "sidecar", *arguments]
    # A short grace and deadline, for tests which do not ask for more.
    settings = {"SIDECAR_DRAIN__GRACE": "200ms", "SIDECAR_DRAIN__DEADLINE": "10s", **(environment or {})}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env={**os.environ, **settings}
        )
    running = Sidecar(process, log)
    try:
        yield running
    finally:
        below = descendants(process.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        for pid in [process.pid, *below]:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None or "sidecar" in command(pid):
                    os.kill(pid, signal.SIGKILL)
        process.wait(10)


def _found_ports(running: Sidecar) -> bool:
    said = running.said()
    relaying, admin = _RELAYING.search(said), _ADMIN.search(said)
    if relaying is None or admin is None:
        return False
    running.address = ("127.0.0.1", int(relaying[1]))
    running.admin = ("127.0.0.1", int(admin[1]))
    return True


def until(check: object, what: str, running: Sidecar | None = None, seconds: float = _START_SECONDS) -> None:
    """Return once `check()` is true; say what never was."""
    assert callable(check)
    deadline = time.monotonic() + seconds
    while not _holds(check):
        said = running.said() if running is not None else ""
        assert running is None or running.process.poll() is None, f"ended before {what}:\n{said}"
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}\n{said}"
        time.sleep(_POLL_SECONDS)


async def eventually(check: object, what: str, seconds: float = _START_SECONDS) -> None:
    """The same for a test whose loop must go on meanwhile; `check` may ask over the network."""
    assert callable(check)
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(_holds, check):
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}"
        await asyncio.sleep(_POLL_SECONDS)


def _holds(check: object) -> bool:
    assert callable(check)
    try:
        return bool(check())
    except OSError:  # not listening yet, or already gone
        return False


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def peak_bytes(pid: int) -> int:
    """The most memory a process ever had resident (VmHWM)."""
    return _status_bytes(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """What it has resident now."""
    return _status_bytes(pid, "VmRSS")


def cpu_seconds(pid: int) -> float:
    """Processor time a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status_bytes(pid: int, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
