"""Taking connections in: all who wait, at the end too, and none that would hurt those who stand."""

import asyncio
import errno
import socket

import pytest

from sidecar import clock
from sidecar.relay.frames import PREFACE
from tests.relay.conftest import Relay
from tests.relay.test_pair import echo


async def test_who_waits_to_be_accepted_when_a_drain_begins_is_served(relay: Relay) -> None:
    address = await relay.in_front_of_handler(echo)
    waiting = [socket.create_connection(address) for _ in range(20)]  # the loop has not turned since
    relay.listener.stop_accepting()
    for sock in waiting:
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"served")
        assert await reader.readexactly(6) == b"served"
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_one_who_has_said_nothing_yet_is_quiet_since_it_came_and_no_longer(relay: Relay) -> None:
    """Else a drain ends it at once, and what it has just said is answered with a reset."""
    before = clock.monotonic()
    _, writer = await asyncio.open_connection(*await relay.in_front_of_handler(echo))
    async with asyncio.timeout(10):
        while not relay.listener.pairs:
            await asyncio.sleep(0)
    (pair,) = relay.listener.pairs.values()
    quiet = pair.quiet_since()
    assert quiet is not None
    assert quiet >= before
    writer.close()


async def test_after_an_upgrade_to_http2_nothing_proves_that_no_stream_is_open(relay: Relay) -> None:
    """A server that pauses in the middle of an answer would otherwise be cut at a drain."""
    reader, writer = await asyncio.open_connection(*await relay.in_front_of_handler(echo))
    for said in (b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", PREFACE):
        writer.write(said)
        assert await reader.readexactly(len(said)) == said
        (pair,) = relay.listener.pairs.values()
        assert (pair.quiet_since() is None) == (said is PREFACE)
    writer.close()


async def test_without_a_descriptor_left_accepting_pauses_and_goes_on(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = socket.socket.accept
    tried = 0

    def fails_first(sock: socket.socket) -> object:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise OSError(errno.EMFILE, "too many open files")
        return accept(sock)

    address = await relay.in_front_of_handler(echo)
    monkeypatch.setattr(socket.socket, "accept", fails_first)
    sock = socket.create_connection(address)
    while not tried:
        await asyncio.sleep(0)
    monkeypatch.setattr(socket.socket, "accept", accept)
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(b"patient")
    assert await reader.readexactly(7) == b"patient"
    writer.close()
