"""A real Prometheus over recorded series: what a query would have answered at one moment.

The series are written as OpenMetrics, made into blocks by promtool, and served on loopback.
"""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sidecar.demo.processes import free_ports
from tests.generators.tools import run

# Any moment will do; this one is in the middle of a block of two hours.
NOW = 1_700_003_600
STEP_SECONDS = 15
MINUTES = 25


@dataclass(frozen=True)
class Series:
    """One series: its value at each scrape, ending at NOW."""

    metric: str
    labels: Mapping[str, str]
    values: list[float]


def scrapes() -> list[int]:
    """The times of all scrapes."""
    return list(range(NOW - MINUTES * 60, NOW + 1, STEP_SECONDS))


def open_metrics(series: list[Series]) -> str:
    """The exposition of all of them; families as they come, since promtool does not mind types."""
    lines = []
    for one in series:
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
        times = scrapes()[-len(one.values) :]
        lines += [
            f"{one.metric}{{{labels}}} {value} {at}" for value, at in zip(one.values, times, strict=True)
        ]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def prometheus(directory: Path, series: list[Series]) -> Iterator[str]:
    """Its address, while it serves these series."""
    (directory / "series.txt").write_text(open_metrics(series))
    made = run(
        "promtool",
        ["tsdb", "create-blocks-from", "openmetrics", directory / "series.txt", directory / "data"],
    )
    assert made.returncode == 0, made.stderr
    (directory / "prometheus.yml").write_text("global: {}\n")
    (port,) = free_ports(1)
    program = shutil.which("prometheus")
    assert program is not None
    server = subprocess.Popen(
        [
            program,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=(directory / "log").open("w"),
    )
    try:
        _until_ready(server, f"http://127.0.0.1:{port}", directory)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _until_ready(server: subprocess.Popen[bytes], url: str, directory: Path) -> None:
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError((directory / "log").read_text())


def query(url: str, expression: str) -> list[float]:
    """The values of the instant vector at NOW, as Argo Rollouts and Flagger are given them."""
    asked = urllib.parse.urlencode({"query": expression, "time": NOW})
    with urllib.request.urlopen(f"{url}/api/v1/query?{asked}", timeout=20) as answer:
        found = json.load(answer)["data"]
    assert found["resultType"] == "vector"
    return [float(one["value"][1]) for one in found["result"]]
