"""F7 to F10, F24, F25: what clients can do to each other and to us."""

import asyncio
import socket

import pytest

from tests.faults.conftest import FACTOR
from tests.faults.running import Sidecar, descriptors, eventually, peak_bytes, resident_bytes, sidecar
from tests.faults.servers import Load, Upstream, ask, cut, echo_apart, post, raise_descriptor_limit, request
from tests.transparency.talk import LINGER_NOTHING

MEGABYTE = 1024 * 1024


@pytest.fixture
def running(tmp_path, server: Upstream):
    with sidecar(tmp_path, server.name) as found:
        yield found


@pytest.mark.parametrize("leaving", ["reset", "close"])
async def test_f7_an_upload_that_is_given_up_never_looks_whole(
    running: Sidecar, server: Upstream, leaving: str
):
    """The upstream has what was sent and then an end or a reset, well short of the promised length."""
    seen: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def watches(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got, end = 0, "end"
        try:
            while data := await reader.read(65536):
                got += len(data)
                arrived.release()
        except ConnectionResetError:
            end = "reset"
        seen.put_nowait((got, end))

    server.handler = watches
    for _ in range(20):
        arrived = asyncio.Semaphore(0)
        _, writer = await asyncio.open_connection(*running.address)
        writer.write(b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000\r\n\r\n")
        writer.write(b"x" * 100)
        await arrived.acquire()
        cut(writer) if leaving == "reset" else writer.close()
        async with asyncio.timeout(10):
            assert await seen.get() == (100, "reset" if leaving == "reset" else "end")


async def test_f8_streams_that_are_left_end_upstream_and_leave_nothing(running: Sidecar, server: Upstream):
    """500 clients leave in the middle of an event stream: every upstream connection ends, every
    descriptor comes back, and the relay's memory with them."""

    async def streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n")
        while not reader.at_eof():
            writer.write(b"data: more\n\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    server.handler = streams
    (relay,) = running.relay_pids()
    before = descriptors(relay)
    readers = []
    for _ in range(500):
        reader, writer = await asyncio.open_connection(*running.address)
        writer.write(post(b"{}"))
        readers.append((reader, writer))
    async with asyncio.timeout(60):
        for reader, _ in readers:
            await reader.readuntil(b"data: first\n\n")
    for number, (_, writer) in enumerate(readers):
        cut(writer) if number % 2 else writer.close()
    await eventually(lambda: server.open == 0, "every upstream connection ended", 20)
    await eventually(lambda: descriptors(relay) <= before + 1, "all descriptors given back", 20)
    assert peak_bytes(relay) < 64 * MEGABYTE


async def test_f8_clients_that_hang_up_at_once_leave_nothing(running: Sidecar, server: Upstream):
    """2,000 connections are reset while their upstream connection is being made."""
    (relay,) = running.relay_pids()
    before = descriptors(relay)
    for number in range(2000):
        with socket.create_connection(running.address) as sock:
            if number % 2:
                sock.sendall(post(b"{}"))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
        if number % 50 == 0:
            await asyncio.sleep(0)
    assert (await ask(running.address, post(b"still here"))).endswith(b"still here")
    await eventually(lambda: descriptors(relay) <= before + 2, "all descriptors given back", 10)
    await eventually(lambda: server.open == 0, "every upstream connection ended", 10)


async def test_f9_slow_readers_hold_their_upstreams_and_not_our_memory(running: Sidecar, server: Upstream):
    """20 clients with tiny windows read next to nothing of 20 MB each: what the relay holds of it is
    its own 64 KB each way, the rest stays with the upstream. Others are served meanwhile."""
    sent = 0

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        head, body = await request(reader)
        if b"/flood" not in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            return
        for _ in range(320):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    server.handler = floods
    (relay,) = running.relay_pids()
    before = resident_bytes(relay)
    slow = []
    loop = asyncio.get_running_loop()
    for _ in range(20):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, running.address)
        await loop.sock_sendall(sock, post(b"", "/flood"))
        slow.append(sock)
    still, last = 0, -1
    async with asyncio.timeout(30):
        while still < 20:
            still, last = (still + 1, last) if sent == last else (0, sent)
            assert (await ask(running.address, post(b"other"))).endswith(b"other")
            for sock in slow:
                await loop.sock_recv(sock, 1)
    assert sent < 20 * 320 * 65536
    # 20 of 64 KB, and the tee's budget of copies not yet sent.
    assert resident_bytes(relay) - before < 20 * MEGABYTE
    for sock in slow:
        sock.close()


async def test_f10_dripping_requests_cost_the_others_nothing(running: Sidecar, server: Upstream):
    """500 clients send a header byte by byte and never finish; everybody else is served all the while.

    How long a client may take is the upstream's decision, as it is without us; its close is carried."""
    writers = [(await asyncio.open_connection(*running.address))[1] for _ in range(500)]
    dripped = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nX-Slow: " + b"z" * 10
    async with Load(running.address) as load:
        for byte in dripped:
            for writer in writers:
                writer.write(bytes([byte]))
            await load.more(20)
    assert load.failures == []
    assert set(load.statuses) == {200}
    assert server.open >= 500
    await server.stop()  # the upstream loses patience
    for writer in writers:
        writer.close()
    (relay,) = running.relay_pids()
    await eventually(lambda: descriptors(relay) < 100, "all descriptors given back")


async def test_f24_large_bodies_for_a_slow_upstream_are_not_hoarded(running: Sidecar, server: Upstream):
    """50 uploads of 20 MB that nobody reads: the relay takes its 64 KB of each, and all arrive later."""
    go = asyncio.Event()
    total = 0

    async def reads_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal total
        await go.wait()
        while data := await reader.read(1 << 20):
            total += len(data)

    server.handler = reads_later
    (relay,) = running.relay_pids()
    before = resident_bytes(relay)
    body = bytes(20 * MEGABYTE)
    uploads = [asyncio.create_task(upload(running, body)) for _ in range(50)]
    await eventually(lambda: server.open == 50, "50 uploads upstream")
    # Each has filled the kernel's buffers when the relay moved nothing between two looks.
    moved = -1.0
    while moved != (moved := running_bytes(running)):
        await asyncio.sleep(1.1)  # the relay reports its bytes once a second
    grown = resident_bytes(relay) - before
    go.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*uploads)
    await eventually(lambda: server.open == 0, "every upload read")
    assert total == 50 * len(body)
    assert grown < 24 * MEGABYTE


def running_bytes(running: Sidecar) -> float:
    return running.metric("sidecar_relay_bytes_total")


async def upload(running: Sidecar, body: bytes) -> None:
    _, writer = await asyncio.open_connection(*running.address)
    writer.write(body)
    await writer.drain()
    writer.write_eof()
    writer.close()


# What there is to open bounds what can be tried: two descriptors a connection, some for ourselves.
SOFT_LIMIT = 1024


async def test_f25_ten_thousand_idle_connections_and_two_hundred_busy_ones(tmp_path):
    """All are served, from a soft limit of 1,024 files that the relay raises itself; the idle ones cost
    no more than 60 MB in all, and are awake when they want to be."""
    hard = raise_descriptor_limit()
    idle = min(10_000, (hard - 1000) // 2)
    low = ("prlimit", f"--nofile={SOFT_LIMIT}:{hard}")
    loop = asyncio.get_running_loop()
    async with echo_apart() as name:
        with sidecar(tmp_path, name, prefix=low) as running:
            (relay,) = running.relay_pids()
            sockets = []
            for _ in range(idle):
                sock = socket.socket()
                sock.setblocking(False)
                await loop.sock_connect(sock, running.address)
                sockets.append(sock)
            await eventually(lambda: descriptors(relay) >= 2 * idle, "all idle ones relayed")
            async with Load(running.address, clients=200) as load:
                await load.more(4000 * FACTOR, seconds=90)
            assert load.failures == []
            assert set(load.statuses) == {200}
            # Measured 48 MB at 9,500 idle: 1.9 kB a connection.
            assert peak_bytes(relay) < 60 * MEGABYTE
            for sock in sockets:
                await loop.sock_sendall(sock, post(b"awake"))
            for sock in sockets:
                assert (await loop.sock_recv(sock, 1000)).endswith(b"awake")
                sock.close()
            await eventually(lambda: descriptors(relay) < 100, "all descriptors given back")
