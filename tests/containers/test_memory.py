"""An observer that comes near the container's memory limit is restarted by us; nothing else is touched."""

from pathlib import Path

import pytest

from tests.containers.groups import group, why_not
from tests.containers.serving import request, traffic
from tests.faults.running import sidecar, until

# Less than the usual size of everything together asks for, more than the relay and the supervisor need.
TIGHT_BYTES = 80 * 1024 * 1024


def test_an_observer_too_large_for_its_container_is_restarted_and_traffic_does_not_notice(
    upstream: str, tmp_path: Path
) -> None:
    if reason := why_not("memory"):
        pytest.skip(reason)
    with (
        group(memory=TIGHT_BYTES) as limits,
        sidecar(tmp_path, upstream, prefix=limits.prefix()) as running,
    ):
        before = running.relay_pids()
        with traffic(running.address, request(), clients=2, pause=0.01) as clients:
            restarts = lambda: running.metric("sidecar_observer_restarts_total", reason="memory")  # noqa: E731
            until(lambda: restarts() >= 2, "restarts because of memory", running)
        assert running.metric("sidecar_observer_restarts_total", reason="signal") == 0
        assert running.relay_pids() == before
        assert sum(client.answered for client in clients) > 0
        assert limits.killed() == 0
