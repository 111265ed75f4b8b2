"""`sidecar observe` as a process: what SIGHUP does to it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.faults.running import total
from tests.supervisor.test_supervisor import ROOT, said

GOOD = "slos: {latency: {objective: 99, threshold: 1s}}\n"
OTHER = "slos: {latency: {objective: 95, threshold: 1s}}\n"


class Observe:
    """One on a tee and an admin port of its own; `settings` is the file it reads."""

    def __init__(self, where: Path, process: asyncio.subprocess.Process) -> None:
        self.settings, self.tee, self.admin = where / "sidecar.yaml", where / "tee", where / "admin"
        self.process = process

    async def reload(self, settings: str, words: str) -> str:
        self.settings.write_text(settings)
        self.process.send_signal(signal.SIGHUP)
        return await said(self.process, words)

    async def page(self) -> str:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.admin))) as session,
            session.get("http://localhost/metrics") as answer,
        ):
            return await answer.text()


@contextlib.asynccontextmanager
async def observing(where: Path, settings: str) -> AsyncIterator[Observe]:
    (where / "sidecar.yaml").write_text(settings)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "observe", "--tee", f"unix:{where}/tee"),
        *("--admin", f"unix:{where}/admin", "--config", str(where / "sidecar.yaml")),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    one = Observe(where, process)
    try:
        async with asyncio.timeout(30):
            while not one.admin.exists():
                await asyncio.sleep(0.02)
        yield one
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 15)
    assert process.returncode == 0
    assert not one.tee.exists()


async def test_new_settings_are_taken_and_counters_and_the_process_go_on(tmp_path: Path) -> None:
    state = f"state: {{dir: {tmp_path}/state}}\n"
    async with observing(tmp_path, state + GOOD) as one:
        for done, settings in enumerate((OTHER, GOOD, OTHER), 1):
            await one.reload(state + settings, "the configuration was read again")
            page = await one.page()
            assert total(page, "sidecar_observer_restarts_total", reason="reload") == done
            assert total(page, "sidecar_config_last_reload_successful") == 1
            assert total(page, "sidecar_state_save_failures_total") == 0
        assert one.process.returncode is None


async def test_relay_workers_lose_their_link_and_find_the_next_observer(tmp_path: Path) -> None:
    async with observing(tmp_path, GOOD) as one:
        reader, writer = await asyncio.open_unix_connection(str(one.tee))
        await one.reload(OTHER, "the configuration was read again")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        _, again = await asyncio.open_unix_connection(str(one.tee))
        again.close()


async def test_bad_settings_are_not_taken_and_every_problem_is_told(tmp_path: Path) -> None:
    async with observing(tmp_path, GOOD) as one:
        complaint = await one.reload("connect_timeout: soon\nnonsense: 1\n", "kept as it was")
        assert "connect_timeout" in complaint
        assert "nonsense" in complaint
        assert total(await one.page(), "sidecar_config_last_reload_successful") == 0
        await one.reload(GOOD, "nothing has changed")
        assert total(await one.page(), "sidecar_config_last_reload_successful") == 1


async def test_an_address_that_is_taken_brings_the_old_settings_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ingest = f"ingest: {{cloudevents: '127.0.0.1:{taken.getsockname()[1]}'}}\n"
        async with observing(tmp_path, GOOD) as one:
            assert "listens there already" in await one.reload(ingest + GOOD, "kept as it was")
            assert total(await one.page(), "sidecar_config_last_reload_successful") == 0
            assert one.tee.exists()
