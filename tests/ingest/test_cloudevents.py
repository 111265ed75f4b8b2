"""The sink of request loggers: over real sockets, and what becomes of each event."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sidecar.address import Address
from sidecar.errors import SidecarError
from sidecar.exchange import Exchange, Outcome
from sidecar.ingest import cloudevents
from sidecar.ingest.cloudevents import CloudEvents, Sink
from sidecar.ingest.intake import Intake
from sidecar.registry import Registry
from tests.ingest import events

ASKED, ANSWERED = {"instances": [[1.5, 2.5]]}, {"predictions": [0.5]}


class Here:
    """A sink that keeps its exchanges, and a clock to turn."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.exchanges: list[Exchange] = []
        self.intake = Intake(self.registry, self.exchanges.append)
        self.now = 1_000.0
        self.sink = Sink(self.intake, lambda: self.now)

    def take(self, message: events.Message) -> bool:
        taken = self.sink.take(*message)
        self.intake.flush()
        return taken

    def counts(self) -> dict[tuple[str, ...], float]:
        return {key: value for key, value in self.intake._counter.values.items() if value}


def test_two_events_are_an_exchange_and_are_counted_as_observed():
    here = Here()
    assert here.take(events.logged("response", ANSWERED))
    assert here.take(events.logged("request", ASKED))
    (exchange,) = here.exchanges
    assert exchange.target == "/v1/models/iris:predict"
    assert json.loads(exchange.request.data) == ASKED
    assert here.counts() == {("kserve", "observed"): 2}


def test_a_request_alone_is_given_up_on_and_observed_as_unobserved():
    here = Here()
    here.take(events.logged("request", ASKED))
    here.now += 90.0
    here.sink.expire()
    here.intake.flush()
    assert [one.outcome for one in here.exchanges] == [Outcome.UNOBSERVED]
    assert here.counts() == {("kserve", "unanswered"): 1}


@pytest.mark.parametrize(
    ("headers", "body", "count"),
    [
        ({"ce-type": "io.seldon.serving.feedback", "ce-id": "1"}, b"{}", {("seldon", "feedback"): 1}),
        ({"ce-type": "dev.knative.tick", "ce-id": "1"}, b"{}", {("other", "ignored"): 1}),
        ({"ce-id": "1"}, b"{}", {("other", "malformed"): 1}),
        ({"content-type": "application/cloudevents-batch+json"}, b"[1, {}]", {("other", "malformed"): 2}),
    ],
)
def test_what_is_no_half_of_an_exchange_is_counted_as_what_it_is(headers, body, count):
    here = Here()
    here.take((headers, body))
    assert here.exchanges == []
    assert here.counts() == count


def test_exchanges_that_do_not_fit_the_queue_are_counted_as_dropped(monkeypatch):
    here = Here()
    monkeypatch.setattr("sidecar.ingest.intake.MAX_EXCHANGES", 0)
    here.take(events.logged("request", ASKED))
    here.take(events.logged("response", ANSWERED))
    assert here.counts() == {("kserve", "dropped"): 2}


def test_every_series_is_there_from_the_start():
    values = Here().intake._counter.values
    assert values["kserve", "observed"] == values["seldon", "late"] == values["other", "malformed"] == 0


def test_routes_tell_revisions_apart_but_are_not_made_without_end(monkeypatch):
    here = Here()
    monkeypatch.setattr(cloudevents, "MAX_ROUTES", 2)
    for number in range(4):
        for role, data in (("request", ASKED), ("response", ANSWERED)):
            here.take(events.logged(role, data, id=str(number), endpoint=str(number)))
    routes = [exchange.route for exchange in here.exchanges]
    assert len(set(routes)) == 3
    assert routes[2] == routes[3] == "cloudevents"


@contextlib.asynccontextmanager
async def serving(here: Here) -> AsyncIterator[str]:
    server = CloudEvents(here.sink, Address("127.0.0.1", 0))
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        await server.stop()


async def post(url: str, headers: dict[str, str], body: Any) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers, data=body) as answer:
        return answer.status


async def test_a_captured_post_of_kserves_logger_is_taken():
    here = Here()
    async with serving(here) as url:
        headers, body = events.captured("kserve-logger/request_gzip")
        assert await post(url, {k: v for k, v in headers.items() if k != "host"}, body) == 202
        answer = events.logged("response", ANSWERED, id="0f3f5f6a-1", component="predictor")
        assert await post(url, *answer) == 202
    here.intake.flush()
    (exchange,) = here.exchanges
    assert exchange.request.data == gzip.decompress(body)


async def test_a_body_in_chunks_is_taken_whatever_the_path():
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"instances": '
        yield b"[[1]]}"

    here = Here()
    async with serving(here) as url:
        assert await post(url + "some/path", events.logged("request", b"")[0], pieces()) == 202
    assert here.sink._joiner.expire(here.now + 1e6)[0].events[0].data == b'{"instances": [[1]]}'


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_past_the_limit_is_refused_unread_and_counted(chunked):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield bytes(512 * 1024)

    here = Here()
    async with serving(here) as url:
        body = pieces() if chunked else bytes(cloudevents.MAX_BODY_BYTES + 1)
        with contextlib.suppress(aiohttp.ClientError):  # closed before all was sent
            assert await post(url, events.logged("request", b"")[0], body) == 413
    assert here.counts() == {("other", "too_large"): 1}


async def test_bodies_that_would_not_fit_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(cloudevents, "MAX_READING_BYTES", 100)
    here = Here()
    async with serving(here) as url:
        assert await post(url, *events.logged("request", bytes(200))) == 503
        assert await post(url, *events.logged("request", b"{}")) == 202
    assert here.counts() == {("other", "dropped"): 1}


async def test_what_is_no_event_is_told_so_and_nothing_may_be_asked_here():
    here = Here()
    async with serving(here) as url, aiohttp.ClientSession() as session:
        assert await post(url, {}, b"{}") == 400
        async with session.get(url) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        async with session.options(url, headers={"Origin": "http://evil.example"}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_connections_past_the_limit_are_closed_and_others_served(monkeypatch):
    monkeypatch.setattr(cloudevents, "MAX_CONNECTIONS", 2)
    here = Here()
    async with serving(here) as url:
        port = int(url.rsplit(":", 1)[1].strip("/"))
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in held:
            writer.write(b"GET / HTTP/1.1\r\nHost: sink\r\n\r\n")
            assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 405 ")
        reader, refused = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        for _, writer in (*held, (reader, refused)):
            writer.close()


async def test_a_sender_that_stops_in_the_middle_holds_its_memory_only_for_a_while(monkeypatch):
    monkeypatch.setattr(cloudevents, "_BODY_SECONDS", 0.05)
    here = Here()
    async with serving(here) as url:
        port = int(url.rsplit(":", 1)[1].strip("/"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
        assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 408 Request Timeout\r\n"
        writer.close()
    assert here.counts() == {("other", "malformed"): 1}


async def test_an_address_that_is_taken_is_said_in_one_sentence():
    here = Here()
    async with serving(here) as url:
        port = int(url.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(SidecarError, match="something listens there already"):
            await CloudEvents(here.sink, Address("127.0.0.1", port)).start()
