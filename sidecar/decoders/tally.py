"""What the parts of a generated answer add up to: tokens, ends, times. Knows no protocol.

A protocol's reader looks at one document at a time and tells the tally what it saw; an answer that came in
one piece is a stream of one. Usage is cumulative wherever it is sent more than once: the last one counts.
The trap: of a long stream only the first and the last events are there, and those between count as content.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from sidecar.decoders import body, json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import Exchange, LeftOut, Outcome
from sidecar.inference import End, Generation, Inference, Undecoded

# A pause a reader notices as a break in the flow (Nielsen, Usability Engineering, 5.5); and five times what
# the slowest server anybody would call interactive needs for a token.
STALL_SECONDS = 1.0
# What the protocols call the same things. Anything else a server says when it has finished is a stop.
_ENDS = {
    **dict.fromkeys(
        ("length", "max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded"),
        End.LENGTH,
    ),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use", "pause_turn"), End.TOOL),
    **dict.fromkeys(("content_filter", "refusal", "safety", "recitation"), End.FILTER),
    **dict.fromkeys(("error", "abort", "failed", "cancelled", "insufficient_system_resource"), End.ERROR),
}
# Counts past this are not counts: they would only spoil a sum for ever.
_MOST_TOKENS = 10**9
_CUT = (Outcome.OK, Outcome.TRUNCATED, Outcome.UPSTREAM_RESET)


class Tally:
    """Told by a protocol's reader, document by document."""

    __slots__ = (
        "cached", "ended", "error_kind", "filled", "finished", "hidden", "id", "input", "model",
        "output", "parts", "passed", "reasoned", "time", "times", "tools",
    )  # fmt: skip

    def __init__(self) -> None:
        self.time = 0.0
        """When the document that is being read came."""
        self.model = ""
        self.id = ""
        self.input: int | None = None
        self.output: int | None = None
        self.cached: int | None = None
        self.hidden = 0
        """Tokens of `output` that were thought and not sent, if no thoughts were sent at all."""
        self.reasoned = False
        self.ended = False
        """The protocol's own mark of the end was seen."""
        self.error_kind = ""
        self.parts = 0
        self.passed = 0
        self.times: list[list[float]] = [[]]
        """When parts came; a new list where some in between are not known."""
        self.finished: dict[int, End | None] = {}
        """The choices, and how they ended."""
        self.filled: set[int] = set()
        self.tools: set[tuple[int, Any]] = set()

    def choice(self, index: int) -> None:
        """There is such a choice."""
        self.finished.setdefault(index, None)

    def part(self, index: int = 0) -> None:
        """Content of a choice came."""
        self.choice(index)
        self.filled.add(index)
        self.parts += 1
        run = self.times[-1]
        # Parts of several choices in one event came together.
        if not run or run[-1] != self.time:
            run.append(self.time)

    def tool(self, index: int, call: Any) -> None:
        """A choice calls a tool; `call` tells its calls apart and may be said again."""
        self.tools.add((index, call))

    def end(self, index: int, reason: Any) -> None:
        """A choice says why it ended; null says that it has not."""
        self.choice(index)
        if type(reason) is str and reason:
            self.finished[index] = _ENDS.get(reason, End.STOP)

    def all_said(self) -> bool:
        """Whether every choice said why it ended; where events are not known, whether one did."""
        said = [end is not None for end in self.finished.values()]
        return any(said) if self.passed else bool(said) and all(said)

    def use(self, input: Any = None, output: Any = None, cached: Any = None) -> None:
        """Usage, as far as it is said."""
        self.input = _count(input, self.input)
        self.output = _count(output, self.output)
        self.cached = _count(cached, self.cached)

    def fail(self, kind: str) -> None:
        """The server says that it failed. The first time counts."""
        self.error_kind = self.error_kind or kind

    def pass_over(self, left_out: LeftOut) -> None:
        """Count events that were not kept."""
        self.passed = left_out.count
        self.parts += left_out.count
        self.times[-1].extend(left_out.times)
        if len(left_out.times) < left_out.count:
            self.times.append([])


Read = Callable[[dict[str, Any], str, Tally], None]


