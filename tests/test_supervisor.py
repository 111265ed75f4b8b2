"""The supervisor as a process: what signals do to it, and what it says."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = str(Path(__file__).parents[1])


@asynccontextmanager
async def running(*arguments: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`sidecar run` on free ports in front of nothing; killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--upstream", "127.0.0.1:9", *arguments),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ROOT, "SIDECAR_DRAIN__GRACE": "0s", **env},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: asyncio.subprocess.Process, words: str) -> str:
    """Its next line on stderr that has `words` in it."""
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while line := (await process.stderr.readline()).decode():
            if words in line:
                return line
    raise AssertionError(f"it never said {words!r}")


async def test_sighup_is_answered_with_a_sentence_and_ends_nothing():
    async with running() as process:
        await said(process, "status page")
        process.send_signal(signal.SIGHUP)
        assert "restart to change them" in await said(process, "SIGHUP")
        process.send_signal(signal.SIGTERM)
        await said(process, "stopped")
        assert await process.wait() == 0
