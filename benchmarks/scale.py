"""What many models, features and series cost one observer, and whether a scrape holds up its reading.

    python -m benchmarks.scale [--only NAME] [--seconds 6]

Each line is an observer process of its own (tee, pipeline, admin server) that is fed frames over its tee as a
relay worker would, at a steady rate, each with the time it was sent; so lag is how old a chunk is when it is
read. The first seconds are quiet, then /metrics is asked for again and again. References are given, drift and
data quality are judged, everything is decoded. The last lines fill the registry to its limit first.

The trap: the feeder shares the machine, so it sends few and large requests; on a busy machine lags say more
of the neighbours than of us. Results and the machine are in docs/drift.md.
"""

import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sidecar import clock
from sidecar.address import Address
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind, encode
from sidecar.config import load
from sidecar.observer.observing import Observing
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.store import save
from sidecar.registry import Counter, Gauge, Histogram, Registry

ROOT = Path(__file__).parents[1]

BASE = 1 << 40  # connections of worker 1
ROWS = 8
SCRAPES = 12


@dataclass(frozen=True, slots=True)
class Case:
    """Models, features of each, requests of ROWS rows a second; a full registry or not, state kept or not."""

    name: str
    models: int
    features: int
    rate: int
    full: bool = False
    state: bool = False


CASES = (
    Case("1 model x 30 features", 1, 30, 200),
    Case("10 models x 30 features", 10, 30, 200),
    Case("1 model x 1,000 features", 1, 1_000, 20),
    Case("10 x 30, at the limit of series", 10, 30, 200, full=True),
    Case("the same, with a state directory", 10, 30, 200, full=True, state=True),
)


# --- the observer, in a process of its own ----------------------------------------------------------


async def observe(case: Case, directory: Path) -> None:
    """Serve until stdin ends; then print the lag of every read, and what the process used."""
    settings = load(str(directory / "sidecar.yaml"), {}, {})
    observing = Observing(settings, str(directory / "tee"), Address(path=str(directory / "admin")))
    lags = _watch(observing)
    if case.full:
        fill(observing._registry)
    await observing.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    rows = observing._registry.value("inference_rows_total")
    print(json.dumps({"lags": lags, "cpu": seconds, "peak": peak, "resident": resident, "rows": rows}))
    sys.stdout.flush()
    os._exit(0)


