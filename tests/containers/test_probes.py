"""A stopped observer never costs the pod its readiness."""

import os
import signal
import time
from pathlib import Path

from tests.containers.serving import request, traffic
from tests.faults.running import sidecar, until

# The usual is a millisecond (benchmarks/probes.py); a kubelet gives up after one second by default.
ENOUGH_SECONDS = 2.0


def test_both_probes_answer_while_the_observer_is_stopped_under_traffic(
    upstream: str, tmp_path: Path
) -> None:
    with sidecar(tmp_path, upstream) as running:
        until(lambda: running.get("/api/v1/status")[0] == 200, "observing", running)
        observer = running.observer_pid()
        assert observer is not None
        with traffic(running.address, request(), pause=0.005) as clients:
            os.kill(observer, signal.SIGSTOP)
            try:
                for _ in range(20):
                    for probe in ("/-/healthy", "/-/ready"):
                        start = time.monotonic()
                        assert running.get(probe, ENOUGH_SECONDS)[0] == 200
                        assert time.monotonic() - start < ENOUGH_SECONDS
                    time.sleep(0.05)
            finally:
                os.kill(observer, signal.SIGCONT)
        assert sum(client.answered for client in clients) > 0