def read_stream(
    exchange: Exchange, inference: Inference, read: Read, *, judged: bool = True, reasons_do: bool = False
) -> Tally:
    """Tell a tally every event and complete `inference` by it. `judged`: the protocol promises an end.

    `reasons_do`: not everybody who speaks it keeps that promise, so a body that ended as it should after
    every choice had said why it ended is whole without it.

    Raises Undecodable if the rest of the stream is not known and so neither is its usage.
    """
    tally, left_out = Tally(), exchange.left_out
    for n, event in enumerate(exchange.events):
        if n == left_out.after and left_out.count:
            tally.pass_over(left_out)
        tally.time = event.time
        if event.data == b"[DONE]":
            tally.ended = True
            continue
        document = _document(event.data)
        if event.name == "error":
            tally.fail(body.error_of(document) or "error")
        elif type(document) is dict:
            read(document, event.name, tally)
    if left_out.count and left_out.after >= len(exchange.events):
        tally.pass_over(left_out)
    if reasons_do and exchange.outcome is Outcome.OK:
        tally.ended = tally.ended or tally.all_said()
    complete(exchange, inference, tally, judged=judged)
    return tally


def complete(exchange: Exchange, inference: Inference, tally: Tally, *, judged: bool = True) -> None:
    """Complete `inference` by what a tally has been told. Raises Undecodable, see `read_stream`."""
    generation = inference.generation
    assert generation is not None
    generation.streamed = exchange.streamed
    generation.response_model = tally.model
    inference.error = tally.error_kind
    inference.request_id = tally.id or inference.request_id
    generation.tool_calls = len(tally.tools)
    generation.input_tokens, generation.cached_tokens = tally.input, tally.cached
    known = exchange.left_out.to_the_end
    if exchange.streamed:
        promise_kept = tally.ended or bool(tally.error_kind) or not judged or not known
        generation.complete = tally.ended and not tally.error_kind
        generation.truncated = not promise_kept and exchange.outcome in _CUT
        if exchange.timings.response_last is not None:  # what was logged elsewhere has events and no times
            _time(generation, tally)
    _count_output(generation, tally, known)
    generation.ends = _ends(exchange, tally, generation.truncated)
    if exchange.outcome is Outcome.OK and not generation.truncated and not tally.error_kind:
        generation.empty = _empty(tally)
    if not known and tally.output is None:
        if exchange.response.problem is not None:
            body.data_of(exchange.response)  # which raises, and says why
        raise Undecodable(Undecoded.BODY_TOO_LARGE, "the end of the stream is not known")


def _count_output(generation: Generation, tally: Tally, known: bool) -> None:
    generation.output_tokens = tally.output
    if tally.output is None and generation.streamed and known and tally.parts:
        generation.output_tokens, generation.counted = tally.parts, True


def _time(generation: Generation, tally: Tally) -> None:
    times = [time for run in tally.times for time in run]
    if not times:
        return
    generation.first_token, generation.last_token = times[0], times[-1]
    generation.stalls = sum(b - a > STALL_SECONDS for run in tally.times for a, b in pairwise(run))
    output = tally.parts if tally.output is None else tally.output - (0 if tally.reasoned else tally.hidden)
    each = output / max(len(tally.finished), 1)
    if len(times) > 1 and each > 1:
        generation.seconds_per_token = max(times[-1] - times[0], 0.0) / (each - 1)


def _ends(exchange: Exchange, tally: Tally, truncated: bool) -> list[End]:
    """How each choice ended: as it said, else as the stream did, unless that is not known."""
    choices = list(tally.finished.values()) or [None]
    if truncated:
        return [End.TRUNCATED] * len(choices)
    otherwise: End | None = None
    if tally.error_kind:
        otherwise = End.ERROR
    elif exchange.outcome is Outcome.CLIENT_CLOSED and not tally.ended:
        otherwise = End.CLIENT_CLOSED
    elif exchange.left_out.to_the_end and not tally.passed:
        otherwise = End.STOP
    return [end for end in (said or otherwise for said in choices) if end is not None]


def _empty(tally: Tally) -> int:
    if tally.passed:
        return 0
    tooled = {index for index, _ in tally.tools}
    return sum(index not in tally.filled and index not in tooled for index in tally.finished or (0,))


def _count(value: Any, before: int | None) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else before


def _document(data: bytes) -> Any:
    try:
        return json_text.read(data)
    except Undecodable:
        return None
