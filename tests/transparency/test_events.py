"""Server-sent events and other streams keep their cadence: nothing waits for what comes after it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from tests.transparency.conftest import Paths

EVENTS = [f"data: token {number}\n\n".encode() for number in range(300)]


class Stream:
    """A server that sends event n+1 only when the client has said, past the wire, that it read event n."""

    def __init__(self) -> None:
        self.confirmed = asyncio.Semaphore(1)
        self.cancelled = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        try:
            for event in EVENTS:
                await self.confirmed.acquire()
                await answer.write(event)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled.set()
            raise
        return answer


@pytest.fixture
async def stream(paths: Paths) -> AsyncIterator[Stream]:
    stream = Stream()
    app = web.Application()
    app.router.add_get("/", stream.serve)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.SockSite(runner, paths.upstream.dup()).start()
    yield stream
    await runner.cleanup()


@pytest.mark.parametrize("way", ["direct", "relayed"])
async def test_each_event_arrives_before_the_next_is_sent(paths: Paths, stream: Stream, way: str):
    host, port = getattr(paths, way)
    seen = []
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}/") as answer,
    ):
        async for data, _ in answer.content.iter_chunks():
            if data:  # the end of a chunk, or of all, may come in a segment of its own
                seen.append(data)
                stream.confirmed.release()
    assert seen == EVENTS


@pytest.mark.parametrize("way", ["direct", "relayed"])
async def test_a_client_that_leaves_a_stream_ends_the_servers_work(paths: Paths, stream: Stream, way: str):
    host, port = getattr(paths, way)
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        answer = await session.get(f"http://{host}:{port}/")
        await answer.content.readany()
        answer.close()
        await stream.cancelled.wait()
