"""The copy never hurts: bounded, lossy, and honest about what it lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.relay.frames import PREFACE
from sidecar.sockets import unix_name
from tests.relay.conftest import Relay
from tests.relay.test_pair import echo


def seen_bytes(relay: Relay, direction: int) -> int:
    """Bytes the observer can account for: copied, or said to be missing."""
    chunks = [c for c in relay.observer.chunks if c.direction == direction]
    return sum(len(c.data) + c.length for c in chunks if c.kind in (Kind.DATA, Kind.GAP))


async def talk(relay: Relay, pieces: int, size: int) -> None:
    reader, writer = await asyncio.open_connection(*relay.address)
    for _ in range(pieces):
        writer.write(b"x" * size)
        await reader.readexactly(size)
    writer.write_eof()
    await reader.read()
    writer.close()


@pytest.fixture
async def tight(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay whose tee has little room, in front of an echo."""
    relay = Relay(tmp_path, budget=256 * 1024)
    await relay.observer.start()
    relay.tee.connect()
    await relay.in_front_of_handler(echo)
    yield relay
    await relay.stop()


async def test_an_observer_that_does_not_read_costs_a_gap_and_no_traffic(tight: Relay) -> None:
    tight.observer.reading.clear()
    await talk(tight, pieces=200, size=20_000)
    assert tight.counters.bytes == [4_000_000, 4_000_000]
    assert tight.counters.dropped_bytes["observer_behind"] > 0
    tight.observer.reading.set()
    await tight.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert any(c.kind is Kind.GAP for c in tight.observer.chunks)
    assert seen_bytes(tight, FROM_CLIENT) == seen_bytes(tight, FROM_SERVER) == 4_000_000


async def test_large_chunks_are_dropped_before_small_ones(tight: Relay) -> None:
    tight.observer.reading.clear()
    await talk(tight, pieces=100, size=20_000)
    lost = tight.counters.dropped_bytes["observer_behind"]
    assert lost > 0
    await talk(tight, pieces=100, size=100)
    assert tight.counters.dropped_bytes["observer_behind"] == lost
    tight.observer.reading.set()


async def test_short_of_room_the_copy_of_http2_loses_payloads_and_never_the_place(tmp_path: Path) -> None:
    relay = Relay(tmp_path, budget=256 * 1024)
    await relay.observer.start()
    relay.tee.connect()
    await relay.in_front_of_handler(swallow)
    relay.observer.reading.clear()
    large = (100_000).to_bytes(3, "big") + bytes([0, 0, 0, 0, 0, 1]) + b"d" * 100_000
    heads = (20).to_bytes(3, "big") + bytes([1, 4, 0, 0, 0, 3]) + b"h" * 20
    _, writer = await asyncio.open_connection(*relay.address)
    writer.write(PREFACE + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    for _ in range(40):
        writer.write(large + heads)
        await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):
        while relay.counters.connections:  # all of it has passed
            await asyncio.sleep(0)
    relay.observer.reading.set()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert relay.counters.dropped_bytes["observer_behind"] > 1_000_000
    assert relay.observer.bytes_of(FROM_CLIENT).count(b"h" * 20) == 40
    assert seen_bytes(relay, FROM_CLIENT) == len(PREFACE) + 9 + 40 * (len(large) + len(heads))
    await relay.stop()


async def test_an_http2_connection_is_announced_with_the_place_of_its_next_frames(relay: Relay) -> None:
    await relay.in_front_of_handler(echo_settings)
    reader, writer = await asyncio.open_connection(*relay.address)
    writer.write(PREFACE + (10).to_bytes(3, "big") + bytes([0, 0, 0, 0, 0, 1]) + b"half")
    await reader.readexactly(9)
    await relay.observer.until(lambda chunks: len([c for c in chunks if c.kind is Kind.DATA]) == 2)
    await relay.observer.stop()
    relay.observer.chunks.clear()
    await relay.observer.start()
    opened = await relay.observer.until(lambda chunks: [c for c in chunks if c.kind is Kind.OPEN])
    assert opened[0].meta["offsets"] == [len(PREFACE) + 9 + 4, 9]
    assert opened[0].meta["frames"] == [len(PREFACE) + 9 + 10, 9]
    writer.close()


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
    writer.close()


