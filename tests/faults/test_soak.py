"""F32: an hour of mixed load leaves the relay as it was after a minute (short form: seconds)."""

import asyncio
import time

from tests.faults.conftest import LONG
from tests.faults.running import descriptors, eventually, resident_bytes, sidecar
from tests.faults.servers import Load, Upstream, ask, cut, post

SECONDS = 3600 if LONG else 8
MEGABYTE = 1024 * 1024


async def test_f32_memory_and_descriptors_are_flat_under_mixed_load(tmp_path, server: Upstream):
    """Keep-alive, one connection a request, large bodies and clients that hang up, all at once."""

    async def round_of_everything() -> None:
        assert (await ask(running.address, post(b"short"))).endswith(b"short")
        body = b"x" * MEGABYTE
        assert (await ask(running.address, post(body))).endswith(body)
        _, writer = await asyncio.open_connection(*running.address)
        writer.write(post(b"never mind")[:-3])
        cut(writer)

    with sidecar(tmp_path, server.name) as running:
        (relay,) = running.relay_pids()
        before = descriptors(relay)
        async with Load(running.address, clients=8) as load:
            end = time.monotonic() + SECONDS
            warm = time.monotonic() + SECONDS / 4
            while time.monotonic() < warm:
                await round_of_everything()
            start = resident_bytes(relay)
            while time.monotonic() < end:
                await round_of_everything()
            assert resident_bytes(relay) - start < 8 * MEGABYTE
        assert load.failures == []
        # The link to the observer may have come up since.
        await eventually(lambda: descriptors(relay) <= before + 1, "all descriptors given back")
