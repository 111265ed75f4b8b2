"""What fails where nothing should costs one connection, which is cut and forgotten; others are served."""

import asyncio
import errno
import socket
from collections.abc import Callable

import pytest

from sidecar.relay.loop import WRITABLE
from sidecar.relay.pair import Pair
from sidecar.relay.upstream import Dial, Place
from tests.relay.conftest import Relay
from tests.relay.test_pair import echo
from tests.relay.test_side import Joined, cut, joined, receive

__all__ = ["joined"]


def once(method: Callable[..., object]) -> Callable[..., object]:
    """The first call fails."""
    calls = 0

    def fails_first(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("ours")
        return method(*arguments, **named)

    return fails_first


def watched(relay: Relay) -> int:
    return len(relay.loop._handlers)


@pytest.mark.parametrize(
    ("where", "method"), [(Pair, "opened"), (Dial, "start"), (Pair, "join"), (socket.socket, "getpeername")]
)
async def test_a_fault_while_a_connection_is_made_ends_it_and_no_other(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, where: type, method: str
) -> None:
    address = await relay.in_front_of_handler(echo)
    before = watched(relay)
    first = socket.create_connection(address)
    first.setblocking(False)
    monkeypatch.setattr(where, method, once(getattr(where, method)))
    with pytest.raises(ConnectionResetError):
        await asyncio.get_running_loop().sock_recv(first, 1)
    monkeypatch.undo()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"served")
    assert await reader.readexactly(6) == b"served"
    writer.close()
    async with asyncio.timeout(10):
        while relay.listener.pairs:
            await asyncio.sleep(0)
    assert (relay.counters.connections, relay.listener._our_ends, watched(relay)) == (0, {}, before)
    assert [str(fault) for fault in relay.loop.faults] == ["ours"]
    relay.loop.faults.clear()


async def test_a_fault_does_not_keep_a_drain_from_closing_every_door(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = [await relay.in_front_of_handler(echo) for _ in range(2)]
    waiting = [socket.create_connection(door) for door in doors]
    monkeypatch.setattr(Pair, "opened", once(Pair.opened))
    relay.listener.stop_accepting()
    for door in doors:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(door)
    for sock in waiting:
        sock.close()
    relay.loop.faults.clear()


async def test_a_fault_on_the_way_out_does_not_leave_the_socket_behind(joined: Joined) -> None:
    def fails(_data: bytes) -> None:
        raise ValueError("ours")

    joined.pair.client.pause()
    joined.client.sendall(b"last words")
    await asyncio.sleep(0)
    cut(joined.client)
    joined.pair.client.sink = fails
    joined.pair.client._end(ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        await receive(joined.server)
    await joined.gone()
    assert [str(fault) for fault in joined.loop.faults] == ["ours"]


async def test_who_is_cut_off_by_us_sees_no_end(joined: Joined) -> None:
    """A body without a length would seem to be whole."""
    joined.pair.abort()
    for sock in (joined.client, joined.server):
        with pytest.raises(ConnectionResetError):
            await receive(sock)


@pytest.mark.parametrize(
    "place", [(int(socket.AF_UNIX), "/" + "x" * 200), (int(socket.AF_INET6), ("fe80::1%gone", 80, 0, 0))]
)
async def test_an_address_that_is_none_is_an_attempt_that_failed(relay: Relay, place: Place) -> None:
    failed: list[OSError] = []
    Dial(relay.loop, [place], 1.0, lambda sock: sock.close(), failed.append).start()
    assert len(failed) == 1


async def test_an_event_meant_for_another_socket_is_not_taken_for_an_answer(relay: Relay) -> None:
    """Descriptors are given out again within one turn of the loop, and what was ready in it may be gone."""
    silent = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(silent.getsockname())
    reached: list[socket.socket] = []
    failed: list[OSError] = []
    places = [(int(socket.AF_INET), silent.getsockname())]
    dial = Dial(relay.loop, places, 0.1, reached.append, failed.append)
    dial.start()
    dial._writable(WRITABLE)
    assert (reached, failed) == ([], [])
    async with asyncio.timeout(10):
        while not failed:
            await asyncio.sleep(0.01)
    assert isinstance(failed[0], TimeoutError)
    for sock in (silent, *fillers):
        sock.close()


async def test_a_connection_to_itself_is_nobody(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may give the port that nobody listens on to whoever tries to reach it."""

    def itself(dial: Dial) -> None:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        dial._stand(sock)

    address = await relay.in_front_of_handler(echo)
    monkeypatch.setattr(Dial, "start", itself)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"connection refused" in await reader.read()
    assert relay.counters.connect_failures["refused"] == 1
    writer.close()


async def test_a_link_that_finds_no_descriptor_is_tried_again(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_arguments: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    relay.tee._lose_link()
    monkeypatch.setattr(socket, "socket", none_left)
    relay.tee.connect()
    monkeypatch.undo()
    async with asyncio.timeout(10):
        while relay.tee._socket is None:
            await asyncio.sleep(0.01)
