"""One HTTP/2 connection read from its beginning (RFC 9113): gRPC, and HTTP that prefers it.

Streams are told apart by their numbers, so what is lost of one does not touch another, as long as frames
and header blocks can be followed. It never guesses: what cannot be followed raises Unreadable or is said
by `blind`, and the caller decides what becomes of the connection.
The trap: who ends what when. A stream, a direction and the connection can each end, by either side.
"""

from sidecar.chunk import FROM_CLIENT
from sidecar.exchange import Exchange, Outcome
from sidecar.wire.http2_frames import PREFACE
from sidecar.wire.http2_headers import Fields
from sidecar.wire.http2_sides import Answers, Requests
from sidecar.wire.http2_streams import Stream, Streams
from sidecar.wire.pending import Accounts, Pending


class Http2:
    """Exchanges of one connection. They appear in `ledger.done`; whoever feeds takes them from there."""

    __slots__ = ("_answers", "_left", "_requests", "ledger")

    # HTTP/2 has no moment from which its own framing ends, and a request is known once its head is whole.
    tunnel = False

    def __init__(self, connection: int, route: str, accounts: Accounts, client_said: int = 0) -> None:
        """`client_said`: how many bytes of its preface the client has sent already."""
        self.ledger = Streams(connection, route, accounts)
        self._requests = Requests(self.ledger, PREFACE[client_said:])
        self._answers = Answers(self.ledger)
        self._requests.peer, self._answers.peer = self._answers, self._requests
        self._left: Outcome | None = None
        """What becomes of an unanswered request, by who ended its side first."""

    @classmethod
    def joined(cls, connection: int, route: str, accounts: Accounts, skips: tuple[int, int]) -> "Http2":
        """A connection that went on without us. The next frames begin after `skips` bytes of each side.

        What its header blocks refer to is not known: its streams are counted and timed, and it is blind.
        """
        http = cls(connection, route, accounts)
        for side, skip in zip((http._requests, http._answers), skips, strict=True):
            side.join(skip)
            side.blocks.lose()
        return http

    def begin_with(self, request: Pending) -> None:
        """A request made in HTTP/1 before both changed to HTTP/2: its stream 1 (RFC 7540, 3.2)."""
        fields = Fields(request.method, request.target, None, request.headers, "", "")
        stream = Stream(1, fields, request.first, request.request_last)
        stream.request, stream.requested = request.request, True
        self.ledger.open(stream)

    def data(self, direction: int, data: bytes, time: float) -> None:
        """Read bytes of one side. Raises Unreadable when nothing more can be made of the connection."""
        (self._requests if direction == FROM_CLIENT else self._answers).feed(data, time)

    def gap(self, direction: int, length: int, until: float) -> bool:
        """Step over bytes that were not copied; False if the place is lost."""
        return (self._requests if direction == FROM_CLIENT else self._answers).skip(length, until)

    def end(self, direction: int, time: float) -> None:
        """One side will send no more."""
        if direction == FROM_CLIENT:
            self._left = self._left or Outcome.CLIENT_CLOSED
        else:
            self._server_left(Outcome.TRUNCATED)

    def reset(self, direction: int) -> None:
        """One side cut the connection."""
        if direction == FROM_CLIENT:
            self.close()
        else:
            self._server_left(Outcome.UPSTREAM_RESET)

    def close(self) -> None:
        """The connection is over."""
        self.abandon(self._left or Outcome.CLIENT_CLOSED)

    def abandon(self, outcome: Outcome) -> None:
        """End every open stream, and read no further."""
        self.ledger.abandon_all(outcome)
        for side in (self._requests, self._answers):
            side.stop()

    def settle(self, answered_before: float) -> None:
        """Complete requests that were answered up to then though their own bodies have not ended."""
        for stream in list(self.ledger.early.values()):
            if (stream.response_last or 0.0) <= answered_before:
                self.ledger.complete(stream)

    @property
    def answered_early(self) -> bool:
        """An answer has ended before its request has."""
        return bool(self.ledger.early)

    @property
    def blind(self) -> bool:
        """Streams are still counted, but what they say is not known any more, on one side at least."""
        return self._requests.blocks.lost or self._answers.blocks.lost

    def take(self) -> list[Exchange]:
        """The exchanges completed since the last call."""
        done, self.ledger.done = self.ledger.done, []
        return done

    def remaining(self, direction: int) -> int:
        """How many of the next bytes of a side are known to be body."""
        side = self._requests if direction == FROM_CLIENT else self._answers
        return side.remaining if side.inside_data else 0

    def body_wanted(self, direction: int) -> bool:
        """Whether anybody reads the body that is coming."""
        return (self._requests if direction == FROM_CLIENT else self._answers).body_wanted

    def request_begun(self) -> float | None:
        """When a request began whose head has not ended: not worth knowing here."""
        return None

    def _server_left(self, cut: Outcome) -> None:
        self._left = self._left or Outcome.UPSTREAM_RESET
        for stream in list(self.ledger.pending):
            begun = stream.response_first is not None and self._left is not Outcome.CLIENT_CLOSED
            self.ledger.abandon(stream, cut if begun else self._left)
        self._answers.stop()
