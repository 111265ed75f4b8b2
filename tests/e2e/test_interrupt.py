"""Ctrl-C, as a terminal sends it: to every process of the group at once."""

import asyncio
import os
import signal
import sys

import pytest

from sidecar.demo.monitoring import answers
from sidecar.demo.processes import free_ports
from tests.e2e.conftest import eventually
from tests.e2e.processes import alive, descendants


# /metrics is answered at once, while relay and observer may still be starting; the status by the observer.
@pytest.mark.parametrize("path", ["/metrics", "/api/v1/status"], ids=["starting", "running"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_sidecar_run_leaves_nothing_behind(number, path):
    upstream, listen, admin = free_ports(3)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run"),
        *("--upstream", f"127.0.0.1:{upstream}"),
        *("--listen", f"127.0.0.1:{listen}"),
        *("--admin", f"127.0.0.1:{admin}"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "SIDECAR_DRAIN__GRACE": "0s"},
        start_new_session=True,
    )
    try:
        await eventually(lambda: answers(f"http://127.0.0.1:{admin}{path}"), f"{path} served")
        started = descendants(process.pid)
        assert len(started) >= 2, "a relay worker and the observer"
        os.killpg(process.pid, number)
        said = (await asyncio.wait_for(process.communicate(), 20))[1]
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)

    assert process.returncode == 0
    assert b"Traceback" not in said
    assert not [pid for pid in started if alive(pid)]
