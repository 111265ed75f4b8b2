"""One HTTP/1 connection read from a moment at which it is known to be between two messages.

Pairs what the two sides say. It never guesses: a head that cannot be read or an answer to nothing raises
Unreadable, a lost place is reported, and the caller decides what becomes of the connection.
After an Upgrade to HTTP/2 (RFC 7540, 3.2) its only request goes on as a stream: see `switched`.
The trap: who ends the connection when. A client that closes and one that only half-closes look the same.
"""

from sidecar.chunk import FROM_CLIENT
from sidecar.exchange import BodyProblem, Exchange, Outcome
from sidecar.wire.body import Capture
from sidecar.wire.event_stream import open_stream
from sidecar.wire.head import UNTIL_CLOSE, Unreadable, parse_request, parse_response, upgrades_to_http2
from sidecar.wire.message import INTERIM, MessageReader
from sidecar.wire.pending import Accounts, Ledger, Pending

# Bytes that can begin a method or a status line. Anything else is not HTTP/1 and need not be buffered.
_METHOD_START = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_STATUS_START = ord("H")
_JSON = "application/json"


class Http1:
    """Exchanges of one connection. They appear in `ledger.done`; whoever feeds takes them from there."""

    __slots__ = ("_answers", "_garbled", "_left", "_requests", "ledger")

    def __init__(self, connection: int, route: str, accounts: Accounts) -> None:
        self.ledger = Ledger(connection, route, accounts)
        self._requests = _Requests(self.ledger)
        self._answers = _Answers(self.ledger)
        self._left: Outcome | None = None
        """What becomes of an unanswered request, by who ended its side first."""
        self._garbled = False
        """The client's side cannot be read any more; answers to what it said before still can."""

    def data(self, direction: int, data: bytes, time: float) -> None:
        """Read bytes of one side. Raises Unreadable when nothing more can be made of the connection."""
        if direction == FROM_CLIENT:
            try:
                self._requests.feed(data, time)
            except Unreadable:
                self._give_up_requests()
                if not self.ledger.pending:
                    raise
        else:
            self._answers.feed(data, time)
            if self._garbled and not self.ledger.pending:
                raise Unreadable

    def gap(self, direction: int, length: int, until: float) -> bool:
        """Step over bytes that were not copied; False if the place is lost."""
        reader = self._requests if direction == FROM_CLIENT else self._answers
        return reader.skip(length, until)

    def end(self, direction: int, time: float) -> None:
        """One side will send no more."""
        if direction == FROM_CLIENT:
            # A half-close after a complete request is legal: wait for the answer.
            self._left = self._left or Outcome.CLIENT_CLOSED
            self.settle(time)
            return
        self._answers.end_of_stream(time)
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
        """End every pending request, and read no further."""
        self.ledger.abandon(outcome)
        self._requests.stop()
        self._answers.stop()

    def settle(self, answered_before: float) -> None:
        """Complete a request that was answered up to then though its own body has not ended."""
        pending = self.ledger.pending
        if pending and pending[0].answered and (pending[0].response_last or 0.0) <= answered_before:
            self._requests.leave()
            self.ledger.complete(pending[0])

    @property
    def answered_early(self) -> bool:
        """An answer has ended before its request has."""
        pending = self.ledger.pending
        return bool(pending) and pending[0].answered

    @property
    def tunnel(self) -> bool:
        """The two sides have agreed to speak something else."""
        return not self.ledger.readable and self._answers.stopped

    @property
    def switched(self) -> bool:
        """The two sides have agreed to speak HTTP/2; see `hand_over`."""
        return self._answers.after_switch is not None

    def hand_over(self) -> tuple[Pending, bytes]:
        """The request that HTTP/2 is to answer, and what the server has said of that; read no further."""
        after = self._answers.after_switch or b""
        self._requests.stop()
        self._answers.stop()
        return self.ledger.hand_over(), after

    @property
    def idle(self) -> bool:
        """Both sides are between two messages and nothing is pending."""
        return not self.ledger.pending and self._requests.between and self._answers.between

    @property
    def awaits_answer(self) -> bool:
        """A request has been made whole and its answer has not ended: it is the server's turn."""
        return bool(self.ledger.pending) and self._requests.between

    def take(self) -> list[Exchange]:
        """The exchanges completed since the last call."""
        ledger = self.ledger
        done = ledger.done
        if done:
            ledger.done = []
            return done
        return []

    def remaining(self, direction: int) -> int:
        """How many of the next bytes of a side are known to be body."""
        return self._requests.remaining if direction == FROM_CLIENT else self._answers.remaining

    def body_wanted(self, direction: int) -> bool:
        """Whether anybody reads the body that is coming."""
        return self._requests.body_wanted if direction == FROM_CLIENT else self._answers.body_wanted

    @property
    def held(self) -> bytes:
        """What the client has said of a head that has not ended."""
        return self._requests.held

    def request_begun(self) -> float | None:
        """When a request began whose head has not ended."""
        return self._requests.first if self._requests.inside_head else None

    def _server_left(self, cut: Outcome) -> None:
        pending = self.ledger.pending
        self._left = self._left or Outcome.UPSTREAM_RESET
        if pending and self._answers.inside_head:
            pending[0].response_first = pending[0].response_last = self._answers.first
        if pending and pending[0].response_first is not None and self._left is not Outcome.CLIENT_CLOSED:
            self.ledger.abandon_first(cut)
        self.ledger.abandon(self._left)
        self._requests.leave()
        self._answers.stop()

    def _give_up_requests(self) -> None:
        self._garbled = True
        self._requests.stop()
        pending = self.ledger.pending
        if pending and not pending[-1].requested:
            self.ledger.abandon_last(Outcome.UNOBSERVED)


