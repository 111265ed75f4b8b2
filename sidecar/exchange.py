"""One request and its response, as seen on the wire: bytes and times, not meaning.

`wire` and `ingest` make exchanges; decoders say what they mean. An exchange is complete when it is
made: it never changes afterwards, except that a decoder may find an error inside a 200.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How an exchange ended. A closed set; docs/metrics says what counts as what."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_RESET = "upstream_reset"
    CLIENT_CLOSED = "client_closed"
    TRUNCATED = "truncated"
    UNOBSERVED = "unobserved"


class BodyProblem(StrEnum):
    """Why the bytes of a body cannot be read, though it may have been counted and timed."""

    GAP = "gap"  # the tee lost part of it
    TOO_LARGE = "too_large"  # past the capture limit
    BAD_ENCODING = "bad_encoding"  # bytes that are not what their content coding says
    UNKNOWN_ENCODING = "unknown_encoding"  # a content coding we do not read
    EXPANDS_TOO_MUCH = "expands_too_much"  # past the budget of decoded bytes: a bomb, or close to one
    CUT = "cut"  # the sender stopped short of what it promised


@dataclass(slots=True)
class CapturedBody:
    """A body without its framing and its content coding, as far as it was kept.

    `data` is whole if `problem` is None; otherwise it is what was kept before the problem.
    `size` counts the bytes of the body as transferred (after chunked framing, before decoding).
    """

    data: bytes = b""
    size: int = 0
    problem: BodyProblem | None = None


@dataclass(slots=True)
class Timings:
    """Monotonic seconds at which the relay had the first and last byte of each side in hand."""

    request_first: float
    request_last: float | None = None
    response_first: float | None = None
    response_last: float | None = None

    @property
    def duration(self) -> float | None:
        """Last request byte to last response byte, in seconds; None unless both were seen.

        Never negative: an answer that began before the upload ended counts from its own first byte.
        """
        if self.request_last is None or self.response_last is None:
            return None
        return max(self.response_last - self.request_last, 0.0)

    @property
    def time_to_first_byte(self) -> float | None:
        """Last request byte to first response byte, in seconds; None unless both were seen."""
        if self.request_last is None or self.response_first is None:
            return None
        return max(self.response_first - self.request_last, 0.0)

    @property
    def last(self) -> float:
        """The latest of the four."""
        latest = self.request_first
        for time in (self.request_last, self.response_first, self.response_last):
            if time is not None and time > latest:
                latest = time
        return latest


@dataclass(slots=True)
class StreamEvent:
    """One message of a streamed response: an SSE event's data, or a line of NDJSON."""

    time: float
    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is known of the events of a stream that were not kept: a run of them, in the middle or at the end.

    They came behind the first `after` of those kept. `times` has one for each, in order, unless there were
    too many. `to_the_end` says that the last one kept is the last one there was.
    """

    after: int = 0
    count: int = 0
    times: Sequence[float] = ()
    to_the_end: bool = True


NOTHING_LEFT_OUT = LeftOut()


@dataclass(slots=True)
class Exchange:
    """One request and its response (or a stream of messages).

    `target` is the request target as sent; header names are lower case and only those that `wire`
    keeps are here (never credentials). `code` is how the answer called itself, "" when none began.
    `streamed` is a response that is a stream by nature, whose events are in `events`, of a long one the first
    and the last (see `left_out`); for gRPC it is a call with more than one message either way. `grpc_status`
    is the name of a gRPC code, "" elsewhere.
    """

    connection: int
    transport: str
    method: str
    target: str
    timings: Timings
    outcome: Outcome
    status: int | None = None
    route: str = ""
    request_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    request: CapturedBody = field(default_factory=CapturedBody)
    response: CapturedBody = field(default_factory=CapturedBody)
    streamed: bool = False
    events: list[StreamEvent] = field(default_factory=list)
    grpc_status: str = ""
    left_out: LeftOut = NOTHING_LEFT_OUT

    @property
    def code(self) -> str:
        """The name of the gRPC code, else the HTTP status, as a label value; "" when no answer began."""
        if self.grpc_status:
            return self.grpc_status
        return "" if self.status is None else str(self.status)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.split("?", 1)[0]


def outcome_of_status(status: int) -> Outcome:
    """The outcome of a complete HTTP answer. 408 and 429 are the server's: they are about capacity."""
    if status < 400:
        return Outcome.OK
    if status >= 500 or status in (408, 429):
        return Outcome.SERVER_ERROR
    return Outcome.CLIENT_ERROR


# In the order of their numbers: grpc/grpc, doc/statuscodes.md.
GRPC_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_GRPC_CLIENT_ERRORS = frozenset((
    "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED",
    "FAILED_PRECONDITION", "OUT_OF_RANGE",
))  # fmt: skip


def grpc_code(number: str) -> str:
    """The name of a gRPC code as its trailer says it; what is none of the seventeen is UNKNOWN."""
    if number.isascii() and number.isdigit() and len(number) <= 2 and int(number) < len(GRPC_CODES):
        return GRPC_CODES[int(number)]
    return "UNKNOWN"


def outcome_of_grpc(code: str) -> Outcome:
    """The outcome of a gRPC call that the server ended with this code.

    CANCELLED is the server's here: a client that cancels says so itself, and no code comes back.
    """
    if code == "OK":
        return Outcome.OK
    return Outcome.CLIENT_ERROR if code in _GRPC_CLIENT_ERRORS else Outcome.SERVER_ERROR
