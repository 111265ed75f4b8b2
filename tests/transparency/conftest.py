"""The same conversation direct and through one real sidecar, which the tests of a module share."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.running import Sidecar, sidecar
from tests.transparency.talk import Step, Transcript, talk


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


class Paths:
    """Two ways to the same upstream port: direct, and through the relay."""

    def __init__(self, upstream: socket.socket, running: Sidecar) -> None:
        self.upstream = upstream
        self.running = running
        self.direct: tuple[str, int] = upstream.getsockname()
        self.relayed = running.address

    @property
    def both(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return self.direct, self.relayed

    @property
    def relay_pid(self) -> int:
        (pid,) = self.running.relay_pids()
        return pid

    async def same(self, client: Sequence[Step], server: Sequence[Step]) -> tuple[Transcript, Transcript]:
        """Play the scripts both ways; the transcripts are equal, and these are they."""
        direct = await talk(self.direct, self.upstream, client, server)
        relayed = await talk(self.relayed, self.upstream, client, server)
        for end, expected, seen in zip(("client", "server"), direct, relayed, strict=True):
            assert seen == expected, f"the {end} saw something else through the relay"
        return relayed

    @asynccontextmanager
    async def serving(self, handler: object) -> AsyncIterator[None]:
        """An asyncio server on the upstream port for as long as the block lasts."""
        listener = self.upstream.dup()
        listener.setblocking(False)
        server = await asyncio.start_server(handler, sock=listener)  # type: ignore[arg-type]
        try:
            yield
        finally:
            server.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """One sidecar, observer and all, for a module; nothing it relayed may have killed a part of it."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as upstream:
        upstream.setblocking(False)
        port = upstream.getsockname()[1]
        with sidecar(tmp_path_factory.mktemp("sidecar"), f"127.0.0.1:{port}") as running:
            relays, observer = running.relay_pids(), running.observer_pid()
            yield Paths(upstream, running)
            assert running.relay_pids() == relays
            assert running.observer_pid() == observer
            assert "Traceback" not in running.said()
