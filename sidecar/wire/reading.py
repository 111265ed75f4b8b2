"""One connection, and how it is being read: from the relay's chunks to exchanges.

It is in one of four states: it is read (`Http1`, `Http2`), it is lost and being found again (`Resync`), it is
blind for good (unreadable, or another protocol), or it is over and waits for its CLOSE.
The trap: a connection shows what it speaks with its first bytes only, and either side may come first.
"""

from sidecar.chunk import FROM_CLIENT, FROM_SERVER
from sidecar.exchange import Exchange, Outcome, Timings
from sidecar.wire.head import Unreadable
from sidecar.wire.http1 import Http1
from sidecar.wire.http2 import Http2
from sidecar.wire.http2_frames import PREFACE
from sidecar.wire.pending import Accounts
from sidecar.wire.resync import Resync


class Reading:
    """One connection. Most of ten thousand of these are idle: keep it small."""

    __slots__ = ("accounts", "client_at", "http", "id", "over", "protocol", "resync", "route", "server_at")

    def __init__(
        self,
        id: int,
        route: str,
        offsets: tuple[int, int],
        accounts: Accounts,
        time: float,
        frames: tuple[int, int] | None = None,
    ) -> None:
        """`offsets` is where each side stands; `frames` where its next HTTP/2 frame begins, if it has any."""
        self.id = id
        self.route = route
        self.accounts = accounts
        self.client_at, self.server_at = offsets
        self.protocol = "unknown"
        self.over = False
        self.http: Http1 | Http2 | None = None
        self.resync: Resync | None = None
        if offsets == (0, 0):
            self.http = Http1(id, route, accounts)
        elif frames is not None:
            skips = frames[0] - offsets[0], frames[1] - offsets[1]
            self.http = Http2.joined(id, route, accounts, skips)
        else:
            self.resync = Resync(id, route, accounts, time)

    def data(self, direction: int, offset: int, data: bytes, time: float) -> list[Exchange]:
        """Read bytes."""
        expected = self.client_at if direction == FROM_CLIENT else self.server_at
        if offset != expected:
            # Frames of the tee are never repeated: whatever this is, the place is not where we thought.
            return self.gap(direction, expected, offset - expected, time) + self.data(
                direction, offset, data, time
            )
        if direction == FROM_CLIENT:
            self.client_at = offset + len(data)
        else:
            self.server_at = offset + len(data)
        http = self.http
        if http is None:
            return self._find(direction, data, time)
        try:
            http.data(direction, data, time)
        except Unreadable as problem:
            return self._unreadable(http, problem, direction, data, time)
        return http.take()

    def switch(self, http1: Http1, time: float) -> list[Exchange]:
        """Go on in HTTP/2 with the request that HTTP/1 has handed over."""
        request, said = http1.hand_over()
        self.protocol = "http2"
        http = self.http = Http2(self.id, self.route, self.accounts)
        http.begin_with(request)
        try:
            http.data(FROM_SERVER, said, time)
        except Unreadable as problem:
            return self._unreadable(http, problem, FROM_SERVER, said, time)
        return http.take()

    def gap(self, direction: int, offset: int, length: int, until: float) -> list[Exchange]:
        """`length` bytes from `offset` on were not copied; a negative length is a jump backwards."""
        expected = self.client_at if direction == FROM_CLIENT else self.server_at
        stays = offset + length - expected if length >= 0 else -1
        if direction == FROM_CLIENT:
            self.client_at = offset + length
        else:
            self.server_at = offset + length
        if self.resync is not None:
            self.resync.gap(direction, until)
        if self.http is None or stays == 0:
            return []
        if stays > 0 and self.http.gap(direction, stays, until):
            return self.http.take()
        return self._lose(self.http, direction, until)

    def end(self, direction: int, time: float) -> list[Exchange]:
        """One side will send no more."""
        if self.http is None:
            return []
        self.http.end(direction, time)
        return self.http.take()

    def reset(self, direction: int) -> list[Exchange]:
        """One side cut the connection."""
        if self.http is None:
            return []
        self.http.reset(direction)
        return self.http.take()

    def close(self) -> list[Exchange]:
        """Both sides are over."""
        self.over = True
        if self.resync is not None:
            self.resync.drop()
            self.resync = None
        if self.http is None:
            return []
        self.http.close()
        return self.http.take()

    def refused(self, time: float) -> list[Exchange]:
        """The upstream could not be reached."""
        if self.over:
            return []
        http = self.http
        begun = None if http is None else http.request_begun()
        done = [] if http is None else self._abandon(http, Outcome.UPSTREAM_UNREACHABLE)[:1]
        self.close()
        if done:
            return done
        return [self._nameless(time if begun is None else begun, Outcome.UPSTREAM_UNREACHABLE)]

    def unobserved(self) -> list[Exchange]:
        """Nothing more will be seen of this connection."""
        done = [] if self.http is None else self._abandon(self.http, Outcome.UNOBSERVED)
        self.close()
        return done

    @property
    def state(self) -> tuple[str, str]:
        """Its labels in `sidecar_connections`."""
        http = self.http
        if http is None:
            return ("observed" if self.over else "blind", self.protocol)
        if isinstance(http, Http2):
            return "blind" if http.blind else "observed", "http2"
        return "observed", "http1" if http.ledger.used else self.protocol

    def _find(self, direction: int, data: bytes, time: float) -> list[Exchange]:
        resync = self.resync
        if resync is None:
            return []
        self.http = resync.feed(direction, data, time)
        if self.http is None:
            return []
        self.resync = None
        return [self._nameless(time, Outcome.UNOBSERVED) for _ in range(resync.thrown_away)]

    def _lose(self, http: Http1 | Http2, direction: int, time: float) -> list[Exchange]:
        if http.ledger.used:
            self.protocol = "http2" if isinstance(http, Http2) else "http1"
        self.http = None
        if isinstance(http, Http1):
            self.resync = Resync(self.id, self.route, self.accounts, time, lockstep=not http.ledger.pipelined)
            self.resync.gap(direction, time)
        # In HTTP/2 nothing shows where a frame begins, nor what the tables of header fields hold now.
        return self._abandon(http, Outcome.UNOBSERVED)

    def _unreadable(
        self, http: Http1 | Http2, problem: Unreadable, direction: int, data: bytes, time: float
    ) -> list[Exchange]:
        """Another protocol: HTTP/2 if it begins like that, else blind for good."""
        if problem.http2 and not http.ledger.used:
            self.protocol = "http2"
        elif http.ledger.used:
            self.protocol = "http2" if isinstance(http, Http2) else "http1"
        self.http = self._http2(http, problem, direction, data)
        was_http1 = isinstance(http, Http1) and http.ledger.used
        done = self._abandon(http, Outcome.UNOBSERVED)
        if self.http is None:
            # What a client goes on to say after HTTP/1 is a request, even if it cannot be read.
            lost = was_http1 and direction == FROM_CLIENT and not done
            return [self._nameless(time, Outcome.UNOBSERVED)] if lost else done
        try:
            self.http.data(direction, data, time)
        except Unreadable as unreadable:
            return done + self._unreadable(self.http, unreadable, direction, data, time)
        return done + self.http.take()

    def _http2(self, http: Http1 | Http2, problem: Unreadable, direction: int, data: bytes) -> Http2 | None:
        """A reader of HTTP/2 if these bytes begin it. A server need not wait for the client's preface."""
        if isinstance(http, Http2) or http.ledger.used:
            return None
        if direction == FROM_CLIENT:
            said = self.client_at - len(data)
            begins = problem.http2 and said < len(PREFACE)
        else:
            said = self.client_at
            begins = self.server_at == len(data) and data[0] == 0 and http.held == PREFACE[:said]
        return Http2(self.id, self.route, self.accounts, said) if begins else None

    def _nameless(self, first: float, outcome: Outcome) -> Exchange:
        """An exchange of which nothing is known but that it began."""
        return Exchange(self.id, "unknown", "", "", Timings(first), outcome, route=self.route)

    def _abandon(self, http: Http1 | Http2, outcome: Outcome) -> list[Exchange]:
        http.abandon(outcome)
        return http.take()