class _Side(MessageReader):
    """What both sides have in common: the request that is being spoken of."""

    __slots__ = ("_current", "_ledger")

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger.accounts.limits, ledger.accounts.heads)
        self._ledger = ledger
        self._current: Pending | None = None

    def _capture(self, length: int, streamed: bool = False) -> Capture:
        accounts = self._ledger.accounts
        limit = accounts.limits.stream_bytes if streamed else accounts.limits.capture_bytes
        capture = Capture(limit, accounts.bodies)
        if length > limit:
            capture.fail(BodyProblem.TOO_LARGE)
        return capture

    def _add(self, capture: Capture | None, data: bytes) -> None:
        if capture is not None:
            capture.add(data)
            if capture.problem is not None:
                self._ledger.notable = True


class _Requests(_Side):
    """What the client says."""

    __slots__ = ()

    @property
    def body_wanted(self) -> bool:
        current = self._current
        return current is not None and (current.request is None or current.request.problem is None)

    def leave(self) -> None:
        """The request being read is over, though its body may still be coming."""
        self._current = None

    def _check_start(self, byte: int) -> None:
        if byte not in _METHOD_START:
            raise Unreadable

    def _on_head(self, head: bytes, time: float) -> int:
        method, target, headers, length = parse_request(head)
        pending = Pending(method, target, headers, self.first, time, len(head))
        ledger = self._ledger
        if not ledger.open(pending):
            raise Unreadable
        self._current = pending
        if length:
            pending.request = self._capture(length)
        return length

    def _on_body(self, data: bytes, time: float) -> None:
        pending = self._current
        if pending is not None:
            pending.request_last = time
            self._add(pending.request, data)

    def _on_lost_body(self, length: int, until: float) -> None:
        pending = self._current
        if pending is not None:
            pending.request_last = until
            if pending.request is not None:
                pending.request.miss(length)

    def _on_end(self, time: float) -> None:
        pending = self._current
        if pending is None:
            return
        self._current = None
        pending.request_last = time
        pending.requested = True
        if pending.answered:
            self._ledger.complete(pending)
        elif pending.method == "CONNECT":
            # What follows may be a tunnel already.
            self.stop()


class _Answers(_Side):
    """What the server says."""

    __slots__ = ("after_switch",)

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.after_switch: bytes | None = None
        """What came after a change to HTTP/2, of the same read; None without one."""

    @property
    def body_wanted(self) -> bool:
        current = self._current
        if current is None or current.response is None:
            return True
        return current.response.problem is None or (current.stream is not None and not current.stream.stopped)

    def _check_start(self, byte: int) -> None:
        if byte != _STATUS_START:
            raise Unreadable

    def _on_head(self, head: bytes, time: float) -> int:
        status, headers, length = parse_response(head)
        ledger = self._ledger
        if not ledger.pending or ledger.pending[0].answered:
            raise Unreadable
        if status < 200 and status != 101:
            return INTERIM
        pending = self._current = ledger.pending[0]
        if status == 101 and self._switches(pending, head):
            return UNTIL_CLOSE
        pending.status, pending.response_headers = status, headers
        pending.response_first, pending.response_last = self.first, time
        if status == 101 or pending.method == "CONNECT":
            ledger.readable = False
        if status == 101:
            pending.requested = True
        if _has_no_body(pending.method, status):
            return 0
        if length == 0:
            return 0
        content_type = headers.get("content-type", _JSON)
        # Most answers are JSON: no need to ask what a stream of it would look like.
        if content_type != _JSON:
            pending.stream = open_stream(
                content_type,
                headers.get("content-encoding"),
                ledger.accounts.limits,
                ledger.accounts.bodies,
            )
        pending.response = self._capture(length, pending.stream is not None)
        return length

    def _switches(self, pending: Pending, head: bytes) -> bool:
        """Whether it is HTTP/2 from here on. Before its end a request cannot go on as a stream of that."""
        ledger = self._ledger
        if not pending.requested or len(ledger.pending) > 1 or not upgrades_to_http2(head):
            return False
        self.after_switch, ledger.readable, ledger.notable = b"", False, True
        return True

    def _on_body(self, data: bytes, time: float) -> None:
        pending = self._current
        assert pending is not None
        if self.after_switch is not None:
            self.after_switch += data
            return
        pending.response_last = time
        self._add(pending.response, data)
        if pending.stream is not None:
            pending.stream.feed(data, time)

    def _on_lost_body(self, length: int, until: float) -> None:
        pending = self._current
        assert pending is not None
        pending.response_last = until
        if pending.response is not None:
            pending.response.miss(length)
        if pending.stream is not None:
            pending.stream.stop()

    def _on_end(self, time: float) -> None:
        pending = self._current
        assert pending is not None
        self._current = None
        pending.response_last = time
        pending.answered = True
        if not self._ledger.readable:
            self._ledger.notable = True
            self.stop()
        if pending.requested:
            self._ledger.complete(pending)
        else:
            self._ledger.notable = True


def _has_no_body(method: str, status: int) -> bool:
    """What the fields of an answer cannot say: RFC 9112, 6.3, points 1 and 2."""
    return status in (101, 204, 304) or method == "HEAD" or (method == "CONNECT" and status < 300)
