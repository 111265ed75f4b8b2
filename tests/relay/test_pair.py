"""Both ends see exactly what they would have seen without the relay."""

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Kind
from tests.relay.conftest import Handler, Relay


def cut(writer: asyncio.StreamWriter) -> None:
    """End with a reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_bytes_pass_verbatim_both_ways_and_the_observer_gets_a_copy(relay: Relay) -> None:
    reader, writer = await asyncio.open_connection(*await relay.in_front_of_handler(echo))
    writer.write(b"\x00not HTTP at all\xff\r\n")
    writer.write_eof()
    assert await reader.read() == b"\x00not HTTP at all\xff\r\n"
    writer.close()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert relay.observer.bytes_of(FROM_CLIENT) == relay.observer.bytes_of(FROM_SERVER)
    assert relay.observer.kinds()[0] is Kind.OPEN
    assert relay.observer.kinds().count(Kind.END) == 2


async def test_what_a_client_says_before_its_upstream_stands_arrives_first(relay: Relay) -> None:
    address = await relay.in_front_of_handler(echo)
    for _ in range(50):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"first ")
        writer.write(b"second")
        writer.write_eof()
        assert await reader.read() == b"first second"
        writer.close()


async def test_an_upstream_may_go_on_answering_after_the_client_said_its_last_word(relay: Relay) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client's end
        writer.write(b"answer after your end")
        writer.close()

    reader, writer = await asyncio.open_connection(*await relay.in_front_of_handler(late))
    writer.write_eof()
    assert await reader.read() == b"answer after your end"
    writer.close()


async def test_an_upstream_that_ends_first_leaves_the_client_able_to_send(relay: Relay) -> None:
    heard = asyncio.get_running_loop().create_future()

    async def ends_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        heard.set_result(await reader.read())
        writer.close()

    reader, writer = await asyncio.open_connection(*await relay.in_front_of_handler(ends_first))
    assert await reader.read() == b""
    writer.write(b"still here")
    writer.write_eof()
    assert await heard == b"still here"
    writer.close()


async def test_a_reset_by_the_upstream_is_a_reset_for_the_client(relay: Relay) -> None:
    async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"half an ans")
        await writer.drain()
        cut(writer)

    reader, writer = await asyncio.open_connection(*await relay.in_front_of_handler(cuts))
    writer.write(b"x")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.RESET for c in chunks))


def watching(seen: asyncio.Future[type[Exception]]) -> Handler:
    """An upstream that says how the connection ended."""

    async def watches(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(100)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            seen.set_result(type(error))

    return watches


async def test_a_reset_by_the_client_reaches_the_upstream(relay: Relay) -> None:
    seen = asyncio.get_running_loop().create_future()
    _, writer = await asyncio.open_connection(*await relay.in_front_of_handler(watching(seen)))
    writer.write(b"x")
    await relay.observer.until(lambda chunks: any(c.kind is Kind.DATA for c in chunks))
    cut(writer)
    assert await seen is ConnectionResetError


async def stands_still(value: Callable[[], int]) -> None:
    """Wait until `value` has not changed for a while."""
    before = -1
    async with asyncio.timeout(20):
        while value() != before:
            before = value()
            for _ in range(200):
                await asyncio.sleep(0.001)


async def test_a_client_that_does_not_read_stops_the_upstream_and_not_our_memory(relay: Relay) -> None:
    sent = 0

    async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.transport.set_write_buffer_limits(high=0)
        while sent < 200 * 1024 * 1024:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    reader, writer = await asyncio.open_connection(*await relay.in_front_of_handler(floods), limit=1024)
    await stands_still(lambda: sent)
    pair = next(iter(relay.listener.pairs.values()))
    assert sent < 100 * 1024 * 1024
    assert len(pair.client.waiting) < 1024 * 1024
    writer.transport.abort()
    assert reader is not None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(min_size=1, max_size=3000), max_size=8))
async def test_any_bytes_in_any_pieces_come_back_as_they_went(relay: Relay, pieces: list[bytes]) -> None:
    if not relay.address[1]:
        await relay.in_front_of_handler(echo)
    reader, writer = await asyncio.open_connection(*relay.address)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
    assert await reader.read() == b"".join(pieces)
    writer.close()