async def echo_settings(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(len(PREFACE))
    writer.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    await reader.read()
    writer.close()


async def test_a_gap_carries_its_place_its_length_and_the_times_of_both_ends(tight: Relay) -> None:
    tight.observer.reading.clear()
    await talk(tight, pieces=200, size=20_000)
    tight.observer.reading.set()
    await tight.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    offset = {FROM_CLIENT: 0, FROM_SERVER: 0}
    for chunk in tight.observer.chunks:
        if chunk.kind in (Kind.DATA, Kind.GAP):
            assert chunk.offset == offset[chunk.direction]
            offset[chunk.direction] += len(chunk.data) + chunk.length
        if chunk.kind is Kind.GAP:
            assert 0 < chunk.time <= chunk.until


async def test_traffic_that_comes_while_the_observer_starts_is_kept_for_it(tmp_path: Path) -> None:
    relay = Relay(tmp_path, budget=256 * 1024)
    relay.tee.connect()
    await relay.in_front_of_handler(echo)
    await talk(relay, pieces=10, size=1000)
    await relay.observer.start()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert relay.observer.kinds()[0] is Kind.OPEN
    assert relay.observer.bytes_of(FROM_CLIENT) == relay.observer.bytes_of(FROM_SERVER) == b"x" * 10_000
    assert relay.counters.dropped_bytes.total() == 0
    await relay.stop()


async def test_without_an_observer_traffic_goes_on_and_the_loss_is_counted(relay: Relay) -> None:
    await relay.in_front_of_handler(echo)
    await talk(relay, pieces=1, size=1000)
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    await relay.observer.stop()
    async with asyncio.timeout(10):
        while relay.tee._socket is not None:
            await asyncio.sleep(0)
    await talk(relay, pieces=10, size=1000)
    assert relay.counters.dropped_bytes["observer_down"] == 20_000
    assert relay.counters.dropped_chunks["observer_down"] > 0
    await relay.observer.start()


async def test_an_observer_that_comes_later_hears_of_open_connections_and_their_offsets(
    tight: Relay,
) -> None:
    reader, writer = await asyncio.open_connection(*tight.address)
    writer.write(b"12345")
    await reader.readexactly(5)
    await tight.observer.until(lambda chunks: len([c for c in chunks if c.kind is Kind.DATA]) == 2)
    await tight.observer.stop()
    tight.observer.chunks.clear()
    await tight.observer.start()
    opened = await tight.observer.until(lambda chunks: [c for c in chunks if c.kind is Kind.OPEN])
    assert opened[0].meta["offsets"] == [5, 5]
    assert opened[0].meta["new"] is False
    writer.write(b"678")
    await reader.readexactly(3)
    await tight.observer.until(lambda chunks: [c for c in chunks if c.kind is Kind.DATA])
    assert [c.offset for c in tight.observer.chunks if c.kind is Kind.DATA] == [5, 5]
    writer.close()


async def test_a_restarted_observer_is_found_again(relay: Relay) -> None:
    await relay.in_front_of_handler(echo)
    await talk(relay, pieces=1, size=10)
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    await relay.observer.stop()
    relay.observer.chunks.clear()
    await relay.observer.start()
    await relay.observer.until(lambda chunks: any(c.kind is Kind.HELLO for c in chunks))
    await talk(relay, pieces=1, size=10)
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert relay.observer.bytes_of(FROM_CLIENT) == b"x" * 10


async def test_what_a_broken_link_still_held_is_counted_as_lost(tmp_path: Path) -> None:
    relay = Relay(tmp_path, budget=1024 * 1024)
    await relay.observer.start()
    relay.tee.connect()
    await relay.in_front_of_handler(echo)
    relay.observer.reading.clear()  # fills the socket, then a half-sent batch, then the queue
    await talk(relay, pieces=30, size=20_000)
    assert relay.tee._sending
    assert relay.tee._queue
    await relay.observer.stop()
    async with asyncio.timeout(10):
        while relay.tee._socket is not None:
            await asyncio.sleep(0)
    # All but what the socket and the reader had taken was lost, and is said to be.
    assert relay.counters.dropped_bytes["observer_down"] > 400_000
    await relay.observer.start()
    relay.observer.reading.set()
    await relay.stop()


async def test_the_observer_is_found_where_sockets_have_no_file(tmp_path: Path) -> None:
    relay = Relay(tmp_path, budget=256 * 1024)
    relay.tee._path = f"@test-{tmp_path.name}-{id(relay)}"
    relay.observer.path = unix_name(relay.tee._path)
    await relay.observer.start()
    relay.tee.connect()
    await relay.in_front_of_handler(echo)
    await talk(relay, pieces=1, size=10)
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    await relay.stop()


async def test_bytes_the_observer_does_not_want_are_skipped_and_counted(relay: Relay) -> None:
    await relay.in_front_of_handler(echo)
    reader, writer = await asyncio.open_connection(*relay.address)
    writer.write(b"a")
    await reader.readexactly(1)
    first = await relay.observer.until(lambda chunks: [c for c in chunks if c.kind is Kind.DATA])
    relay.observer.say(Chunk(Kind.SKIP, first[0].connection, FROM_CLIENT, offset=1_000_000))
    async with asyncio.timeout(10):
        while relay.listener.pairs[first[0].connection].client.skip_until == 0:
            await asyncio.sleep(0)
    writer.write(b"b" * 1000)
    await reader.readexactly(1000)
    writer.write_eof()
    await reader.read()
    assert relay.counters.dropped_bytes["skipped"] == 1000
    assert relay.counters.dropped_chunks["observer_behind"] == 0
    await relay.observer.until(lambda chunks: any(c.kind is Kind.CLOSE for c in chunks))
    assert seen_bytes(relay, FROM_CLIENT) == 1001
    writer.close()


async def test_an_answer_tells_first_what_is_missing_of_its_request(relay: Relay) -> None:
    """Else a skipped upload on a connection that then idles would seem to go on, and its times be wrong."""
    await relay.in_front_of_handler(echo)
    reader, writer = await asyncio.open_connection(*relay.address)
    writer.write(b"a")
    await reader.readexactly(1)
    first = await relay.observer.until(lambda chunks: [c for c in chunks if c.kind is Kind.DATA])
    relay.observer.say(Chunk(Kind.SKIP, first[0].connection, FROM_CLIENT, offset=1_000_000))
    async with asyncio.timeout(10):
        while relay.listener.pairs[first[0].connection].client.skip_until == 0:
            await asyncio.sleep(0)
    writer.write(b"b" * 1000)
    await reader.readexactly(1000)
    await relay.observer.until(lambda chunks: relay.observer.bytes_of(FROM_SERVER) == b"a" + b"b" * 1000)
    assert seen_bytes(relay, FROM_CLIENT) == 1001
    assert relay.observer.kinds()[3] is Kind.GAP
    writer.close()


async def test_a_storm_of_connections_against_a_stalled_observer_stays_within_bounds(tmp_path: Path) -> None:
    relay = Relay(tmp_path, budget=64 * 1024)
    await relay.observer.start()
    relay.tee.connect()
    await relay.in_front_of_handler(echo)
    relay.observer.reading.clear()
    for _ in range(60):
        await asyncio.gather(*(talk(relay, pieces=1, size=100) for _ in range(50)))
    assert relay.tee._queued < 2 * 1024 * 1024
    assert relay.counters.bytes == [300_000, 300_000]
    relay.observer.reading.set()
    await relay.stop()
