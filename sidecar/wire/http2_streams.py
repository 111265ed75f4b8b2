"""Streams of one HTTP/2 connection that have been opened and not ended, and the exchanges they become.

A stream is one request and its answer. How a gRPC call ended is in its trailers, not in its status; and a
deadline that passes looks on the wire like a client that lost interest.
"""

import re
from collections.abc import Collection

from sidecar.exchange import (
    NOTHING_LEFT_OUT,
    Exchange,
    Outcome,
    Timings,
    grpc_code,
    outcome_of_grpc,
    outcome_of_status,
)
from sidecar.wire.grpc_messages import Messages
from sidecar.wire.http2_headers import Fields
from sidecar.wire.pending import Accounts, Pending, bodies_of, events_of

# The error codes of RFC 9113, 7 that say no more than "not wanted any more".
_NOT_WANTED = frozenset((0x0, 0x8))
CANCEL = 0x8
# Clients round the time left up when they say it (gRPC C-core by up to 1 %), and the call may have waited in
# the client before it was sent. Who gives up after nine tenths of the deadline has waited long enough, too.
_DEADLINE_SHARE = 0.9
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# Counters of messages and a place in the table of streams, besides what `Pending` takes.
_STREAM_BYTES = 600


class Stream(Pending):
    """One request, and as much of its answer as has come."""

    __slots__ = ("answers", "asked", "deadline", "grpc", "grpc_status", "id", "interleaved", "unseen")

    def __init__(self, id: int, fields: Fields | None, first: float, last: float) -> None:
        said = fields or _NOT_SEEN
        size = _STREAM_BYTES + len(said.target) + sum(map(len, said.kept.values()))
        super().__init__(said.method, said.target, said.kept, first, last, size)
        self.id = id
        self.grpc = is_grpc(said.kept.get("content-type", ""))
        self.deadline = first + seconds_of(said.grpc_timeout) * _DEADLINE_SHARE
        """When a client may have run out of patience; never, if it named no deadline."""
        self.grpc_status = ""
        self.asked = Messages()
        self.answers = Messages()
        self.interleaved = False
        """An answer's message came before the request had ended: they talk."""
        self.unseen = fields is None
        """A header block of it could not be read."""

    @property
    def streamed(self) -> bool:
        """Whether it is not one question and one answer."""
        if not self.grpc:
            return self.stream is not None
        return self.interleaved or max(self.asked.count, self.answers.count) > 1

    @property
    def outcome(self) -> Outcome:
        """How it ended, its answer being complete."""
        if self.unseen or self.status is None:
            return Outcome.UNOBSERVED
        if self.grpc_status:
            return outcome_of_grpc(self.grpc_status)
        if self.grpc and self.status == 200:
            return Outcome.TRUNCATED
        return outcome_of_status(self.status)

    def trailed(self, fields: Fields) -> None:
        """The answer's last fields, which may be its only ones."""
        if self.grpc and fields.grpc_status:
            self.grpc_status = grpc_code(fields.grpc_status)


_NOT_SEEN = Fields("", "", None, {}, "", "")


def is_grpc(content_type: str) -> bool:
    """Whether a content type is gRPC's. gRPC-Web is another: its trailers are in the body."""
    return content_type.startswith("application/grpc") and content_type[16:17] in ("", "+", ";")


def seconds_of(timeout: str) -> float:
    """A `grpc-timeout` in seconds; infinite if there is none."""
    match = _TIMEOUT.fullmatch(timeout) if timeout else None
    return int(match[1]) * _UNIT_SECONDS[match[2]] if match else float("inf")


