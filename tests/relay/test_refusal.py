"""What clients get when the model server cannot be reached."""

import asyncio
import json

import pytest

from sidecar.chunk import FROM_CLIENT, Kind
from sidecar.relay.upstream import Upstream
from tests.relay.conftest import Relay

NOBODY = Upstream("127.0.0.1:1", "127.0.0.1", 1)


async def test_an_http_client_gets_a_502_that_names_the_upstream_and_the_reason(relay: Relay) -> None:
    reader, writer = await asyncio.open_connection(*await relay.in_front_of(NOBODY))
    writer.write(b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    answer = await reader.read()
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"Connection: close" in head
    assert "127.0.0.1:1: connection refused" in json.loads(body)["detail"]
    writer.close()


async def test_an_upload_is_not_cut_by_the_502(relay: Relay) -> None:
    address = await relay.in_front_of(NOBODY)
    for _ in range(20):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        await writer.drain()
        assert (await reader.read(12)) == b"HTTP/1.1 502"
        writer.close()


@pytest.mark.parametrize(
    "first", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\n", b"hello\n"]
)
async def test_a_client_of_another_protocol_is_reset(relay: Relay, first: bytes) -> None:
    reader, writer = await asyncio.open_connection(*await relay.in_front_of(NOBODY))
    writer.write(first)
    with pytest.raises(ConnectionResetError):
        await reader.read()


async def test_a_silent_client_is_reset(relay: Relay) -> None:
    reader, _ = await asyncio.open_connection(*await relay.in_front_of(NOBODY))
    with pytest.raises(ConnectionResetError):
        await reader.read()


async def test_a_refusal_is_counted_and_told_with_what_was_asked(relay: Relay) -> None:
    reader, writer = await asyncio.open_connection(*await relay.in_front_of(NOBODY))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read()
    writer.close()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.REFUSED for c in chunks))
    kinds = relay.observer.kinds()
    assert kinds.index(Kind.DATA) < kinds.index(Kind.REFUSED)
    assert relay.observer.bytes_of(FROM_CLIENT).startswith(b"GET / HTTP/1.1")
    assert relay.counters.connect_failures["refused"] == 1


async def test_a_client_that_leaves_without_a_word_still_counts_as_refused(relay: Relay) -> None:
    _, writer = await asyncio.open_connection(*await relay.in_front_of(NOBODY))
    writer.transport.abort()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.REFUSED for c in chunks))


async def test_a_missing_unix_socket_is_a_refusal_too(relay: Relay) -> None:
    upstream = Upstream("unix:/nowhere.sock", path="/nowhere.sock")
    reader, writer = await asyncio.open_connection(*await relay.in_front_of(upstream))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert b"unix:/nowhere.sock" in await reader.read()
    writer.close()