def _watch(observing: Observing) -> list[tuple[float, float]]:
    """When chunks of requests were read, and how old they were then."""
    found: list[tuple[float, float]] = []
    observer = observing._pipeline.observer
    feed = observer.feed

    def seen(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            if chunk.kind is Kind.DATA and chunk.direction == FROM_CLIENT:
                now = clock.monotonic()
                found.append((now, now - chunk.time))
            yield chunk

    def watched(chunks: Iterable[Chunk]) -> None:
        feed(seen(chunks))

    observer.feed = watched  # type: ignore[method-assign]
    return found


def fill(registry: Registry) -> None:
    """Series of everything that traffic can multiply, in the order of shedding, until there is no room."""
    families = [f for f in registry._families.values() if f.metric.capped]
    for family in sorted(families, key=lambda f: -f.metric.shed):
        # Half a percent is left for the models that are asked, as on a day when the limit is reached.
        for at in range(family.metric.limit // 2):
            if not family.fits() or registry.room.used > 0.995 * registry.room.limit:
                break
            metric = family.metric
            labels = [f"{label}-{at}" if label in metric.capped else "x" for label in metric.labels]
            if isinstance(family, Histogram):
                family.observe(0.1, *labels)
            elif isinstance(family, Counter):
                family.add(1234567.0, *labels)
            elif isinstance(family, Gauge):
                family.set(0.123456789, *labels)


# --- the relay's part, and the scraper's --------------------------------------------------------------


def configuration(case: Case, directory: Path) -> None:
    """References of 5,000 rows, and what is asked for."""
    random = np.random.default_rng(1)
    builder = ProfileBuilder()
    columns = {f"feature_{i:04}": random.normal(size=5_000) for i in range(case.features)}
    builder.add(5_000, columns, {"score": random.random(5_000)})
    save(builder.reference(), directory / "reference.json")
    said: dict[str, Any] = {"reference": str(directory / "reference.json")}
    if case.state:
        said["state"] = {"dir": str(directory / "state")}
    (directory / "sidecar.yaml").write_text(json.dumps(said))


def frames(case: Case) -> list[tuple[bytes, bytes]]:
    """Requests and their answers, enough different ones to defeat caches."""
    random = np.random.default_rng(2)
    pairs = []
    for number in range(64):
        model = f"model-{number % case.models}"
        tensors = [
            {"name": f"feature_{i:04}", "datatype": "FP64", "shape": [ROWS, 1],
             "data": np.round(random.normal(size=ROWS), 6).tolist()}
            for i in range(case.features)
        ]  # fmt: skip
        body = json.dumps({"inputs": tensors}).encode()
        head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: model\r\nContent-Type: application/json\r\n"
        scores = {"name": "score", "datatype": "FP64", "shape": [ROWS], "data": random.random(ROWS).tolist()}
        answer = json.dumps({"model_name": model, "model_version": "3", "outputs": [scores]}).encode()
        said = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        pairs.append((
            f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body,
            f"{said}Content-Length: {len(answer)}\r\n\r\n".encode() + answer,
        ))  # fmt: skip
    return pairs


class Feeder(threading.Thread):
    """A relay worker: one keep-alive connection, a request and its answer at each tick."""

    def __init__(self, case: Case, tee: Path) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.sent = 0
        self._pairs = frames(case)
        self._rate = case.rate
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(tee))

    def run(self) -> None:
        """Send until told to stop."""
        meta = {"route": "r", "upstream": "u", "offsets": [0, 0], "new": True}
        self._socket.sendall(encode(Chunk(Kind.HELLO, BASE, time=clock.monotonic(), meta={"worker": 1})))
        self._socket.sendall(encode(Chunk(Kind.OPEN, BASE, time=clock.monotonic(), meta=meta)))
        offsets, began = [0, 0], clock.monotonic()
        while not self.over.is_set():
            wait = began + self.sent / self._rate - clock.monotonic()
            if wait > 0:
                time.sleep(wait)
            asked, came = self._pairs[self.sent % len(self._pairs)]
            now = clock.monotonic()
            chunks = (
                Chunk(Kind.DATA, BASE, FROM_CLIENT, now, offsets[0], asked),
                Chunk(Kind.DATA, BASE, FROM_SERVER, now, offsets[1], came),
            )
            self._socket.sendall(b"".join(map(encode, chunks)))
            offsets[0] += len(asked)
            offsets[1] += len(came)
            self.sent += 1


def scrape(admin: Path) -> tuple[float, float, bytes]:
    """From when to when /metrics took, and the page, gzipped on the way as Prometheus asks."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(admin))
        began = clock.monotonic()
        asking.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n"
        )
        parts = []
        while part := asking.recv(1 << 20):
            parts.append(part)
    return began, clock.monotonic(), b"".join(parts)


def lines(admin: Path) -> int:
    """The series on the page."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(admin))
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        page = b"".join(iter(lambda: asking.recv(1 << 20), b""))
    return sum(
        not line.startswith(b"#") and b" " in line for line in page.split(b"\r\n\r\n", 1)[1].splitlines()
    )


def run(case: Case, seconds: float) -> dict[str, Any]:
    """One line of the table."""
    with tempfile.TemporaryDirectory(prefix="scale") as name:
        directory = Path(name)
        configuration(case, directory)
        command = [sys.executable, "-m", "benchmarks.scale", "--child", json.dumps([asdict(case), name])]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, cwd=ROOT, **pipes) as child:  # type: ignore[call-overload]
            if child.stdout.readline() != "ready\n":
                raise SystemExit("the observer did not start")
            feeder = Feeder(case, directory / "tee")
            feeder.start()
            time.sleep(seconds)
            quiet_until = clock.monotonic()
            taken = []
            for _ in range(SCRAPES):
                taken.append(scrape(directory / "admin")[:2])
                time.sleep(0.25)
            series = lines(directory / "admin")
            feeder.over.set()
            feeder.join()
            time.sleep(0.5)
            child.stdin.close()
            done: dict[str, Any] = json.loads(child.stdout.read())
    lags = np.array(done.pop("lags"))
    # The first requests find nothing compiled, cached or introduced.
    settled = lags[0, 0] + seconds / 2
    quiet = lags[(lags[:, 0] > settled) & (lags[:, 0] < quiet_until), 1]
    during = np.concatenate([lags[(lags[:, 0] >= a) & (lags[:, 0] <= b + 0.05), 1] for a, b in taken])
    spent = np.array([b - a for a, b in taken])
    return {
        **done, "series": series, "scrape": float(np.median(spent)), "slowest": float(spent.max()),
        "quiet": float(np.quantile(quiet, 0.99)), "during": float(np.quantile(during, 0.99)),
        "worst": float(during.max()), "missed": 1 - done["rows"] / (feeder.sent * ROWS),
    }  # fmt: skip


def main() -> None:
    """Print the table, in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="of quiet, before the scrapes")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        case, directory = json.loads(options.child)
        asyncio.run(observe(Case(**case), Path(directory)))
        return
    print(
        "| | rows/s | series | resident MB | scrape ms, median | slowest | lag ms, 99 %, quiet"
        " | during scrapes | worst | rows missed |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if options.only in case.name:
            found = run(case, options.seconds)
            times = (found[name] * 1e3 for name in ("scrape", "slowest", "quiet", "during", "worst"))
            cells = (
                case.name, f"{case.rate * ROWS:,}", f"{found['series']:,}", f"{found['resident']:.0f}",
                *(f"{value:.1f}" for value in times), f"{found['missed']:.1%}",
            )  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
