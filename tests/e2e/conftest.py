"""Real processes for tests that need them. What is missing skips a test here, and fails it under CI."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sidecar.demo import dataset, monitoring
from sidecar.demo.stack import Stack, stack
from sidecar.demo.traffic import Traffic

POLL_SECONDS = 0.1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # Starting four programs and watching them for a minute; far past it something hangs.
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture
def programs() -> monitoring.Programs:
    """Prometheus and Alertmanager."""
    found = monitoring.installed()
    if found is None:
        missing("prometheus and prometheus-alertmanager are not installed")
    return found


def missing(reason: str) -> None:
    """Skip with the reason; fail where nothing may be left out."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"CI leaves nothing out: {reason}")
    pytest.skip(reason)


async def eventually(check: Callable[[], Awaitable[bool]], what: str, seconds: float = 30.0) -> None:
    """Return as soon as `check` says yes; fail, naming `what`, when it never does."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await check():
        if asyncio.get_running_loop().time() > deadline:
            pytest.fail(f"after {seconds:g} s: not {what}")
        await asyncio.sleep(POLL_SECONDS)


@contextlib.asynccontextmanager
async def traffic_through(parts: Stack) -> AsyncIterator[Traffic]:
    """Traffic for as long as the block lasts; every request was answered or counted when it ends."""
    traffic = Traffic(parts.url, [one.row for one in dataset.load().traffic])
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic.run(stop))
        try:
            yield traffic
        finally:
            stop.set()


@pytest.fixture
async def parts() -> AsyncIterator[Stack]:
    """A model server and the sidecar in front of it."""
    async with stack(dataset.load(), None) as running:
        yield running


@pytest.fixture
async def monitored_parts(programs: monitoring.Programs) -> AsyncIterator[Stack]:
    """The same, watched by Prometheus and Alertmanager with the shipped rules."""
    async with stack(dataset.load(), programs) as running:
        yield running
