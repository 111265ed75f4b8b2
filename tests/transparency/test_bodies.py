"""Bodies of any size and shape: nothing changed, nothing held back, nothing hoarded."""

import asyncio
import contextlib
import hashlib
import socket

import pytest

from tests.faults.running import eventually, peak_bytes
from tests.transparency.conftest import Paths
from tests.transparency.talk import Await, Finish, Read, Rest, Send, Step, Tell

LARGE_BYTES = 200 * 1024 * 1024
# Python and the tee's whole budget of 8 MB: measured 31 to 38 MB, whatever the body.
RELAY_PEAK_BYTES = 64 * 1024 * 1024
BLOCK = bytes(range(256)) * 4096


async def pour(sock: socket.socket, size: int) -> str:
    """Send `size` bytes and half-close; the digest of them."""
    digest, loop = hashlib.blake2b(), asyncio.get_running_loop()
    for start in range(0, size, len(BLOCK)):
        block = start.to_bytes(8, "big") + BLOCK[8:]
        digest.update(block)
        await loop.sock_sendall(sock, block)
    sock.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


async def drain(sock: socket.socket) -> str:
    """The digest of everything up to the end."""
    digest, loop = hashlib.blake2b(), asyncio.get_running_loop()
    while data := await loop.sock_recv(sock, 1 << 20):
        digest.update(data)
    return digest.hexdigest()


async def connected(paths: Paths, address: tuple[str, int]) -> tuple[socket.socket, socket.socket]:
    loop = asyncio.get_running_loop()
    near = socket.socket()
    near.setblocking(False)
    await loop.sock_connect(near, address)
    far, _ = await loop.sock_accept(paths.upstream)
    far.setblocking(False)
    return near, far


async def test_two_hundred_megabytes_both_ways_at_once_in_bounded_memory(paths: Paths):
    near, far = await connected(paths, paths.relayed)
    with near, far:
        sent_up, sent_down, got_down, got_up = await asyncio.gather(
            pour(near, LARGE_BYTES), pour(far, LARGE_BYTES), drain(near), drain(far)
        )
    assert (got_up, got_down) == (sent_up, sent_down)
    assert peak_bytes(paths.relay_pid) < RELAY_PEAK_BYTES


async def test_a_reader_that_stops_stops_the_writer_and_nothing_piles_up(paths: Paths):
    """What the relay and the kernel take in for a silent reader is bounded, and all of it arrives."""
    near, far = await connected(paths, paths.relayed)
    with near, far:
        sent = 0
        while sent < LARGE_BYTES:
            try:
                sent += far.send(BLOCK)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                if stuck > 50:
                    break
                await asyncio.sleep(0.01)
        assert sent < LARGE_BYTES
        assert peak_bytes(paths.relay_pid) < RELAY_PEAK_BYTES
        far.shutdown(socket.SHUT_WR)
        loop, got = asyncio.get_running_loop(), 0
        while data := await loop.sock_recv(near, 1 << 20):
            got += len(data)
    assert got == sent


@pytest.mark.parametrize("size", [1, 2, 17])
async def test_chunks_of_a_few_bytes_arrive_one_by_one(paths: Paths, size: int):
    """A thousand chunks of a chunked body, each read by the other end before the next is sent."""
    chunk = b"%x\r\n%b\r\n" % (size, b"y" * size)
    server: list[Step] = [Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
    client: list[Step] = [Send(b"GET / HTTP/1.1\r\nHost: m\r\n\r\n"), Read(47)]
    for number in range(1000):
        server += [Send(chunk), Await(f"{number}")]
        client += [Read(len(chunk)), Tell(f"{number}")]
    server += [Send(b"0\r\nX-Trailer: 1\r\n\r\n"), Finish(), Rest()]
    client += [Rest(), Finish()]
    at_client, _ = await paths.same(client, server)
    assert at_client.data.endswith(b"X-Trailer: 1\r\n\r\n")


async def test_an_upload_of_single_bytes_arrives_byte_by_byte(paths: Paths):
    upload = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 300\r\n\r\n" + bytes(range(256)) + b"." * 44
    client: list[Step] = []
    server: list[Step] = []
    for number, byte in enumerate(upload):
        client += [Send(bytes([byte])), Await(f"{number}")]
        server += [Read(1), Tell(f"{number}")]
    at_client, at_server = await paths.same(
        [*client, Finish(), Rest()], [*server, Send(b"HTTP/1.1 204 No Content\r\n\r\n"), Finish(), Rest()]
    )
    assert at_server.data == upload
    assert at_client.data == b"HTTP/1.1 204 No Content\r\n\r\n"


async def test_an_answer_during_the_upload_arrives_during_the_upload(paths: Paths):
    """The client goes on sending only when it has read the early answer."""
    early = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000\r\n\r\n"
    client = [Send(head), Send(b"x" * 500_000), Read(len(early)), Send(b"x" * 500_000), Finish(), Rest()]
    server = [Read(len(head) + 1), Send(early), Rest(), Finish()]
    at_client, at_server = await paths.same(client, server)
    assert at_client.data == early
    assert len(at_server.data) == len(head) + 1_000_000


async def answer_before_the_cut(paths: Paths, address: tuple[str, int], early: bytes) -> bytes:
    """A server answers, leaves the upload unread and closes, which resets; the client keeps sending until
    that fails, then reads what there is."""
    loop = asyncio.get_running_loop()
    near, far = await connected(paths, address)

    async def upload() -> bytes:
        with contextlib.suppress(OSError):
            while True:
                await loop.sock_sendall(near, b"x" * 65536)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while data := await loop.sock_recv(near, 65536):
                got += data
        return got

    async def refuse() -> None:
        read = 0
        while read < 300_000:
            read += len(await loop.sock_recv(far, 65536))
        await loop.sock_sendall(far, early)
        far.close()

    async with asyncio.timeout(20):
        with near:
            return (await asyncio.gather(upload(), refuse()))[0]


async def test_an_answer_before_a_reset_is_not_lost_to_an_upload_that_fails(paths: Paths):
    early = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    direct = [await answer_before_the_cut(paths, paths.direct, early) for _ in range(100)]
    relayed = [await answer_before_the_cut(paths, paths.relayed, early) for _ in range(100)]
    assert direct == [early] * 100
    assert relayed == direct


async def test_connections_that_are_over_leave_nothing_in_the_relay(paths: Paths):
    await eventually(
        lambda: paths.running.metric("sidecar_connections") == 0, "every connection of this module closed"
    )
