"""A transport over a socket pair: nothing lost, nothing twice, and the end told once."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import pytest

from sidecar.relay.plain import READ_BYTES, PlainTransport
from sidecar.relay.readiness import READABLE, WRITABLE, Readiness


class Heard(asyncio.Protocol):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.told: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.keep_open = True

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.told.append("end")
        return self.keep_open

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours, which does not block, and theirs, which does: TCP, because unix sockets know no reset."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        theirs = socket.create_connection(door.getsockname())
        ours, _ = door.accept()
    ours.setblocking(False)
    theirs.settimeout(10)
    yield ours, theirs
    ours.close()
    theirs.close()


Ends = tuple[socket.socket, socket.socket]


def over(ours: socket.socket) -> tuple[PlainTransport, Heard]:
    heard = Heard()
    return PlainTransport(Readiness(asyncio.get_running_loop()), ours, heard), heard


def cut(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def receive(sock: socket.socket) -> bytes:
    """All of it, while the loop runs."""
    sock.setblocking(False)
    pieces = []
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


async def test_what_the_kernel_does_not_take_waits_and_the_writer_is_paused_until_it_went(ends: Ends) -> None:
    transport, heard = over(ends[0])
    sent = b""
    while not transport.get_write_buffer_size():
        piece = len(sent).to_bytes(4, "big") * (READ_BYTES // 4)
        sent += piece
        transport.write(piece)
    assert heard.told == ["pause"]
    transport.write(b"last")  # whoever does not heed it is not thrown away
    transport.write_eof()
    assert await receive(ends[1]) == sent + b"last"
    assert heard.told[-1] == "resume"
    transport.close()
    assert await heard.lost is None


async def test_close_writes_what_waits_and_abort_does_not(ends: Ends) -> None:
    transport, heard = over(ends[0])
    sent = 0
    while not transport.get_write_buffer_size():
        transport.write(b"x" * READ_BYTES)
        sent += READ_BYTES
    transport.close()
    transport.write(b"too late")
    assert len(await receive(ends[1])) == sent
    assert await heard.lost is None


async def test_abort_ends_at_once_whatever_waits(ends: Ends) -> None:
    transport, heard = over(ends[0])
    while not transport.get_write_buffer_size():
        transport.write(b"x" * READ_BYTES)
    transport.abort()
    transport.abort()
    assert await heard.lost is None
    assert ends[0].fileno() == -1


async def test_last_words_of_a_peer_that_cuts_an_upload_are_heard(ends: Ends) -> None:
    transport, heard = over(ends[0])
    transport.pause_reading()
    ends[1].sendall(b"too large")
    transport.write(b"x" * 1000)  # never read: so the close is a reset
    ends[1].close()
    async with asyncio.timeout(10):
        while not heard.lost.done():
            transport.write(b"more")
            await asyncio.sleep(0)
    assert isinstance(await heard.lost, ConnectionError)
    assert heard.data == b"too large"


async def test_a_reset_is_told_as_one_and_an_end_as_an_end(ends: Ends) -> None:
    _, heard = over(ends[0])
    cut(ends[1])
    assert isinstance(await heard.lost, ConnectionResetError)
    assert heard.told == []


async def test_the_end_of_one_direction_leaves_the_other_and_is_told_once(ends: Ends) -> None:
    transport, heard = over(ends[0])
    ends[1].sendall(b"question")
    ends[1].shutdown(socket.SHUT_WR)
    async with asyncio.timeout(10):
        while not heard.told:
            await asyncio.sleep(0)
    transport.resume_reading()  # by a peer that has caught up
    transport.write(b"answer")
    transport.close()
    assert await receive(ends[1]) == b"answer"
    assert await heard.lost is None
    assert (heard.data, heard.told) == (b"question", ["end"])


async def test_a_protocol_that_wants_no_half_is_closed_with_its_peer(ends: Ends) -> None:
    _, heard = over(ends[0])
    heard.keep_open = False
    ends[1].shutdown(socket.SHUT_WR)
    assert await heard.lost is None


async def test_a_cut_while_nothing_is_wanted_does_not_keep_the_loop_busy(ends: Ends) -> None:
    happened: list[int] = []
    ready = Readiness(asyncio.get_running_loop())
    ready.watch(ends[0].fileno(), READABLE, happened.append)
    ready.watch(ends[0].fileno(), 0, happened.append)
    cut(ends[1])
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert happened == []
    ready.watch(ends[0].fileno(), WRITABLE, happened.append)
    async with asyncio.timeout(10):
        while not happened:
            await asyncio.sleep(0)
    assert happened[0] & ~WRITABLE  # and whoever wants anything hears of it
