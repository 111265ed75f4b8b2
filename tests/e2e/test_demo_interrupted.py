"""A demo that is told to end."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import eventually
from tests.e2e.processes import alive, descendants


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_interrupted_it_leaves_no_process_and_no_file_behind(number, tmp_path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "demo", "--headless", "--seconds", "90"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        async with asyncio.timeout(60):
            while b"healthy" not in (line := await process.stderr.readline()):
                assert line, "it ended before traffic began"
        started = descendants(process.pid)
        # The model server, the supervisor, a relay worker and the observer at least.
        assert len(started) >= 4
        process.send_signal(number)
        said = (await asyncio.wait_for(process.communicate(), 30))[1]
    finally:
        if process.returncode is None:
            process.kill()

    async def none_alive() -> bool:
        return not any(alive(pid) for pid in started)

    await eventually(none_alive, "every process gone", seconds=5)
    assert process.returncode == 128 + number
    assert b"Traceback" not in said
    assert list(Path(tmp_path).iterdir()) == []
