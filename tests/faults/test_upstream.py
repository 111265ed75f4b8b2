"""F1 to F6, F23: what a model server can do, and what its clients then see."""

import asyncio

import pytest

from tests.faults.conftest import FACTOR
from tests.faults.running import Sidecar, descriptors, eventually, resident_bytes, sidecar
from tests.faults.servers import Load, Upstream, answer, ask, cut, hang, post, request


@pytest.fixture
def running(tmp_path, server: Upstream):
    with sidecar(tmp_path, server.name) as found:
        yield found


async def test_f1_a_refusing_upstream_is_a_502_at_once_one_attempt_each_and_forgotten(
    running: Sidecar, server: Upstream
):
    """No retry storm: as many connection attempts as requests. Recovers with the next request."""
    await server.stop()
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(50 * FACTOR):
        started = loop.time()
        got = await ask(running.address, post(b"x" * 1000))
        times.append(loop.time() - started)
        assert got.startswith(b"HTTP/1.1 502 ")
        assert b"connection refused" in got
    assert sorted(times)[len(times) // 2] < 0.05
    name, count = "sidecar_upstream_connect_failures_total", len(times)
    await eventually(lambda: running.metric(name, reason="refused") == count, "every refusal counted once")
    await server.start()
    assert (await ask(running.address, post(b"back"))).endswith(b"\r\n\r\nback")


HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=["length", "chunked"])
async def test_f2_an_answer_that_is_cut_is_seen_to_be_cut(running: Sidecar, server: Upstream, head: bytes):
    """Never a well-formed end: what came before arrives, then a reset."""
    said = head + b"5\r\nhello\r\n"

    async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(said)
        await writer.drain()
        await read.acquire()
        cut(writer)

    read = asyncio.Semaphore(0)
    server.handler = cuts
    for _ in range(50):
        reader, writer = await asyncio.open_connection(*running.address)
        writer.write(post(b"x"))
        assert await reader.readexactly(len(said)) == said
        read.release()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_f3_a_silent_upstream_is_waited_for_and_left_when_its_clients_leave(
    running: Sidecar, server: Upstream
):
    """No timeout of ours. 200 clients give up: every upstream connection closes, no descriptor stays."""
    server.handler = hang
    (relay,) = running.relay_pids()
    before = descriptors(relay)
    writers = []
    for _ in range(200):
        _, writer = await asyncio.open_connection(*running.address)
        writer.write(post(b"?"))
        writers.append(writer)
    await eventually(lambda: server.open == 200, "200 requests waiting upstream")
    for writer in writers:
        writer.close()
    await eventually(lambda: server.open == 0, "every upstream connection closed", 5)
    await eventually(lambda: descriptors(relay) <= before + 1, "all descriptors given back", 5)


async def test_f4_an_answer_that_drips_arrives_drop_by_drop(running: Sidecar, server: Upstream):
    """Each byte is read before the next is sent; 2,000 of them cost the relay no memory."""
    confirmed = asyncio.Semaphore(0)
    drops = 2000 * FACTOR

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % drops)
        for _ in range(drops):
            await confirmed.acquire()
            writer.write(b".")

    server.handler = drips
    (relay,) = running.relay_pids()
    reader, writer = await asyncio.open_connection(*running.address)
    writer.write(post(b"x"))
    await reader.readuntil(b"\r\n\r\n")
    before = resident_bytes(relay)
    async with asyncio.timeout(60):
        for _ in range(drops):
            confirmed.release()
            assert await reader.readexactly(1) == b"."
    assert resident_bytes(relay) - before < 8 * 1024 * 1024
    writer.close()


async def test_f5_an_upstream_that_closes_after_each_answer_gets_every_post_once(
    running: Sidecar, server: Upstream
):
    """Nothing is pooled, so nothing is stale: 2,000 unique POSTs, no 502, each seen exactly once."""
    seen: list[bytes] = []

    async def one_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, body = await request(reader)
        seen.append(body)
        writer.write(answer(body))

    server.handler = one_each
    for number in range(2000 * FACTOR):
        body = b"%d" % number
        assert (await ask(running.address, post(body))).endswith(b"\r\n\r\n" + body)
    assert seen == [b"%d" % number for number in range(len(seen))]
    assert len(seen) == 2000 * FACTOR


GARBAGE = {
    "noise": bytes(range(256)) * 100,
    "interim": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000,
    "fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
    "field": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 300_000 + b"\r\n\r\n",
    "line": b"x" * 1_000_000,
}


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE.keys())
async def test_f6_garbage_reaches_the_client_as_it_is_and_harms_nobody(
    running: Sidecar, server: Upstream, said: bytes
):
    """The relay does not judge answers; the observer reads them without growing or dying."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(said)

    server.handler = babble
    observer = running.observer_pid()
    assert observer is not None
    before = resident_bytes(observer)
    for _ in range(20):
        reader, writer = await asyncio.open_connection(*running.address)
        writer.write(post(b"{}"))
        assert await reader.read() == said
        writer.close()
    await eventually(lambda: running.metric("sidecar_connections") == 0, "everything read by the observer")
    assert running.observer_pid() == observer
    assert resident_bytes(observer) - before < 32 * 1024 * 1024


async def test_f23_an_upstream_that_restarts_is_found_again(running: Sidecar, server: Upstream):
    """While it is away clients get 502 or a cut; the sidecar stays alive and ready; then all is well."""
    async with Load(running.address) as load:
        await load.more(100)
        await server.stop()
        await load.more(50)  # answered by us: 502
        assert running.get("/-/ready")[0] == 200
        await server.start()
        before = load.statuses[200]
        async with asyncio.timeout(20):
            while load.statuses[200] < before + 100:
                await load.more(10)
    assert set(load.statuses) == {200, 502}
    assert running.process.poll() is None
