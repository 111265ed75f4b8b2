"""Every way in beside the relay that the configuration asks for, behind one queue.

Runs in the observer's process and on its loop. What is not asked for is not imported.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from sidecar.address import Address
from sidecar.exchange import Exchange
from sidecar.ingest.intake import Intake
from sidecar.registry import Registry

log = logging.getLogger("sidecar")

_NAMES = ("CloudEvents", "Envoy's external processing")


class Ingesting:
    """The servers of `ingest`; nothing at all when neither address is given."""

    def __init__(
        self,
        registry: Registry,
        observe: Callable[[Exchange], None],
        cloudevents: Address | None,
        ext_proc: Address | None,
    ) -> None:
        self._registry = registry
        self._observe = observe
        self._addresses = (cloudevents, ext_proc)
        self._intake: Intake | None = None
        self._running: asyncio.Task[None] | None = None
        self._servers: list[Any] = []

    @property
    def ports(self) -> list[int]:
        """The ports really bound, in the order cloudevents, ext_proc."""
        return [server.port for server in self._servers]

    @property
    def addresses(self) -> list[str]:
        """What is taken where, for people."""
        named = zip(_NAMES, self._addresses, strict=True)
        return [f"{name} on {address}" for name, address in named if address is not None]

    async def start(self) -> None:
        """Listen. Raises SidecarError when an address cannot be had."""
        cloudevents, ext_proc = self._addresses
        if cloudevents is None and ext_proc is None:
            return
        self._intake = Intake(self._registry, self._observe)
        if cloudevents is not None:
            await self._serve(_NAMES[0], _cloudevents(self._intake, cloudevents))
        if ext_proc is not None:
            await self._serve(_NAMES[1], _ext_proc(self._intake, ext_proc))
        self._running = asyncio.get_running_loop().create_task(self._intake.run())

    async def stop(self) -> None:
        """Listen no more, and hand on what waits."""
        for server in self._servers:
            await server.stop()
        if self._running is not None:
            self._running.cancel()
        if self._intake is not None:
            self._intake.flush()

    async def _serve(self, what: str, server: Any) -> None:
        await server.start()
        self._servers.append(server)
        address = server.address
        where = address if address.is_unix else Address(address.host, server.port)
        log.info("taking %s on %s", what, where)


def _cloudevents(intake: Intake, address: Address) -> Any:
    from sidecar.ingest.cloudevents import CloudEvents, Sink

    return CloudEvents(Sink(intake), address)


def _ext_proc(intake: Intake, address: Address) -> Any:
    from sidecar.ingest.ext_proc import ExtProc  # loads grpc, some 9 MB

    return ExtProc(intake, address)
