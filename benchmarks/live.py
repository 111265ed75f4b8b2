"""A fixed rate through `sidecar run`, everything decoded: what was answered, seen and read, and what it cost.

    python -m benchmarks.live [--rate 5000] [--seconds 10]

Client, model server (nginx with a canned answer), relay and observer share the machine. Open Inference V2 in
JSON, 2 rows × 12 features. Needs nginx and h2load (`apt-get install nginx-light nghttp2-client`).
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.proxies import BODY, Proxy, answers, free_port, nginx

CONNECTIONS = 16
# Enough for the newest chunks to be read and the next report of the relay to come.
SETTLE_SECONDS = 3
# The sums to print, each with the label that tells its parts apart.
SHOWN = {
    "inference_requests_total": "outcome",
    "sidecar_exchanges_undecoded_total": "reason",
    "sidecar_exchanges_unobserved_total": "",
    "sidecar_tee_dropped_bytes_total": "reason",
    "sidecar_cpu_seconds_total": "process",
    "sidecar_memory_bytes": "process",
}


def load(port: int, rate: int, seconds: int, body: Path) -> tuple[int, float]:
    """Requests answered with 200, and how many a second."""
    command = ["h2load", "--h1", f"-c{CONNECTIONS}", f"--rps={rate / CONNECTIONS}", f"-D{seconds}"]
    command += ["-d", str(body), "-H", "content-type: application/json"]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/v2/models/m/infer"], capture_output=True, text=True, check=True
    ).stdout
    good = re.search(r"status codes: (\d+) 2xx", said)
    achieved = re.search(r"([\d.]+) req/s", said)
    assert good is not None, said
    assert achieved is not None
    return int(good[1]), float(achieved[1])


def sums(port: int) -> dict[tuple[str, str], float]:
    """Of each family of SHOWN, the sum over all labels but one."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        name, _, labels = line.rpartition(" ")[0].partition("{")
        if name in SHOWN:
            part = re.search(rf'{SHOWN[name]}="([^"]*)"', labels)
            key = name, part[1] if SHOWN[name] and part else ""
            found[key] = found.get(key, 0.0) + float(line.rpartition(" ")[2])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a fixed rate through; see the top of this file.")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=10)
    chosen = parser.parse_args()
    if not shutil.which("h2load"):
        raise SystemExit("h2load is needed: apt-get install nghttp2-client")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "body").write_bytes(BODY)
        upstream = Proxy("upstream", lambda d, port, _: nginx(d, port, None))
        if not upstream.start(directory, 0):
            raise SystemExit("nginx is needed: apt-get install nginx-light")
        port, admin = free_port(), free_port()
        command = [sys.executable, "-m", "sidecar", "run", "--listen", f"127.0.0.1:{port}"]
        command += ["--admin", f"127.0.0.1:{admin}", "--upstream", f"127.0.0.1:{upstream.port}"]
        sidecar = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            answers(port)
            time.sleep(SETTLE_SECONDS)
            before = sums(admin)
            good, achieved = load(port, chosen.rate, chosen.seconds, directory / "body")
            time.sleep(SETTLE_SECONDS)
            after = sums(admin)
        finally:
            sidecar.terminate()
            sidecar.wait()
            upstream.stop()
    print(f"{good} answered with 200, {achieved:,.0f} a second (asked for {chosen.rate:,})")
    for key, value in after.items():
        change = value if key[0] == "sidecar_memory_bytes" else value - before.get(key, 0.0)
        if change:
            print(f"{key[0]} {key[1]}: {change:,.10g}")


if __name__ == "__main__":
    main()
