"""The admin port answers probes whatever the observer does."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sidecar.supervisor import front
from sidecar.supervisor.front import Front

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Case:
    def __init__(self, tmp_path: Path) -> None:
        self.why_not_ready: str | None = None
        self.path = str(tmp_path / "observer.sock")
        self.front = Front(self.path, lambda: self.why_not_ready, lambda: b"sidecar_up 1\n")
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.observer: asyncio.Server | None = None

    async def observer_is(self, handler: Handler) -> None:
        self.observer = await asyncio.start_unix_server(handler, self.path)

    async def ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.sock.getsockname())
        writer.write(request)
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    case = Case(tmp_path)
    await case.front.listen(case.sock)
    yield case
    case.front.close()
    if case.observer is not None:
        case.observer.close()


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nobserver saw " + head.split(b"\r\n")[0])
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_probes_are_answered_without_an_observer(case: Case) -> None:
    assert (await case.ask(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert (await case.ask(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_probes_are_answered_beside_a_stopped_observer(case: Case) -> None:
    await case.observer_is(silent)
    assert (await case.ask(b"GET /-/ready HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_ready_says_why_not(case: Case) -> None:
    case.why_not_ready = "draining"
    answer = await case.ask(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"draining\n")
    assert (await case.ask(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_head_request_gets_no_body(case: Case) -> None:
    assert (await case.ask(b"HEAD /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"\r\n\r\n")


async def test_without_an_observer_the_answer_has_the_form_of_its_errors(case: Case) -> None:
    answer = await case.ask(b"POST /api/v1/labels HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/json; charset=utf-8\r\n" in head
    assert json.loads(body)["error"].startswith("the observer is starting, or away; ")
    assert (await case.ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"\r\n\r\n")


async def test_everything_else_is_the_observers(case: Case) -> None:
    await case.observer_is(answers)
    answer = await case.ask(b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"observer saw GET /metrics?x=1 HTTP/1.1")


async def test_metrics_without_an_observer_are_what_is_known_without_it(case: Case) -> None:
    answer = await case.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nsidecar_up 1\n")


async def test_a_stopped_observer_counts_as_none_after_a_while(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "_ANSWER_SECONDS", 0.05)
    await case.observer_is(silent)
    assert (await case.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"sidecar_up 1\n")
    assert (await case.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("request_bytes", [b"\x00" * 100 + b"\r\n\r\n", b"GET /-/ready\r\n\r\n", b"\r\n\r\n"])
async def test_nonsense_gets_an_answer_and_harms_nobody(case: Case, request_bytes: bytes) -> None:
    assert (await case.ask(request_bytes)).startswith(b"HTTP/1.1 503 ")


async def test_a_head_without_end_is_dropped(case: Case) -> None:
    assert await case.ask(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000) == b""
    assert (await case.ask(b"GET /-/healthy HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("host", "socket_used"), [("127.0.0.1", ""), ("10.0.0.7", "-others")])
async def test_the_observer_can_tell_who_asks_from_another_host(
    case: Case, monkeypatch: pytest.MonkeyPatch, host: str, socket_used: str
) -> None:
    """Also later on the same connection, which belongs to the observer then."""
    monkeypatch.setattr(front, "is_local", lambda peer: host == peer[0])
    case.observer = await asyncio.start_unix_server(answers, case.path + socket_used)
    assert b"observer saw GET /x" in await case.ask(b"GET /x HTTP/1.1\r\n\r\n")


async def test_a_client_that_left_holds_nothing_though_the_observer_keeps_the_connection(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()

    async def keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()
        left.set()

    monkeypatch.setattr(front, "_LEFT_SECONDS", 0.05)
    await case.observer_is(keeps)
    reader, writer = await asyncio.open_connection(*case.sock.getsockname())
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    async with asyncio.timeout(10):
        await left.wait()


async def test_whoever_holds_silent_connections_keeps_no_probe_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "_MAX_CONNECTIONS", 8)
    held = [await asyncio.open_connection(*case.sock.getsockname()) for _ in range(20)]
    assert (await case.ask(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    # The oldest had to make room; the youngest still has its turn.
    assert await held[0][0].read() == b""
    held[-1][1].write(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await held[-1][0].read()).startswith(b"HTTP/1.1 200 ")
    for _, writer in held:
        writer.close()


async def test_questions_that_a_silent_observer_leaves_open_keep_no_probe_out(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "_MAX_CONNECTIONS", 8)
    await case.observer_is(silent)
    asked = [await asyncio.open_connection(*case.sock.getsockname()) for _ in range(8)]
    for _, writer in asked:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while len(case.front._serving) - len(case.front._silent) < 8:
        await asyncio.sleep(0)
    assert (await case.ask(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert b'{"error": "too many connections' in await case.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    for _, writer in asked:
        writer.close()
