"""Both sides say, pause, end and cut in any order: nothing of their connections may be left behind."""

import asyncio
import contextlib
import random

from tests.relay.conftest import Relay
from tests.relay.test_pair import cut

CONNECTIONS, AT_ONCE = 300, 100


async def anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random) -> None:
    """Up to five whims, then a close."""
    sock = writer.get_extra_info("socket")
    for _ in range(chance.randint(0, 5)):
        whim = chance.choice(("say", "say", "hear", "hear", "end", "wait", "cut"))
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            if whim == "say" and not writer.is_closing():
                writer.write(b"x" * chance.choice((1, 1000, 300_000)))
            elif whim == "hear":
                await asyncio.wait_for(reader.read(70_000), 0.01)
            elif whim == "end" and not writer.is_closing():
                writer.write_eof()
            elif whim == "cut" and sock.fileno() != -1:
                cut(writer)
                return
        await asyncio.sleep(chance.choice((0, 0, 0.001)))
    writer.close()


async def test_whatever_both_sides_do_nothing_is_left_behind(relay: Relay) -> None:
    chance = random.Random(1)

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await anything(reader, writer, chance)

    async def client() -> None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*address)
            await anything(reader, writer, chance)

    address = await relay.in_front_of_handler(upstream)
    for _ in range(CONNECTIONS // AT_ONCE):
        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    async with asyncio.timeout(20):
        while relay.listener.pairs:
            await asyncio.sleep(0.01)
    assert relay.counters.connections == 0
    assert relay.listener._our_ends == {}
    doors, link, alarm = len(relay.listener._doors), 1, 1
    assert len(relay.loop._handlers) == doors + link + alarm
