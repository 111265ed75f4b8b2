"""Two connections joined: nothing lost, nothing twice, and each end told once."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sidecar.chunk import Chunk, Kind
from sidecar.relay.counters import Counters
from sidecar.relay.pair import Pair
from sidecar.relay.side import READ_BYTES
from sidecar.relay.tee import Flow, Tee
from tests.relay.conftest import Nested


class Notes(Tee):
    """A tee that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Kind, int]] = []

    def offer(self, flow: Flow, data: bytes, now: float) -> None:
        flow.offset += len(data)

    def event(self, chunk: Chunk, flow: Flow | None = None) -> None:
        self.told.append((chunk.kind, chunk.direction))

    def settle(self, flow: Flow) -> None:
        pass


def connected() -> tuple[socket.socket, socket.socket]:
    """Ours, and theirs; TCP, because unix sockets know no reset."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        theirs = socket.create_connection(door.getsockname())
        ours, _ = door.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


@dataclass
class Joined:
    """A pair that stands, and the two who talk through it."""

    loop: Nested
    pair: Pair
    client: socket.socket
    server: socket.socket
    notes: Notes
    lost: list[Pair] = field(default_factory=list)

    async def gone(self) -> None:
        async with asyncio.timeout(10):
            while len(self.lost) < 2:
                await asyncio.sleep(0)


@pytest.fixture
async def joined() -> Iterator[Joined]:  # type: ignore[misc]
    notes = Notes()
    lost: list[Pair] = []
    loop = Nested()
    pair = Pair(loop, 1, {}, notes, Counters(), lost.append)
    pair.client.sock, client = connected()
    pair.server.sock, server = connected()
    pair.join()
    yield Joined(loop, pair, client, server, notes, lost)
    for sock in (client, server, pair.client.sock, pair.server.sock):
        sock.close()


def cut(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def receive(sock: socket.socket, sizes: list[int] | None = None) -> bytes:
    """All of it, while the loop runs; `sizes` are of what came, also when it ends in an error."""
    pieces = []
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
        pieces.append(piece)
        if sizes is not None:
            sizes.append(len(piece))
    return b"".join(pieces)


async def fill(joined: Joined) -> bytes:
    """What it takes until the server's end is full and something waits for it."""
    sent = b""
    async with asyncio.timeout(10):
        while not joined.pair.server.waiting:
            piece = len(sent).to_bytes(4, "big") * (READ_BYTES // 4)
            with contextlib.suppress(BlockingIOError):
                sent += piece[: joined.client.send(piece)]
            await asyncio.sleep(0)
    return sent


async def test_what_the_kernel_does_not_take_waits_and_its_sender_is_read_no_further(joined: Joined) -> None:
    sent = await fill(joined)
    heard = joined.pair.client.offset
    assert len(joined.pair.server.waiting) <= READ_BYTES
    for _ in range(20):
        await asyncio.sleep(0)
    assert joined.pair.client.offset == heard
    joined.client.shutdown(socket.SHUT_WR)
    assert await receive(joined.server) == sent


async def test_whoever_writes_on_all_the_same_is_not_thrown_away(joined: Joined) -> None:
    sent = await fill(joined)
    joined.client.shutdown(socket.SHUT_WR)
    heard = joined.pair.client.offset
    joined.pair.server.write(b"last")
    reading = asyncio.create_task(receive(joined.server))
    assert await reading == sent[:heard] + b"last" + sent[heard:]


async def test_a_finish_writes_what_waits_and_an_abort_does_not(joined: Joined) -> None:
    await fill(joined)
    heard = joined.pair.client.offset
    joined.pair.finish()
    joined.pair.server.write(b"too late")
    assert len(await receive(joined.server)) == heard
    await joined.gone()


async def test_an_abort_ends_at_once_whatever_waits(joined: Joined) -> None:
    await fill(joined)
    joined.pair.abort()
    joined.pair.abort()
    await joined.gone()
    assert joined.pair.client.sock is not None
    assert joined.pair.client.sock.fileno() == -1
    assert len(joined.lost) == 2


async def test_last_words_of_a_server_that_cuts_an_upload_are_passed_on(joined: Joined) -> None:
    joined.pair.server.pause()
    joined.server.sendall(b"too large")
    joined.pair.server.write(b"x" * 1000)  # never read: so the close is a reset
    joined.server.close()
    async with asyncio.timeout(10):
        while not joined.pair.server.lost:
            joined.pair.server.write(b"more")
            await asyncio.sleep(0)
    assert await asyncio.get_running_loop().sock_recv(joined.client, 100) == b"too large"
    with pytest.raises(ConnectionResetError):
        await receive(joined.client)
    assert joined.pair.server.offset == 9


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_reset_is_passed_on_as_one_and_told_once(joined: Joined, who: str) -> None:
    cut(getattr(joined, who))
    other = joined.server if who == "client" else joined.client
    with pytest.raises(ConnectionResetError):
        await receive(other)
    await joined.gone()
    assert joined.notes.told == [(Kind.RESET, 0 if who == "client" else 1)]


async def test_the_end_of_one_direction_leaves_the_other_and_each_is_told_once(joined: Joined) -> None:
    joined.client.sendall(b"question")
    joined.client.shutdown(socket.SHUT_WR)
    assert await receive(joined.server) == b"question"
    joined.pair.client.resume()  # as one that has caught up does
    joined.server.sendall(b"answer")
    joined.server.close()
    assert await receive(joined.client) == b"answer"
    await joined.gone()
    assert joined.notes.told == [(Kind.END, 0), (Kind.END, 1)]


async def test_without_half_closes_the_end_of_one_side_ends_both(joined: Joined) -> None:
    joined.pair.client.half_closes = False
    joined.server.sendall(b"all")
    joined.server.shutdown(socket.SHUT_WR)
    assert await receive(joined.client) == b"all"
    assert await receive(joined.server) == b""
    await joined.gone()


async def test_a_fault_of_ours_costs_its_connection_and_is_told(joined: Joined) -> None:
    def fails(_data: bytes) -> None:
        raise ValueError("ours")

    joined.pair.client.sink = fails
    joined.client.sendall(b"x")
    await joined.gone()
    assert [str(fault) for fault in joined.loop.faults] == ["ours"]


async def test_what_waits_for_one_who_is_closed_is_written_before_it_is_cut(joined: Joined) -> None:
    await fill(joined)
    heard = joined.pair.client.offset
    joined.pair.server.close()
    joined.pair.client.abort()
    await asyncio.sleep(0.02)
    pieces: list[int] = []
    with pytest.raises(ConnectionResetError):
        await receive(joined.server, pieces)
    assert sum(pieces) == heard
