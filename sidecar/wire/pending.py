"""Requests of one connection that have been seen and not been answered to the end.

The n-th answer belongs to the n-th request; this is the only place that knows.
"""

from dataclasses import dataclass, field

from sidecar.exchange import (
    NOTHING_LEFT_OUT,
    BodyProblem,
    CapturedBody,
    Exchange,
    Outcome,
    StreamEvent,
    Timings,
    outcome_of_status,
)
from sidecar.wire.body import Capture
from sidecar.wire.event_stream import EventStream
from sidecar.wire.limits import Budget, Limits

# Memory of an open exchange besides its head: the objects, their slots, the dictionary of fields.
_OPEN_BYTES = 600


@dataclass(slots=True)
class Accounts:
    """What all connections of one reader share."""

    limits: Limits
    bodies: Budget = field(init=False)
    heads: Budget = field(init=False)

    def __post_init__(self) -> None:
        self.bodies = Budget(self.limits.total_bytes)
        self.heads = Budget(self.limits.total_head_bytes)


class Pending:
    """One request, and as much of its answer as has come."""

    __slots__ = (
        "answered", "cost", "first", "headers", "method", "request", "request_last", "requested", "response",
        "response_first", "response_headers", "response_last", "status", "stream", "target",
    )  # fmt: skip

    def __init__(
        self, method: str, target: str, headers: dict[str, str], first: float, last: float, size: int
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.first = first
        self.request_last = last
        self.cost = size + _OPEN_BYTES
        self.request: Capture | None = None
        self.requested = False
        """The request has come to its end."""
        self.status: int | None = None
        self.response_headers: dict[str, str] = {}
        self.response_first: float | None = None
        self.response_last: float | None = None
        self.response: Capture | None = None
        self.stream: EventStream | None = None
        self.answered = False
        """The answer has come to its end."""


class Ledger:
    """The pending requests of one connection in order, and the exchanges that came out of them."""

    __slots__ = (
        "accounts",
        "connection",
        "done",
        "notable",
        "pending",
        "pipelined",
        "readable",
        "route",
        "used",
    )

    def __init__(self, connection: int, route: str, accounts: Accounts) -> None:
        self.connection = connection
        self.route = route
        self.accounts = accounts
        self.pending: list[Pending] = []
        self.done: list[Exchange] = []
        self.pipelined = False
        """A request began before the one before it was answered."""
        self.notable = False
        """A body that nobody wants, or an answer before its request has ended: somebody should look."""
        self.used = False
        """A request has been read: this is HTTP/1."""
        self.readable = True
        """False from the moment the two sides speak something else: after CONNECT or an Upgrade."""

    def open(self, pending: Pending) -> bool:
        """Add a request; False if there is no room for it."""
        depth = len(self.pending)
        if depth:
            self.pipelined = True
        if depth >= self.accounts.limits.pipelined or not self.accounts.heads.take(pending.cost):
            return False
        self.pending.append(pending)
        self.used = True
        return True

    def complete(self, pending: Pending) -> None:
        """Both sides have come to their end."""
        assert pending.status is not None
        self._close(pending, outcome_of_status(pending.status))

    def abandon(self, outcome: Outcome) -> None:
        """Nothing more will be known of the pending requests. A complete answer keeps its own outcome."""
        while self.pending:
            self.abandon_first(outcome)

    def abandon_first(self, outcome: Outcome) -> None:
        """Nothing more will be known of the oldest."""
        self._abandon(self.pending[0], outcome)

    def abandon_last(self, outcome: Outcome) -> None:
        """Nothing more will be known of the youngest."""
        self._abandon(self.pending[-1], outcome)

    def hand_over(self) -> Pending:
        """The youngest request, which goes on elsewhere."""
        pending = self.pending.pop()
        self.accounts.heads.give_back(pending.cost)
        return pending

    def _abandon(self, pending: Pending, outcome: Outcome) -> None:
        if pending.answered:
            self.complete(pending)
        else:
            self._close(pending, outcome)

    def _close(self, pending: Pending, outcome: Outcome) -> None:
        self.pending.remove(pending)
        self.accounts.heads.give_back(pending.cost)
        self.done.append(self._exchange(pending, outcome))

    def _exchange(self, pending: Pending, outcome: Outcome) -> Exchange:
        events = [] if pending.stream is None else events_of(pending, pending.stream)
        request, response = bodies_of(pending, outcome, self.accounts.limits)
        return Exchange(
            self.connection,
            "http1",
            pending.method,
            pending.target,
            Timings(pending.first, pending.request_last, pending.response_first, pending.response_last),
            outcome,
            pending.status,
            self.route,
            pending.headers,
            pending.response_headers,
            request,
            response,
            pending.stream is not None,
            events,
            left_out=NOTHING_LEFT_OUT if pending.stream is None else pending.stream.left_out,
        )


def bodies_of(pending: Pending, outcome: Outcome, limits: Limits) -> tuple[CapturedBody, CapturedBody]:
    """The two bodies as decoders see them; what they held of the budget is given back."""
    request_problem = response_problem = None
    if not pending.requested:
        request_problem = _why(outcome)
    if not pending.answered and pending.status is not None:
        response_problem = _why(outcome)
    return (
        _body(pending.request, pending.headers, request_problem, limits),
        _body(pending.response, pending.response_headers, response_problem, limits),
    )


def _why(outcome: Outcome) -> BodyProblem:
    return BodyProblem.GAP if outcome is Outcome.UNOBSERVED else BodyProblem.CUT


def events_of(pending: Pending, stream: EventStream) -> list[StreamEvent]:
    """The events of a streamed answer; the memory is no longer the stream's."""
    whole = pending.answered and (pending.response is None or pending.response.problem is not BodyProblem.GAP)
    return stream.finish(pending.response_last or pending.first, whole)


def _body(
    capture: Capture | None, headers: dict[str, str], problem: BodyProblem | None, limits: Limits
) -> CapturedBody:
    if capture is None:
        return CapturedBody(b"", 0, problem)
    if problem is not None:
        capture.fail(problem)
    return capture.finish(headers.get("content-encoding"), limits)
