"""What an exchange meant: which model, which rows of features, which predictions.

Column-wise: a feature is a name and one value per row, so that monitors fold many rows at once. A
decoder makes one of these for every exchange that *is* inference, also when it cannot read the
payload; then `undecoded` says why, and the columns of the side that could not be read are empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy.typing as npt

UNKNOWN = "unknown"

# The value of a row in which the feature is absent altogether, as opposed to a JSON null (None).
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING", "__slots__": ()})()


# One value per row.
# Named in quotes: the catalogue is read by processes that never load numpy, 15 MB.
Values: TypeAlias = "Sequence[Any] | npt.NDArray[Any]"


class Operation(StrEnum):
    """What was asked of the model. A closed set: it is a metric label."""

    PREDICT = "predict"
    EXPLAIN = "explain"
    GENERATE = "generate"
    CHAT = "chat"
    EMBED = "embed"
    RERANK = "rerank"
    OTHER = "other"


class Undecoded(StrEnum):
    """Why the payload of an inference could not be read. A closed set: it is a metric label."""

    BODY_GAP = "body_gap"
    BODY_TOO_LARGE = "body_too_large"
    BODY_ENCODING = "body_encoding"
    BODY_CUT = "body_cut"
    EMPTY_BODY = "empty_body"
    NOT_JSON = "not_json"
    NOT_PROTOBUF = "not_protobuf"
    TOO_DEEP = "too_deep"
    NOT_CSV = "not_csv"
    CONTENT_TYPE = "content_type"
    SHAPE = "shape"
    NO_ROWS = "no_rows"
    TOO_MANY_ROWS = "too_many_rows"
    TOO_WIDE = "too_wide"
    STREAM = "stream"
    OVERLOAD = "overload"
    INTERNAL = "internal"


class ModelRef(NamedTuple):
    """A model's name and version as far as the traffic says; "" where it does not.

    A tuple, because it is also the labels of every series of a model.
    """

    name: str = ""
    version: str = ""


@dataclass(slots=True)
class Column:
    """One feature or one output: a value per row.

    `values` is a list of what the payload held (numbers, strings, booleans, None for null, MISSING,
    lists for nested values) or a one-dimensional numpy array. `vectors` [rows, dimensions] is what a norm
    is of, while its inference is looked at; nobody keeps it.
    """

    name: str
    values: Values
    vectors: "npt.NDArray[Any] | None" = field(default=None, repr=False, compare=False)


class End(StrEnum):
    """How a generated answer ended. A closed set: it is a metric label."""

    STOP = "stop"  # the model had said what it had to say
    LENGTH = "length"  # no more tokens were allowed
    TOOL = "tool"  # it asks for a tool to be called
    FILTER = "filter"  # it was withheld, or refused
    TRUNCATED = "truncated"  # the server stopped short of what the protocol promises
    ERROR = "error"  # the server said that it failed
    CLIENT_CLOSED = "client_closed"  # nobody listened any more


@dataclass(slots=True)
class Generation:
    """What it took to generate an answer, and how that ended: counts and times, never text.

    Token counts are None where nothing says them; what `cached_tokens` are a part of is the protocol's
    business. `counted`: the server did not say how many came out, so the parts of its stream were counted.
    `ends` has one for each choice whose end is known. Times are monotonic seconds, of streams only.
    """

    streamed: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    counted: bool = False
    ends: list[End] = field(default_factory=list)
    tool_calls: int = 0
    empty: int = 0
    """Choices that ended without any content."""
    first_token: float | None = None
    last_token: float | None = None
    seconds_per_token: float | None = None
    stalls: int = 0
    """Pauses of more than a second between two parts."""
    complete: bool = False
    """The stream came to the end that its protocol promises."""
    truncated: bool = False
    """The server ended the stream short of what its protocol promises."""
    response_model: str = ""


@dataclass(slots=True)
class Inference:
    """What one exchange asked of which model, and what it answered.

    `rows` counts the rows asked about. `features` and `outputs` may have different lengths: a failed
    inference has features and no outputs. `error` is an error object found inside a successful answer.
    `evidence` says in one sentence why this decoder read the exchange. Predictions that hold classes
    are strings, integers or booleans; scores are floats: the column's values say which.

    `elsewhere`: features were sent in another way than in the payload (shared memory, raw data without
    names), so one that has no column is unknown, not missing. `decoupled`: the answer came in parts, any
    number of rows in each, so that outputs are predictions all the same, but not one for each row.
    """

    protocol: str
    operation: Operation = Operation.OTHER
    model: ModelRef = ModelRef()
    request_id: str = ""
    rows: int = 0
    features: list[Column] = field(default_factory=list)
    outputs: list[Column] = field(default_factory=list)
    error: str = ""
    undecoded: Undecoded | None = None
    evidence: str = ""
    generation: Generation | None = None
    elsewhere: bool = False
    decoupled: bool = False
