"""The supervisor as a process: what signals do to it, and what it says."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.relay.counters import Counters
from sidecar.supervisor.plan import Plan
from sidecar.supervisor.supervisor import Supervisor

ROOT = str(Path(__file__).parents[2])


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


async def test_sighup_without_a_change_changes_nothing():
    async with running() as process:
        await said(process, "status page")
        process.send_signal(signal.SIGHUP)
        assert "was read again" in await said(process, "configuration")
        process.send_signal(signal.SIGTERM)
        await said(process, "stopped")
        assert await process.wait() == 0


async def test_sighup_gives_the_observer_what_changed_and_names_what_needs_a_restart(tmp_path: Path):
    config = tmp_path / "sidecar.yaml"
    config.write_text("slos: {latency: {objective: 99, threshold: 1s}}\n")
    async with running("--config", str(config)) as process:
        await said(process, "status page")
        config.write_text("slos: {latency: {objective: 95, threshold: 1s}}\nconnect_timeout: 3s\n")
        process.send_signal(signal.SIGHUP)
        assert "connect_timeout" in await said(process, "only a restart changes")
        assert "level=info" in await said(process, "the observer ended (reload)")


async def test_a_configuration_with_problems_is_not_taken_and_every_problem_is_told(tmp_path: Path):
    config = tmp_path / "sidecar.yaml"
    config.write_text("connect_timeout: 3s\n")
    async with running("--config", str(config)) as process:
        await said(process, "status page")
        config.write_text("connect_timeout: soon\nnonsense: 1\n")
        process.send_signal(signal.SIGHUP)
        complaint = await said(process, "kept as it was")
        assert "connect_timeout" in complaint
        assert "nonsense" in complaint
        process.send_signal(signal.SIGTERM)
        await said(process, "stopped")
        assert await process.wait() == 0


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="sees by /proc when it starts")
async def test_ctrl_c_while_it_starts_is_heeded_and_no_traceback():
    async with running() as process:
        async with asyncio.timeout(30):
            while b"sidecar.supervisor" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                await asyncio.sleep(0.001)
        process.send_signal(signal.SIGINT)
        said = (await asyncio.wait_for(process.communicate(), 30))[1]
        assert b"Traceback" not in said
        assert process.returncode == 0


def test_without_the_observer_no_counter_of_its_own_is_shown_at_zero():
    """It would look like a reset, and be counted anew when the observer goes on where it was."""
    supervisor = Supervisor(Plan([], None, 1, 1.0, 0.0, 0.0, {}, ""))
    page = supervisor._metrics().decode()
    assert "sidecar_relay_bytes_total{" in page
    assert 'sidecar_cpu_seconds_total{process="supervisor"}' in page
    assert "sidecar_exchanges_unobserved_total" not in page
    assert "inference_" not in page
    supervisor._private.remove()


def test_an_observer_is_started_with_what_the_relay_and_the_supervisor_have_counted():
    """On its first page these counters would otherwise be zero, which Prometheus takes for a reset."""
    supervisor = Supervisor(Plan([], None, 1, 1.0, 0.0, 0.0, {}, ""))
    report = Counters(0).report()
    supervisor._heard({"stats": report})
    setup, _ = supervisor._observer_setup()
    assert setup["relay"] == [report]
    assert setup["supervisor"]["observer_restarts"] == {}
    supervisor._private.remove()
