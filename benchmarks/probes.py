"""How fast both probes answer while the observer is stopped and traffic goes on.

python -m benchmarks.probes [--seconds 60]
"""

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

from tests.containers.serving import model_server, request, traffic
from tests.faults.running import sidecar, until


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    took: dict[str, list[float]] = {"/-/healthy": [], "/-/ready": []}
    with (
        tempfile.TemporaryDirectory() as name,
        model_server() as upstream,
        sidecar(Path(name), upstream) as running,
    ):
        until(lambda: running.get("/api/v1/status")[0] == 200, "observing", running)
        observer = running.observer_pid()
        if observer is None:
            raise SystemExit("there is no observer to stop")
        with traffic(running.address, request(), pause=0.005):
            os.kill(observer, signal.SIGSTOP)
            end = time.monotonic() + chosen.seconds
            while time.monotonic() < end:
                for probe, times in took.items():
                    start = time.perf_counter()
                    if running.get(probe)[0] != 200:
                        raise SystemExit(f"{probe} says no")
                    times.append(time.perf_counter() - start)
                time.sleep(0.05)
            os.kill(observer, signal.SIGCONT)
    for probe, times in took.items():
        times.sort()
        p50, p99, most = (times[int((len(times) - 1) * share)] * 1e3 for share in (0.5, 0.99, 1))
        print(f"{probe}: {len(times)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {most:.1f} ms")


if __name__ == "__main__":
    main()
