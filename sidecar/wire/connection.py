"""All connections: from the relay's chunks to exchanges. Passive, like a packet analyser; no I/O.

How one connection is read is in `reading`; here is which there are, what they may cost together, and what
the relay is told.
The trap: nothing may be guessed. What a gap touched is `unobserved`, and stays so.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.exchange import Exchange
from sidecar.wire.http1 import Http1
from sidecar.wire.http2 import Http2
from sidecar.wire.limits import Limits
from sidecar.wire.pending import Accounts
from sidecar.wire.reading import Reading

__all__ = ["Limits", "OpenExchange", "Skip", "Wire"]

# A relay worker numbers its connections from its own id in the bits above these.
WORKER_SHIFT = 40
# A server may answer before it has read the last chunk's end; a client that has its answer and is still
# sending after this long is uploading to nobody, and its exchange has waited long enough.
EARLY_ANSWER_SECONDS = 2.0
# A hint costs a frame and the relay's attention: worth it for more than one read of its socket.
_SKIP_WORTH_BYTES = 64 * 1024
_FOR_EVER = 2**63 - 1
# Hints are advice: if nobody fetches them, the oldest connections have gone on without.
_MAX_HINTS = 10_000
_MAX_ROUTE_CHARS = 256

_DATA = Kind.DATA


@dataclass(frozen=True, slots=True)
class OpenExchange:
    """A request whose answer has not ended. `since`: monotonic seconds of its first byte."""

    method: str
    target: str
    request_headers: Mapping[str, str]
    since: float
    route: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A hint for the relay: nothing of this direction before `offset` interests us."""

    connection: int
    direction: int
    offset: int


class Wire:
    """Rebuilds exchanges from chunks. Single-threaded; never raises, whatever the chunks say."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._accounts = Accounts(limits)
        self._connections: dict[int, Reading] = {}
        self._early: set[int] = set()
        self._hints: list[Skip] = []
        # Where the last hint for a side of a connection pointed to, so that none is given twice.
        self._hinted: dict[tuple[int, int], int] = {}

    def feed(self, chunk: Chunk) -> list[Exchange]:
        """Take a chunk; return the exchanges it completed, in the order of their completion."""
        connection = self._connections.get(chunk.connection)
        if chunk.kind is not _DATA:
            return self._feed_event(chunk, connection)
        if connection is None:
            connection = self._open(chunk, {})
            if connection is None:
                return []
        direction = chunk.direction
        done = connection.data(direction, chunk.offset, chunk.data, chunk.time)
        http = connection.http
        if http is None:
            self._skip_for_ever(connection)
        elif http.ledger.notable:
            if isinstance(http, Http1) and http.switched:
                done += connection.switch(http, chunk.time)
            else:
                self._note(connection, http, direction)
        return done

    def tick(self, now: float) -> list[Exchange]:
        """Time passed: complete exchanges that were answered while their request goes on and on."""
        done: list[Exchange] = []
        for id in list(self._early):
            connection = self._connections.get(id)
            http = None if connection is None else connection.http
            if http is not None:
                http.settle(now - EARLY_ANSWER_SECONDS)
                done += http.take()
            if http is None or not http.answered_early:
                self._early.discard(id)
        return done

    def link_lost(self, worker: int, now: float) -> list[Exchange]:
        """The tee link of a worker broke: forget its connections, they will be announced anew."""
        done: list[Exchange] = []
        for id in [id for id in self._connections if id >> WORKER_SHIFT == worker]:
            done += self._connections[id].unobserved()
            self._forget(id)
        return done

    def open_exchanges(self) -> Iterator[OpenExchange]:
        """Requests whose answer has not ended, in no particular order."""
        for connection in self._connections.values():
            if connection.http is not None:
                for pending in connection.http.ledger.pending:
                    if not pending.answered:
                        yield OpenExchange(
                            pending.method, pending.target, pending.headers, pending.first, connection.route
                        )

    def connections(self) -> Counter[tuple[str, str]]:
        """How many connections there are now, by (state "observed" or "blind", protocol)."""
        return Counter(connection.state for connection in self._connections.values())

    def wanted(self) -> list[Skip]:
        """Hints for the relay that have come up since the last call."""
        hints, self._hints = self._hints, []
        return hints

    @property
    def captured_bytes(self) -> int:
        """Memory held for bodies, events and heads of open exchanges."""
        return self._accounts.bodies.used + self._accounts.heads.used

    def _feed_event(self, chunk: Chunk, connection: Reading | None) -> list[Exchange]:
        kind, time = chunk.kind, chunk.time
        if kind is Kind.OPEN:
            done = [] if connection is None else connection.unobserved()
            self._forget(chunk.connection)
            self._open(chunk, chunk.meta)
            return done
        if kind is Kind.REFUSED:
            return (connection or Reading(chunk.connection, "", (0, 0), self._accounts, time)).refused(time)
        if kind is Kind.GAP:
            connection = connection or self._open(chunk, {})
        if connection is None:
            return []
        if kind is Kind.GAP:
            done = connection.gap(chunk.direction, chunk.offset, chunk.length, chunk.until)
            if connection.http is not None and connection.http.ledger.notable:
                self._note(connection, connection.http, chunk.direction)
            return done
        if kind is Kind.END:
            return connection.end(chunk.direction, time)
        if kind is Kind.RESET:
            return connection.reset(chunk.direction)
        if kind is Kind.CLOSE:
            self._forget(chunk.connection)
            return connection.close()
        return []

    def _open(self, chunk: Chunk, meta: Mapping[str, Any]) -> Reading | None:
        if len(self._connections) >= self._accounts.limits.connections:
            return None
        route = str(meta.get("route", ""))[:_MAX_ROUTE_CHARS]
        offsets = _pair(meta.get("offsets")) or (0, 0)  # the beginning if the announcement does not say
        frames = _pair(meta.get("frames"))
        if frames is not None and (frames[0] < offsets[0] or frames[1] < offsets[1]):
            frames = None
        connection = Reading(chunk.connection, route, offsets, self._accounts, chunk.time, frames)
        self._connections[chunk.connection] = connection
        return connection

    def _forget(self, id: int) -> None:
        self._connections.pop(id, None)
        self._early.discard(id)
        self._hinted.pop((id, FROM_CLIENT), None)
        self._hinted.pop((id, FROM_SERVER), None)

    def _skip_for_ever(self, connection: Reading) -> None:
        if connection.resync is None:
            self._hint(connection.id, FROM_CLIENT, _FOR_EVER)
            self._hint(connection.id, FROM_SERVER, _FOR_EVER)

    def _note(self, connection: Reading, http: Http1 | Http2, direction: int) -> None:
        http.ledger.notable = False
        if http.tunnel:
            connection.http, connection.protocol = None, "http1"
            self._skip_for_ever(connection)
            return
        if http.answered_early:
            self._early.add(connection.id)
        remaining = http.remaining(direction)
        if remaining >= _SKIP_WORTH_BYTES and not http.body_wanted(direction):
            at = connection.client_at if direction == FROM_CLIENT else connection.server_at
            self._hint(connection.id, direction, at + remaining)

    def _hint(self, id: int, direction: int, offset: int) -> None:
        if self._hinted.get((id, direction)) != offset and len(self._hints) < _MAX_HINTS:
            self._hinted[id, direction] = offset
            self._hints.append(Skip(id, direction, offset))


def _pair(numbers: object) -> tuple[int, int] | None:
    """Two numbers, one for each side."""
    if isinstance(numbers, list) and len(numbers) == 2:
        client, server = numbers
        if isinstance(client, int) and isinstance(server, int):
            return client, server
    return None
