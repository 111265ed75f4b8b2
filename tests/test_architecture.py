"""The shape of the house, as far as a test can hold it. The layers themselves are import-linter's."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "sidecar").rglob("*.py"))
MAX_LINES = 350

# What the relay promises to do without, in memory as in start-up time.
FORBIDDEN_IN_RELAY = {
    *("aiohttp", "grpc", "hpack", "httptools", "numpy", "opentelemetry", "orjson", "prometheus_client"),
    *("pyarrow", "pydantic", "pydantic_core", "requests", "rich", "river", "scipy", "yaml"),
}
OUR_WORDS_IN_RELAY = frozenset({"address", "chunk", "clock", "errors", "logs", "relay", "sockets"})


def imported(module: str) -> list[str]:
    """Every module in a fresh interpreter that has imported `module`."""
    code = f"import sys, {module}; print(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_a_relay_worker_loads_the_standard_library_and_its_own_words_only():
    modules = imported("sidecar.relay.worker")
    tops = {name.partition(".")[0] for name in modules}
    ours = {name.split(".")[1] for name in modules if name.startswith("sidecar.")}
    assert tops & FORBIDDEN_IN_RELAY == set()
    bare = {name.partition(".")[0] for name in imported("sys")}
    assert tops - set(sys.stdlib_module_names) - bare == {"sidecar"}
    assert ours <= OUR_WORDS_IN_RELAY
    # What is in nobody's way is not loaded either: each takes megabytes.
    assert not tops & {"asyncio", "ssl", "logging", "traceback"}


def test_the_supervisor_loads_the_standard_library_and_our_own_words_only():
    """It lives beside the relay for ever, and every megabyte of it is a megabyte of each pod."""
    tops = {name.partition(".")[0] for name in imported("sidecar.supervisor.__main__")}
    assert tops & FORBIDDEN_IN_RELAY == set()


def test_the_command_line_explains_itself_without_numpy_or_pydantic():
    tops = {name.partition(".")[0] for name in imported("sidecar.cli")}
    assert tops & FORBIDDEN_IN_RELAY == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting_and_opens_by_saying_what_it_is(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "no module docstring"


def test_river_has_one_door():
    doors = [path.name for path in SOURCES if "demo" not in path.parts and _imports(path, "river")]
    assert doors == ["detectors.py"]


@pytest.mark.parametrize("name", ["pickle", "pandas", "torch", "sklearn", "alibi_detect", "deepchecks"])
def test_what_must_never_run_here_is_imported_nowhere(name):
    assert [path.name for path in SOURCES if _imports(path, name)] == []


def _imports(path: Path, top: str) -> bool:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
    return any(name.partition(".")[0] == top for name in names)
