"""F21, F22: SIGTERM under load. Nobody who was being served notices, and we are gone in time."""

import asyncio
import signal
import threading
from concurrent import futures

import grpc
import pytest

from tests.faults.running import Sidecar, eventually, sidecar
from tests.faults.servers import Load, Upstream, answer, ask, post, request

DRAIN = {"SIDECAR_DRAIN__GRACE": "1s", "SIDECAR_DRAIN__DEADLINE": "8s"}


@pytest.fixture
def running(tmp_path, server: Upstream):
    with sidecar(tmp_path, server.name, environment=DRAIN) as found:
        yield found


def terminate(running: Sidecar) -> None:
    running.process.send_signal(signal.SIGTERM)


async def exit_code(running: Sidecar) -> int:
    return await asyncio.to_thread(running.process.wait, 30)


async def under_load(running: Sidecar, pause: float) -> Load:
    """16 keep-alive clients during a drain; what became of them."""
    loop = asyncio.get_running_loop()
    async with Load(running.address, clients=16, pause=pause) as load:
        await load.more(200)
        started = loop.time()
        terminate(running)
        await load.gave_up()
    assert await exit_code(running) == 0
    # Past the deadline it only cuts and leaves; Kubernetes kills 5 s after it (30 s, and 25 s of ours).
    assert loop.time() - started < 8 + 5
    return load


async def test_f21_clients_that_pause_between_requests_lose_none(running: Sidecar):
    """50 ms is pause enough: they are let go within it."""
    load = await under_load(running, pause=0.05)
    assert load.failures == []
    assert load.let_go == 16


async def test_f21_a_client_that_never_pauses_loses_one_request_at_most(running: Sidecar):
    """The remaining race: only a `Connection: close` could end it, and we do not edit answers. The model
    server, which stops before a native sidecar does, sends one."""
    load = await under_load(running, pause=0.0)
    assert len(load.failures) <= 16


async def test_f21_a_model_server_that_stops_first_ends_its_connections_and_no_request(
    running: Sidecar, server: Upstream
):
    """What Kubernetes does with a native sidecar: nobody fails, pausing or not."""
    closing = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last = False
        while not last:
            _, body = await request(reader)
            last = closing
            writer.write(answer(body, closing=last))
            await writer.drain()

    server.handler = serve
    async with Load(running.address, clients=16, back=False) as load:
        await load.more(200)
        terminate(running)
        closing = True
        await load.gave_up()
    assert load.failures == []
    assert await exit_code(running) == 0


async def test_f21_readiness_fails_at_once_and_newcomers_are_served_for_the_grace(running: Sidecar):
    terminate(running)
    await eventually(lambda: running.get("/-/ready")[0] == 503, "not ready", 0.9)
    assert (await ask(running.address, post(b"new"))).endswith(b"new")
    assert await exit_code(running) == 0


async def test_f21_requests_and_slow_streams_in_flight_are_finished(running: Sidecar, server: Upstream):
    """20 requests that take two seconds and 20 streams with half a second between events end whole."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await request(reader)
        if b"/stream" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
            for _ in range(6):
                writer.write(b".")
                await asyncio.sleep(0.5)
        else:
            await asyncio.sleep(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer")

    server.handler = slow
    paths = ["/stream", "/predict"] * 20
    asked = [asyncio.create_task(ask(running.address, post(b"{}", path))) for path in paths]
    await eventually(lambda: server.open == 40, "all in flight")
    terminate(running)
    got = await asyncio.gather(*asked, return_exceptions=True)
    ends = [one[-6:] if isinstance(one, bytes) else repr(one) for one in got]
    assert ends == [b"......", b"answer"] * 20
    assert await exit_code(running) == 0


async def test_f21_a_grpc_call_in_flight_is_finished(tmp_path):
    """An HTTP/2 server has the last word all the time (settings, pings, windows): that ends no call."""

    def slow(body: bytes, context: grpc.ServicerContext) -> bytes:
        started.set()
        go.wait(10)
        return body

    started, go = threading.Event(), threading.Event()
    served = grpc.server(futures.ThreadPoolExecutor(4))
    handler = grpc.unary_unary_rpc_method_handler(slow)
    served.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("m", {"slow": handler}),))
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    with sidecar(tmp_path, f"127.0.0.1:{port}", environment=DRAIN) as running:
        with grpc.insecure_channel(f"127.0.0.1:{running.address[1]}") as channel:
            call = channel.unary_unary("/m/slow").future(b"x" * 200_000, timeout=20)
            await asyncio.to_thread(started.wait, 10)
            terminate(running)
            await asyncio.sleep(3)
            go.set()
            assert await asyncio.to_thread(call.result, 10) == b"x" * 200_000
        assert await exit_code(running) == 0
    served.stop(0).wait()


async def test_f21_idle_connections_do_not_hold_up_the_exit(running: Sidecar):
    """What was quiet after an answer is closed in order, well before the deadline."""
    loop = asyncio.get_running_loop()
    conversations = []
    for _ in range(50):
        reader, writer = await asyncio.open_connection(*running.address)
        writer.write(post(b"x"))
        await request(reader)
        conversations.append((reader, writer))
    started = loop.time()
    terminate(running)
    for reader, writer in conversations:
        assert await reader.read() == b""
        writer.close()
    assert await exit_code(running) == 0
    assert loop.time() - started < 8


async def test_f21_idle_grpc_channels_do_not_hold_up_the_exit(tmp_path):
    """A channel that carries no call is closed after the grace, though its client had the last word."""
    served = grpc.server(futures.ThreadPoolExecutor(4))
    handler = grpc.unary_unary_rpc_method_handler(lambda body, context: body)
    served.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("m", {"echo": handler}),))
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    loop = asyncio.get_running_loop()
    with (
        sidecar(tmp_path, f"127.0.0.1:{port}", environment=DRAIN) as running,
        grpc.insecure_channel(f"127.0.0.1:{running.address[1]}") as channel,
    ):
        call = channel.unary_unary("/m/echo")
        assert await asyncio.to_thread(lambda: call(b"x", timeout=10)) == b"x"
        started = loop.time()
        terminate(running)
        assert await exit_code(running) == 0
        # Otherwise it is kept to the last second of the eight.
        assert loop.time() - started < 6.5
    served.stop(0).wait()


async def test_f21_a_second_signal_hurries(running: Sidecar):
    terminate(running)
    await eventually(lambda: running.get("/-/ready")[0] == 503, "not ready")
    terminate(running)
    assert await exit_code(running) == 0
