"""A real WebSocket, aiohttp at both ends: the conversation through the relay is the direct one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSCloseCode, WSMsgType, web

from tests.transparency.conftest import Paths

CODES = web.AppKey("codes", asyncio.Queue)
LARGE = bytes(range(256)) * 8192


async def conversation(request: web.Request) -> web.WebSocketResponse:
    """Echo; "ping me" is answered with a ping, "leave N" with a close of that code."""
    socket = web.WebSocketResponse(autoping=False, max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT and message.data == "ping me":
            await socket.ping(b"are you there")
        elif message.type is WSMsgType.PONG:
            await socket.send_str(f"pong {message.data.decode()}")
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.TEXT and message.data.startswith("leave "):
            await socket.close(code=int(message.data.split()[1]), message=b"as you wish")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    request.app[CODES].put_nowait(socket.close_code)
    return socket


@pytest.fixture
async def codes(paths: Paths) -> AsyncIterator["asyncio.Queue[int | None]"]:
    """The server; the close codes it saw."""
    app = web.Application()
    app[CODES] = asyncio.Queue()
    app.router.add_get("/ws", conversation)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, paths.upstream.dup()).start()
    yield app[CODES]
    await runner.cleanup()


async def spoken(address: tuple[str, int], leave: str) -> list[Any]:
    """Everything a client sees of the conversation."""
    seen: list[Any] = []
    url = f"http://{address[0]}:{address[1]}/ws"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, autoping=False, max_msg_size=0) as ws,
    ):
        for text in ("hello", "", "déjà vu ☃", "x" * 100_000):
            await ws.send_str(text)
            seen.append(await ws.receive())
        for data in (b"", b"\x00\xff", LARGE):
            await ws.send_bytes(data)
            seen.append(await ws.receive())
        await ws.ping(b"from the client")
        seen.append(await ws.receive())
        await ws.send_str("ping me")
        ping = await ws.receive()
        seen.append(ping)
        await ws.pong(ping.data)
        seen.append(await ws.receive())
        if leave:
            await ws.send_str(f"leave {leave}")
            seen.append(await ws.receive())
        else:
            await ws.close(code=WSCloseCode.GOING_AWAY, message=b"bye")
        seen.append(ws.close_code)
    return seen


@pytest.mark.parametrize("leave", ["", "1000", "1011", "4321"])
async def test_messages_pings_and_close_codes_are_the_same(
    paths: Paths, codes: "asyncio.Queue[int | None]", leave: str
):
    direct = await spoken(paths.direct, leave)
    relayed = await spoken(paths.relayed, leave)
    assert relayed == direct
    assert direct[6].data == LARGE
    assert not leave or direct[-1] == int(leave)
    async with asyncio.timeout(10):
        assert await codes.get() == await codes.get()


async def test_a_refused_upgrade_is_an_answer_like_any_other(
    paths: Paths, codes: "asyncio.Queue[int | None]"
):
    for address in paths.both:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
                await session.ws_connect(f"http://{address[0]}:{address[1]}/elsewhere")
    assert codes.empty()
