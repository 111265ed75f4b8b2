"""What sharing a CPU quota with the observer costs the relay.

    sudo python -m benchmarks.quota [--cores 0.5] [--rate 300] [--rounds 5] [--seconds 10]

Puts the whole sidecar into a control group with a quota and sends requests at a fixed rate, from outside of
it. Every round measures the relay alone, relay and observer, and, for scale, the relay beside a process of
lowest priority that only spins; the figures to read are ratios within a round. Needs root and a kernel
that lets control groups be made.
"""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from multiprocessing import Process
from pathlib import Path

from benchmarks.proxies import ANSWER, REQUEST, answers, free_port
from benchmarks.relay import tree
from tests.containers.groups import Group, group, why_not

CONNECTIONS = 8
SPIN = "while True: pass"


class Upstream(asyncio.Protocol):
    """Answers every request at once. Requests come one at a time on each connection."""

    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}"
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.had = 0

    def data_received(self, data: bytes) -> None:
        self.had += len(data)
        if self.had >= len(REQUEST):
            self.had -= len(REQUEST)
            self.transport.write(self.answer.encode())


def serve_upstream(port: int) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1000)
        await server.serve_forever()

    asyncio.run(serve())


async def open_loop(port: int, rate: float, seconds: float) -> list[float]:
    """Seconds from the planned moment of each request to its answer, sorted."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    took: list[float] = []

    async def one(planned: float) -> None:
        reader, writer = await free.get()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))  # type: ignore[index]
        took.append(time.perf_counter() - planned)
        free.put_nowait((reader, writer))

    tasks, start = [], time.perf_counter() + 0.1
    for number in range(int(seconds * rate)):
        planned = start + number / rate
        await asyncio.sleep(max(planned - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(one(planned)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return sorted(took)


@contextlib.contextmanager
def inside(limits: Group, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs, with all it starts, in a control group."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=limits.enter)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def scraped(port: int) -> dict[str, float]:
    found: dict[str, float] = {}
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
    for name, label in (
        ("inference_requests_total", ""),
        ("inference_rows_total", ""),
        ("sidecar_exchanges_undecoded_total", "overload"),
        ("sidecar_chunks_dropped_total", ""),
        ("sidecar_cpu_seconds_total", "observer"),
    ):
        lines = [line for line in text.splitlines() if line.startswith(name + "{") and label in line]
        found[f"{name} {label}".strip()] = sum(float(line.rsplit(" ", 1)[1]) for line in lines)
    return found


class Bench:
    """One upstream; a fresh control group for every measurement."""

    def __init__(self, chosen: argparse.Namespace, directory: Path) -> None:
        self.chosen = chosen
        self.directory = directory
        self.upstream = free_port()

    def command(self, *words: str) -> tuple[list[str], int, int]:
        port, admin = free_port(), free_port()
        addresses = ["--upstream", f"127.0.0.1:{self.upstream}", "--listen", f"127.0.0.1:{port}"]
        return (
            [sys.executable, "-m", "sidecar", *words, *addresses, "--admin", f"127.0.0.1:{admin}"],
            port,
            admin,
        )

    def alone(self, limits: Group) -> list[float]:
        command, port, _ = self.command("relay", "--tee", f"unix:{self.directory}/nobody.sock")
        with inside(limits, command):
            return self.drive(port)

    def beside_a_spinner(self, limits: Group) -> list[float]:
        command, port, _ = self.command("relay", "--tee", f"unix:{self.directory}/nobody.sock")
        with inside(limits, command), inside(limits, ["nice", "-n", "19", sys.executable, "-c", SPIN]):
            return self.drive(port)

    def observed(self, limits: Group) -> list[float]:
        command, port, admin = self.command("run")
        with inside(limits, command):
            took = self.drive(port)
            print("   ", scraped(admin), file=sys.stderr)
            return took

    def unbudgeted(self, limits: Group) -> list[float]:
        """The halves apart pace nothing: whoever separates them gives each its own quota."""
        tee = ["--tee", f"unix:{self.directory}/tee.sock"]
        command, port, _ = self.command("relay", *tee)
        observe = [sys.executable, "-m", "sidecar", "observe", *tee, "--admin", f"127.0.0.1:{free_port()}"]
        with inside(limits, command), inside(limits, observe):
            return self.drive(port)

    def while_it_restarts(self, limits: Group) -> list[float]:
        command, port, _ = self.command("run")
        with inside(limits, command) as sidecar:
            self.settle(port)
            for pid in tree(sidecar.pid):
                if b"app_observer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
            return asyncio.run(open_loop(port, self.chosen.rate, self.chosen.seconds))

    def drive(self, port: int) -> list[float]:
        self.settle(port)
        return asyncio.run(open_loop(port, self.chosen.rate, self.chosen.seconds))

    def settle(self, port: int) -> None:
        """Until both halves are loaded: the start has a budget too, and is not what is measured here."""
        if not answers(port):
            raise SystemExit("the sidecar does not answer")
        time.sleep(self.chosen.settle)


def report(results: dict[str, list[list[float]]]) -> None:
    base = results["relay alone"]
    for name, rounds in results.items():
        line = []
        for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            values = [took[min(int(len(took) * share), len(took) - 1)] for took in rounds]
            bases = [took[min(int(len(took) * share), len(took) - 1)] for took in base]
            pairs = [mine / theirs for mine, theirs in zip(values, bases, strict=True)]
            ratio = f"x{statistics.median(pairs):.2f} ({min(pairs):.2f}-{max(pairs):.2f})"
            line.append(f"{label} {statistics.median(values) * 1e3:.2f} ms {ratio}")
        print(f"{name:20s} " + "   ".join(line))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", type=float, default=0.5)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--settle", type=float, default=8)
    parser.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    if reason := why_not("cpu"):
        print(f"left out: {reason}")
        return
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(chosen, Path(name))
        upstream = Process(target=serve_upstream, args=(bench.upstream,), daemon=True)
        upstream.start()
        contestants = {
            "relay alone": bench.alone,
            "relay and observer": bench.observed,
            "observer restarting": bench.while_it_restarts,
            "without the budget": bench.unbudgeted,
            "relay and a spinner": bench.beside_a_spinner,
        }
        results: dict[str, list[list[float]]] = {}
        for number in range(chosen.rounds):
            for label, measure in contestants.items():
                if chosen.only and label not in ("relay alone", *chosen.only):
                    continue
                with group(cores=chosen.cores) as limits:
                    results.setdefault(label, []).append(measure(limits))
                    throttled = limits.throttled_seconds()
                print(f"round {number + 1}: {label}, throttled for {throttled:.2f} s", file=sys.stderr)
        upstream.terminate()
    print(f"{chosen.cores} cores, {chosen.rate:g} requests/s, {chosen.rounds} rounds of {chosen.seconds:g} s")
    report(results)


if __name__ == "__main__":
    main()