class Streams:
    """The open streams of one connection. What `Ledger` is for HTTP/1, with any order of answers."""

    __slots__ = (
        "_last_id", "_open", "_refused_after", "accounts", "connection", "done", "early", "notable", "route",
        "used",
    )  # fmt: skip

    def __init__(self, connection: int, route: str, accounts: Accounts) -> None:
        self.connection = connection
        self.route = route
        self.accounts = accounts
        self.done: list[Exchange] = []
        self.early: dict[int, Stream] = {}
        """Those that were answered before their request has ended."""
        self.notable = False
        """A body that nobody wants, or an answer before its request has ended: somebody should look."""
        self.used = False
        """Both sides speak HTTP/2, as far as we can tell."""
        self._open: dict[int, Stream] = {}
        self._last_id = 0
        self._refused_after: int | None = None

    @property
    def pending(self) -> Collection[Stream]:
        """All that are open."""
        return self._open.values()

    def get(self, id: int) -> Stream | None:
        """An open stream."""
        return self._open.get(id)

    def is_new(self, id: int) -> bool:
        """Whether a client's headers with this identifier begin a request (RFC 9113, 5.1.1)."""
        return id & 1 == 1 and id > self._last_id

    def open(self, stream: Stream) -> None:
        """Add a request. One for which there is no room is counted at once, and not followed."""
        self._last_id = stream.id
        accounts = self.accounts
        if len(self._open) >= accounts.limits.streams or not accounts.heads.take(stream.cost):
            self.done.append(self._exchange(stream, Outcome.UNOBSERVED))
            return
        self._open[stream.id] = stream
        if self._refused_after is not None and stream.id > self._refused_after:
            self.end(stream, Outcome.UPSTREAM_RESET)

    def requested(self, stream: Stream, time: float) -> None:
        """The request has come to its end."""
        stream.request_last = time
        stream.requested = True
        if stream.answered:
            self.complete(stream)

    def answered(self, stream: Stream, time: float) -> None:
        """The answer has come to its end."""
        stream.response_last = time
        stream.answered = True
        if stream.requested:
            self.complete(stream)
        else:
            self.early[stream.id] = stream
            self.notable = True

    def complete(self, stream: Stream) -> None:
        """The answer has ended, and so has the request, or nobody waits for it any more."""
        self.end(stream, stream.outcome)

    def reset(self, stream: Stream, outcome: Outcome, error: int | None, time: float) -> None:
        """One side ended the stream alone; `outcome` is what that makes of it while it is unanswered."""
        if stream.answered:
            self.complete(stream)
            return
        if stream.grpc and error in _NOT_WANTED:
            if time >= stream.deadline:
                stream.grpc_status, outcome = "DEADLINE_EXCEEDED", Outcome.SERVER_ERROR
            elif outcome is Outcome.CLIENT_CLOSED:
                stream.grpc_status = "CANCELLED"
        self.end(stream, outcome)

    def refuse(self, after: int) -> None:
        """The server will not answer streams after this one (GOAWAY)."""
        if self._refused_after is not None and after >= self._refused_after:
            return
        self._refused_after = after
        for stream in [stream for stream in self._open.values() if stream.id > after]:
            self.abandon(stream, Outcome.UPSTREAM_RESET)

    def abandon_all(self, outcome: Outcome) -> None:
        """Nothing more will be known of any."""
        for stream in list(self._open.values()):
            self.abandon(stream, outcome)

    def abandon(self, stream: Stream, outcome: Outcome) -> None:
        """Nothing more will be known of it. A complete answer keeps its own outcome."""
        self.end(stream, stream.outcome if stream.answered else outcome)

    def end(self, stream: Stream, outcome: Outcome) -> None:
        """Make the exchange of a stream."""
        del self._open[stream.id]
        self.early.pop(stream.id, None)
        self.accounts.heads.give_back(stream.cost)
        self.done.append(self._exchange(stream, Outcome.UNOBSERVED if stream.unseen else outcome))
        # A frame of it may still be coming: nobody takes it.
        stream.requested = stream.answered = True

    def _exchange(self, stream: Stream, outcome: Outcome) -> Exchange:
        events = [] if stream.stream is None else events_of(stream, stream.stream)
        request, response = bodies_of(stream, outcome, self.accounts.limits)
        return Exchange(
            self.connection,
            "http2",
            stream.method,
            stream.target,
            Timings(stream.first, stream.request_last, stream.response_first, stream.response_last),
            outcome,
            stream.status,
            self.route,
            stream.headers,
            stream.response_headers,
            request,
            response,
            stream.streamed,
            events,
            stream.grpc_status,
            NOTHING_LEFT_OUT if stream.stream is None else stream.stream.left_out,
        )
