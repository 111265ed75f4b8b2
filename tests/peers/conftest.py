"""Tests with real programs, which `make test-peers` installs: those of the peers that are named in PEERS."""

import os
from pathlib import Path

import pytest

_TESTS = {file.stem.removeprefix("test_"): file.name for file in Path(__file__).parent.glob("test_*.py")}
_NAMED = set(os.environ.get("PEERS", "").split())

if unknown := _NAMED - _TESTS.keys():
    raise pytest.UsageError(
        f"PEERS names {', '.join(sorted(unknown))}; there are: {', '.join(sorted(_TESTS))}"
    )

# Not skipped but not there: a run that leaves something out says so as a failure under CI.
collect_ignore = [file for name, file in _TESTS.items() if name not in _NAMED]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # Starting a model server is a part of its first test, and takes half a minute on a busy machine.
            item.add_marker(pytest.mark.timeout(300))
