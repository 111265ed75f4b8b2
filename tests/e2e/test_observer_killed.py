"""The first promise: whatever happens to the observer, traffic does not notice."""

import os
import signal

from sidecar.demo.stack import Stack
from sidecar.errors import SidecarError
from tests.e2e.conftest import eventually, traffic_through
from tests.e2e.processes import observer_of


async def observed(parts: Stack) -> float:
    """Requests the observer has counted; 0 while it is away."""
    try:
        return (await parts.scrape()).total("inference_requests_total")
    except SidecarError:
        return 0.0


async def test_killing_the_observer_fails_no_request_and_the_gap_is_counted(parts: Stack):
    async def counts_something() -> bool:
        return await observed(parts) > 50

    async def restarted() -> bool:
        found = observer_of(parts.sidecar.process.pid)
        return found is not None and found != killed

    async with traffic_through(parts) as traffic:
        await eventually(counts_something, "observing before the kill")
        killed = observer_of(parts.sidecar.process.pid)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await eventually(restarted, "another observer in its place")
        sent_before = traffic.counts.sent

        async def observing_again() -> bool:
            return traffic.counts.sent > sent_before + 100 and await observed(parts) > 50

        await eventually(observing_again, "observing after the kill")

    samples = await parts.scrape()
    assert traffic.counts.failures == {}
    assert samples.total("sidecar_observer_restarts_total", reason="signal") == 1
    assert samples.total("sidecar_tee_dropped_bytes_total", reason="observer_down") > 0
    assert samples.total("sidecar_chunks_dropped_total", reason="observer_down") > 0


async def test_a_stopped_observer_fails_no_request_and_is_not_waited_for(parts: Stack):
    async def counts_something() -> bool:
        return await observed(parts) > 50

    async with traffic_through(parts) as traffic:
        await eventually(counts_something, "observing")
        observer = observer_of(parts.sidecar.process.pid)
        os.kill(observer, signal.SIGSTOP)
        sent_before = traffic.counts.sent

        async def traffic_went_on() -> bool:
            return traffic.counts.answered > sent_before + 200

        try:
            await eventually(traffic_went_on, "two hundred answers while the observer is stopped")
        finally:
            os.kill(observer, signal.SIGCONT)

    assert traffic.counts.failures == {}
