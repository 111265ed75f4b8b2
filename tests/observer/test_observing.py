"""What an observer shows first: no less than was shown in its absence."""

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest

from sidecar.address import Address
from sidecar.chunk import Chunk, Kind, encode
from sidecar.config import Settings
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.observer.observing import Observing
from sidecar.relay.counters import Counters
from tests.faults.running import total


def report(sent: int, cpu: float) -> dict[str, object]:
    counters = Counters(0)
    counters.bytes[0] = sent
    return {**counters.report(), "cpu": cpu}


def figures(restarts: int) -> dict[str, object]:
    return {"cpu": 1.5, "memory": 1, "observer_restarts": {"signal": restarts}, "reloaded": True}


async def first_page(admin: Path) -> str:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(admin))) as session,
        session.get("http://localhost/metrics") as answer,
    ):
        return await answer.text()


async def test_the_first_page_has_all_that_the_supervisor_has_shown_meanwhile(tmp_path: Path) -> None:
    """What it was started with, and what the supervisor heard while it was starting."""
    ours, theirs = socket.socketpair()
    told = {"relay": [report(100, 1.0)], "supervisor": figures(2)}
    ours.send(
        b"".join(json.dumps(m).encode() + b"\n" for m in ({"relay": [report(170, 2.0)]}, {"stop": True}))
    )
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    admin = tmp_path / "admin"
    observing = Observing(Settings(), str(tmp_path / "tee"), Address(path=str(admin)))
    await observing.start(told, reader)
    try:
        page = await first_page(admin)
        assert total(page, "sidecar_relay_bytes_total", direction="request") == 170
        assert total(page, "sidecar_observer_restarts_total", reason="signal") == 2
        assert total(page, "sidecar_cpu_seconds_total", process="supervisor") == 1.5
        # The order to leave was among it.
        await asyncio.wait_for(observing.obey(reader, writer), 5)
    finally:
        await observing.stop()
        ours.close()


async def test_a_supervisor_that_goes_on_telling_does_not_keep_the_first_page_back(tmp_path: Path) -> None:
    """It tells of each page it shows in our absence: whoever asks often would never hear from us."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)

    async def tell() -> None:
        while True:
            ours.send(json.dumps({"supervisor": figures(2)}).encode() + b"\n")
            await asyncio.sleep(0.01)

    telling = asyncio.create_task(tell())
    observing = Observing(Settings(), str(tmp_path / "tee"), Address(path=str(tmp_path / "admin")))
    try:
        await asyncio.wait_for(observing.start({}, reader), 30)
        assert total(await first_page(tmp_path / "admin"), "sidecar_build_info") == 1
    finally:
        telling.cancel()
        await observing.stop()
        writer.close()
        ours.close()


async def test_alone_the_first_page_has_the_sum_of_all_relay_workers_not_of_those_that_spoke_first(
    tmp_path: Path,
) -> None:
    """A worker reports once a second, each in its own time; less than was shown would look like a reset."""
    observing = Observing(Settings(), str(tmp_path / "tee"), Address(path=str(tmp_path / "admin")))
    starting = asyncio.create_task(observing.start())
    writers = []
    async with asyncio.timeout(30):
        while not (tmp_path / "tee").exists():
            await asyncio.sleep(0)
        for worker in (1, 2):
            _, writer = await asyncio.open_unix_connection(str(tmp_path / "tee"))
            writer.write(encode(Chunk(Kind.HELLO, worker << 40, meta={"worker": worker})))
            writers.append(writer)
        for worker, writer in enumerate(writers, 1):
            totals = {**report(100 * worker, 1.0), "slot": worker}
            stats = encode(Chunk(Kind.STATS, worker << 40, meta=totals))
            # The second one after the time in which workers look for us.
            asyncio.get_running_loop().call_later(0.6 * (worker - 1), writer.write, stats)
        try:
            await starting
            page = await first_page(tmp_path / "admin")
            assert total(page, "sidecar_relay_bytes_total", direction="request") == 300
        finally:
            await observing.stop()
            for writer in writers:
                writer.close()


async def test_a_silent_worker_does_not_keep_the_first_page_back(tmp_path: Path) -> None:
    observing = Observing(Settings(), str(tmp_path / "tee"), Address(path=str(tmp_path / "admin")))
    starting = asyncio.create_task(observing.start())
    async with asyncio.timeout(30):
        while not (tmp_path / "tee").exists():
            await asyncio.sleep(0)
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "tee"))
        writer.write(encode(Chunk(Kind.HELLO, 1 << 40, meta={"worker": 1})))
        try:
            await starting
            assert total(await first_page(tmp_path / "admin"), "sidecar_build_info") == 1
        finally:
            await observing.stop()
            writer.close()


async def test_what_was_saved_of_another_supervisors_relay_is_not_shown_as_this_ones(tmp_path: Path) -> None:
    """Its own page has shown zero since; the old sum, and then the new one, would be counted as traffic."""
    settings = Settings.model_validate({"state": {"dir": str(tmp_path / "state")}})
    shown = []
    for told in ({"relay": [report(100, 1.0)]}, {}):
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        observing = Observing(settings, str(tmp_path / "tee"), Address(path=str(tmp_path / "admin")))
        try:
            await observing.start(told, reader)
            page = await first_page(tmp_path / "admin")
            shown.append(total(page, "sidecar_relay_bytes_total", direction="request"))
        finally:
            await observing.stop()
            writer.close()
            ours.close()
    assert shown == [100, 0]


def test_verdicts_come_newest_first_whichever_model_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status page shows the first twenty."""
    observing = Observing(Settings(), str(tmp_path / "tee"), Address(path=str(tmp_path / "admin")))
    found = [verdict("a", 1.0), verdict("a", 5.0), verdict("b", 3.0)]
    monkeypatch.setattr(observing._pipeline.drift, "verdicts", lambda: found)
    assert [(v["model"], v["row"]) for v in observing.details()["verdicts"]] == [("a", 5), ("b", 3), ("a", 1)]


def verdict(model: str, time: float) -> Verdict:
    row = int(time)
    return Verdict(
        model, "feature", "x", "mean", Level.EVENT, "sd", row, time, row, time, 0.0, 1.0, 0.0, "it moved"
    )
