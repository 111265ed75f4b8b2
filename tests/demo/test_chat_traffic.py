import asyncio

import pytest
from aiohttp.test_utils import TestServer

from sidecar.demo import chat_server
from sidecar.demo.chat_server import ChatServer
from sidecar.demo.chat_traffic import ChatTraffic
from sidecar.demo.faults import ServerFault


@pytest.mark.parametrize(
    ("fault", "failures"),
    [
        (ServerFault(), set()),
        (ServerFault(error_ratio=1.0), {"http_503"}),
        (ServerFault(empty_ratio=1.0), set()),
    ],
)
async def test_every_chat_is_accounted_for(monkeypatch, fault, failures):
    monkeypatch.setattr(chat_server, "_FIRST_TOKEN_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(chat_server, "_TOKEN_SECONDS", (0.0, 0.0))
    server = ChatServer(fault)
    stop = asyncio.Event()
    async with TestServer(server.application()) as running:
        traffic = ChatTraffic(str(running.make_url("")).rstrip("/"), rate=2000)
        asking = asyncio.create_task(traffic.run(stop))
        while traffic.counts.answered + traffic.counts.failed < 40:
            await asyncio.sleep(0)
        stop.set()
        await asking

    assert set(traffic.counts.failures) == failures
    assert traffic.counts.sent == server.answered + server.failed
    assert traffic.counts.failed == server.failed


async def test_streams_that_are_cut_are_told_from_whole_ones(monkeypatch):
    monkeypatch.setattr(chat_server, "_FIRST_TOKEN_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(chat_server, "_TOKEN_SECONDS", (0.0, 0.0))
    server = ChatServer(ServerFault(truncated_ratio=0.5))
    stop = asyncio.Event()
    async with TestServer(server.application()) as running:
        traffic = ChatTraffic(str(running.make_url("")).rstrip("/"), rate=2000)
        asking = asyncio.create_task(traffic.run(stop))
        while not (traffic.counts.answered and traffic.counts.failed):
            await asyncio.sleep(0)
        stop.set()
        await asking

    assert set(traffic.counts.failures) == {"truncated"}
    assert traffic.counts.failed == server.failed > 0
