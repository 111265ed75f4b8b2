"""Under a CPU quota the observer leaves the relay its part, and says what it did not read for that."""

import os
import signal
import time
from pathlib import Path

from sidecar.observer.budget import LARGEST_SHARE
from tests.containers.groups import Group
from tests.containers.serving import request, traffic
from tests.faults.running import cpu_seconds, sidecar, until

CORES = 0.5


def test_the_observer_stays_within_its_share_and_says_what_it_left_unread(
    half_a_core: Group, upstream: str, tmp_path: Path
) -> None:
    with sidecar(tmp_path, upstream, prefix=half_a_core.prefix()) as running:
        until(lambda: running.get("/api/v1/status")[0] == 200, "observing", running)
        # Few requests, but with rows enough that reading them all would take more than its share.
        with traffic(running.address, request(rows=200, columns=20), clients=4, pause=0.02) as clients:
            time.sleep(4)  # what it used to load is paid for, and it has noticed that it is behind
            observer = running.observer_pid()
            assert observer is not None
            used, start = cpu_seconds(observer), time.monotonic()
            time.sleep(5)
            share = (cpu_seconds(observer) - used) / (time.monotonic() - start) / CORES
        answered = sum(client.answered for client in clients)
        assert share <= LARGEST_SHARE * 1.2, "more than its budget"

        def all_accounted() -> bool:
            # A chunk that is lost costs the exchange it belonged to, perhaps its neighbour, and the two
            # that are read on trial before the connection is believed again; without a loss none is missing.
            missing = answered - running.metric("inference_requests_total")
            return missing <= 4 * running.metric("sidecar_chunks_dropped_total")

        until(all_accounted, f"all {answered} requests counted, or chunks dropped for them", running)
        assert running.metric("inference_requests_total") > answered * 0.8
        assert running.metric("sidecar_exchanges_undecoded_total", reason="overload") > 0
        assert running.metric("inference_rows_total") > 0, "what there was time for was read"


def test_an_observer_that_starts_again_under_traffic_fails_no_request(
    half_a_core: Group, upstream: str, tmp_path: Path
) -> None:
    with sidecar(tmp_path, upstream, prefix=half_a_core.prefix()) as running:
        until(lambda: running.get("/api/v1/status")[0] == 200, "observing", running)
        with traffic(running.address, request(), clients=2, pause=0.01) as clients:
            observer = running.observer_pid()
            assert observer is not None
            os.kill(observer, signal.SIGKILL)
            until(lambda: running.observer_pid() not in (None, observer), "another observer", running)
            until(lambda: running.metric("inference_requests_total") > 10, "observing again", running)
        # The start of an observer takes more than a second of CPU time: two seconds of this quota.
        assert max(client.slowest for client in clients) < 2.0
        assert running.metric("sidecar_observer_restarts_total", reason="signal") == 1
