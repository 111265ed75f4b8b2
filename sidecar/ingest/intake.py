"""The bounded queue between whoever brings exchanges and the observer that reads them, and their counter.

Bringing never waits: what does not fit is dropped and counted. One exchange is read at a time, with the
loop free in between, so that the tee and the scrapes have their turns.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from sidecar import catalog
from sidecar.exchange import Exchange
from sidecar.registry import Registry
from sidecar.wire.limits import MIB

log = logging.getLogger("sidecar")

# A second of small exchanges; the reading of one takes from 0.1 to 10 ms.
MAX_EXCHANGES = 2_000
# As much as the halves that wait to be joined may take.
MAX_BYTES = 16 * MIB
# Memory of an exchange besides its bodies and events.
_EXCHANGE_BYTES = 2_000
_EVENT_BYTES = 150


class Intake:
    """Takes exchanges on the observer's loop and hands them on, in order."""

    def __init__(self, registry: Registry, observe: Callable[[Exchange], None]) -> None:
        self._observe = observe
        self._waiting: deque[tuple[Exchange, int]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._counter = registry.counter(catalog.INGEST_EVENTS)

    def introduce(self, *sources: str) -> None:
        """Have every series of these sources exist."""
        for source in sources:
            for state in catalog.INGEST_STATES:
                self._counter.add(0, source, state)

    def count(self, source: str, state: str, events: int = 1) -> None:
        """Count what became of events."""
        self._counter.add(events, source, state)

    def offer(self, exchange: Exchange) -> bool:
        """Take an exchange if there is room; the caller counts either way."""
        cost = _cost(exchange)
        if len(self._waiting) >= MAX_EXCHANGES or self._bytes + cost > MAX_BYTES:
            return False
        self._waiting.append((exchange, cost))
        self._bytes += cost
        self._arrived.set()
        return True

    async def run(self) -> None:
        """Hand on what comes, until cancelled."""
        while True:
            await self._arrived.wait()
            self._hand_on()
            await asyncio.sleep(0)

    def flush(self) -> None:
        """Hand on everything that waits."""
        while self._waiting:
            self._hand_on()

    def _hand_on(self) -> None:
        if not self._waiting:
            self._arrived.clear()
            return
        exchange, cost = self._waiting.popleft()
        self._bytes -= cost
        try:
            self._observe(exchange)
        except Exception:  # a fault of ours must not end the observation
            log.exception("an exchange that was brought could not be read")


def _cost(exchange: Exchange) -> int:
    events = sum(len(event.data) + _EVENT_BYTES for event in exchange.events)
    fields = (*exchange.request_headers.values(), *exchange.response_headers.values(), exchange.target)
    bodies = len(exchange.request.data) + len(exchange.response.data)
    return bodies + events + sum(map(len, fields)) + _EXCHANGE_BYTES
