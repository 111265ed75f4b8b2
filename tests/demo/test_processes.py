import ast
import asyncio
import os
import socket
import subprocess
import sys

import pytest

from sidecar.demo.processes import finished, free_ports, running, until
from sidecar.errors import SidecarError


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def never() -> bool:
    return False


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_a_process_lives_as_long_as_its_block(tmp_path):
    async with running("it", python("import time; time.sleep(60)"), tmp_path / "log") as child:
        assert not child.ended()
    assert gone(child.process.pid)


async def test_a_process_is_stopped_when_the_block_raises(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with running("it", python("import time; time.sleep(60)"), tmp_path / "log") as child:
            raise ZeroDivisionError
    assert gone(child.process.pid)


async def test_a_process_is_stopped_when_the_task_is_cancelled(tmp_path):
    started: list[int] = []

    async def stay() -> None:
        async with running("it", python("import time; time.sleep(60)"), tmp_path / "log") as child:
            started.append(child.process.pid)
            await asyncio.Event().wait()

    task = asyncio.create_task(stay())
    while not started:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(started[0])


async def test_what_a_process_leaves_behind_is_stopped_with_it(tmp_path):
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    async with running("it", python(code), tmp_path / "log", piped=True) as child:
        grandchild = int(await child.process.stdout.readline())
        # Not process.wait(): that waits for the pipe, which the grandchild holds open.
        async with asyncio.timeout(5):
            while not child.ended():
                await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        while not gone(grandchild) and not zombie(grandchild):
            await asyncio.sleep(0.01)


def zombie(pid: int) -> bool:
    """Killed, but nobody has asked for its exit code yet: whoever inherits it does so in its own time."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_waiting_for_a_process_that_ends_says_so_with_its_last_words(tmp_path):
    async with running("the thing", python("raise SystemExit('no such table')"), tmp_path / "log") as child:
        with pytest.raises(SidecarError, match=r"the thing ended with 1:\nno such table"):
            await until(never, child)


async def test_waiting_has_an_end(tmp_path):
    async with running("the thing", ["sleep", "60"], tmp_path / "log") as child:
        with pytest.raises(SidecarError, match="the thing is not ready after 0 s"):
            await until(never, child, seconds=0)


async def test_a_command_that_fails_is_reported_with_what_it_said(tmp_path):
    with pytest.raises(SidecarError, match="profile failed:\nbad column"):
        await finished("profile", python("raise SystemExit('bad column')"), tmp_path / "log")


async def test_children_do_not_see_settings_of_another_sidecar(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDECAR_UPSTREAM", "elsewhere:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere:1")
    code = "import os, sys; sys.exit(any(n.startswith(('SIDECAR_', 'OTEL_')) for n in os.environ))"

    await finished("it", python(code), tmp_path / "log")


def test_free_ports_are_different_also_in_processes_that_ask_at_the_same_time(monkeypatch):
    monkeypatch.setattr("sidecar.demo.processes._PORTS", range(20_000, 20_100))
    code = (
        "from sidecar.demo import processes as p; p._PORTS = range(20_000, 20_100); print(p.free_ports(30))"
    )
    mine = free_ports(30)
    theirs = ast.literal_eval(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert len({*mine, *theirs}) == 60


def test_where_no_port_is_left_it_says_so(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr("sidecar.demo.processes._PORTS", [taken.getsockname()[1]])
        with pytest.raises(SidecarError, match="no 1 free ports"):
            free_ports(1)
