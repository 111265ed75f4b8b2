"""The fault matrix: real processes, so all of it is marked e2e. The rows are in docs/transparency.md.

The short form of every row runs in CI. SIDECAR_FAULTS=long runs them at full length: ten times the load
(`tests.faults.conftest.FACTOR`), and the soak for an hour.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.servers import Upstream, echo, upstream

LONG = os.environ.get("SIDECAR_FAULTS") == "long"
FACTOR = 10 if LONG else 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if LONG:
                item.add_marker(pytest.mark.timeout(4500))


@pytest.fixture
async def server() -> AsyncIterator[Upstream]:
    """A healthy model server; a test makes it ill by changing its handler."""
    async with upstream(echo) as running:
        yield running
