"""Whole sidecars in containers' conditions. Without the right to make control groups those tests are skipped.

Machines that run CI differ in that right, so a missing one is skipped there too, with its reason: what is
decided under a limit is held by unit tests over made-up control groups (tests/test_cgroup.py,
tests/observer/test_budget.py, tests/supervisor/test_watch.py), which run everywhere.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.groups import Group, group, why_not
from tests.containers.serving import model_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # Half a core is what is measured here; and memory, to the megabyte.
            item.add_marker(pytest.mark.alone)


@pytest.fixture
def upstream() -> Iterator[str]:
    """The address of a model server that answers every inference."""
    with model_server() as address:
        yield address


@pytest.fixture
def half_a_core() -> Iterator[Group]:
    """A control group with a CPU quota."""
    if reason := why_not("cpu"):
        pytest.skip(reason)
    with group(cores=0.5) as limits:
        yield limits
