"""The gRPC server that Envoy shows exchanges to, with a gRPC client in Envoy's place."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from sidecar import clock
from sidecar.address import Address
from sidecar.errors import SidecarError
from sidecar.exchange import Exchange, Outcome
from sidecar.ingest import ext_proc
from sidecar.ingest.ext_proc import ExtProc
from sidecar.ingest.intake import Intake
from sidecar.registry import Registry
from tests.ingest.test_ext_proc_stream import STREAMS, messages

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"


class Here:
    """A server that keeps its exchanges, and a client's channel to it."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.intake = Intake(Registry(), self.exchanges.append)
        self.taken = 0
        self.server = ExtProc(self.intake, Address("127.0.0.1", 0), self._now)
        self.channel: Any = None

    def _now(self) -> float:
        """Asked for once a message."""
        self.taken += 1
        return clock.monotonic()

    async def took(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        async with asyncio.timeout(20):
            while self.taken < count:
                await asyncio.sleep(0.005)

    def call(self) -> Any:
        return self.channel.stream_stream(PROCESS)()

    def counts(self) -> dict[str, float]:
        return {key[1]: value for key, value in self.intake._counter.values.items() if value}

    async def until(self, state: str, count: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.counts().get(state, 0) < count:
                await asyncio.sleep(0.005)
        self.intake.flush()


@pytest.fixture
async def here() -> AsyncIterator[Here]:
    one = Here()
    await one.server.start()
    one.channel = grpc.aio.insecure_channel(f"127.0.0.1:{one.server.port}")
    yield one
    await one.channel.close()
    await one.server.stop()


@pytest.mark.parametrize("name", STREAMS)
async def test_a_captured_stream_is_an_exchange_and_is_closed_at_once(here, name):
    call = here.call()
    for message in messages(name):
        await call.write(message)
    # Envoy would leave its side open: it is the server that ends the stream, and without a word.
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    await here.until("observed")
    (exchange,) = here.exchanges
    assert exchange.outcome is Outcome.OK
    assert exchange.timings.duration is not None and exchange.timings.duration >= 0
    assert here.counts() == {"observed": 1}


async def test_streams_of_many_exchanges_are_kept_apart(here):
    calls = [here.call() for _ in range(20)]
    for number in range(6):
        for call in calls:
            await call.write(messages("json")[number])
    await here.until("observed", 20)
    assert len(here.exchanges) == 20
    assert all(exchange.response.data == b'{"len": 34}' for exchange in here.exchanges)


async def test_a_client_that_left_is_told_by_the_stream_that_was_reset(here):
    call = here.call()
    for message in messages("json")[:3]:
        await call.write(message)
    await here.took(3)
    call.cancel()
    await here.until("unanswered")
    assert [exchange.outcome for exchange in here.exchanges] == [Outcome.CLIENT_CLOSED]


async def test_a_stream_that_is_cut_in_its_answer_is_unobserved(here):
    call = here.call()
    for message in messages("sse")[:6]:
        await call.write(message)
    await call.done_writing()
    await here.until("unanswered")
    assert [exchange.outcome for exchange in here.exchanges] == [Outcome.UNOBSERVED]


async def test_a_filter_that_waits_for_answers_is_let_go_at_once_and_warned_of_once(here, caplog):
    for _ in range(2):
        call = here.call()
        await call.write(messages("json")[0].removesuffix(b"\x50\x01"))
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
    await here.until("ignored", 2)
    assert here.exchanges == []
    assert [record.message for record in caplog.records if "observability_mode" in record.message] == [
        ext_proc._WAITS
    ]


async def test_what_is_no_message_is_counted_and_costs_nobody_else_anything(here):
    call = here.call()
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await call.write(b"\xff\xff")
        await call.done_writing()
    await here.until("malformed")
    other = here.call()
    for message in messages("json"):
        await other.write(message)
    await here.until("observed")
    assert len(here.exchanges) == 1


async def test_streams_past_the_limit_are_dropped_and_counted(here, monkeypatch):
    monkeypatch.setattr(ext_proc, "MAX_STREAMS", 1)
    held = here.call()
    await held.write(messages("json")[0])
    await here.took(1)
    other = here.call()
    assert await other.read() is grpc.aio.EOF
    await here.until("dropped")
    held.cancel()


async def test_other_methods_are_not_implemented(here):
    call = here.channel.unary_unary("/envoy.service.ext_proc.v3.ExternalProcessor/Other")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_what_is_open_when_we_leave_is_unobserved():
    one = Here()
    await one.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{one.server.port}") as one.channel:
        call = one.call()
        await call.write(messages("json")[0])
        await one.took(1)
        await one.server.stop()
        await one.until("unanswered")
    assert [exchange.outcome for exchange in one.exchanges] == [Outcome.UNOBSERVED]


async def test_an_address_that_is_taken_is_said_in_one_sentence(here):
    with pytest.raises(SidecarError, match="something listens there already"):
        await ExtProc(here.intake, Address("127.0.0.1", here.server.port)).start()


async def test_a_unix_socket_is_as_good_as_a_port(tmp_path):
    one = Here()
    one.server = ExtProc(one.intake, Address(path=str(tmp_path / "ext.sock")))
    await one.server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/ext.sock") as one.channel:
        call = one.call()
        for message in messages("json"):
            await call.write(message)
        await one.until("observed")
    await one.server.stop()


def test_grpc_is_loaded_only_by_the_module_that_serves_it():
    code = (
        "import sys, sidecar.ingest.ingesting, sidecar.ingest.cloudevents, sidecar.observer.observing;"
        "print('grpc' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
