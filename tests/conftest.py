"""For every test: with CI=true a test that was left out is a failure, not a footnote."""

import os
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only tests of whole processes are asked for, do not import ten thousand others to find them.

    A file has some only if it, or the conftest.py beside it, speaks of the mark.
    """
    if config.option.markexpr.split(" ")[0] not in ("e2e", "alone") or collection_path.suffix != ".py":
        return None
    places = (collection_path, collection_path.with_name("conftest.py"))
    return None if any("mark.e2e" in place.read_text() for place in places if place.is_file()) else True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped and os.environ.get("CI") == "true":
        terminalreporter.write_line(f"CI=true and {skipped} tests were left out: that is a failure", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter is not None and reporter.stats.get("skipped")
    if skipped and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
