"""What generating answers took: tokens, the times of streams, and how answers ended.

Counts whatever is known of an answer, also of one that was cut: its tokens were paid for all the same.
Times of failures are in the duration only, where `error_type` tells them apart. The trap: a client that
leaves during a stream has seen a first token; without it only the fast answers would be timed.
"""

from sidecar import catalog_generation as catalog
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import End, Generation, Inference, Operation
from sidecar.monitors.exemplars import TRACEPARENT, exemplify
from sidecar.names import Names
from sidecar.registry import Registry
from sidecar.slo import outcome_of, seconds_to_first_token

# As many as there may be models: an answer names its own, which may be a dated one.
RESPONSE_MODELS_LIMIT = 50
_TIMED = frozenset((Outcome.OK, Outcome.CLIENT_CLOSED))
_WRITES = frozenset((Operation.CHAT, Operation.GENERATE))

Model = tuple[str, str]


class Generations:
    """Tokens, ends, stalls, and OpenTelemetry's `gen_ai.server.*`."""

    def __init__(self, registry: Registry) -> None:
        self._tokens = registry.counter(catalog.TOKENS)
        self._stream_ends = registry.counter(catalog.STREAM_ENDS)
        self._ends = registry.counter(catalog.GENERATION_ENDS)
        self._stalls = registry.counter(catalog.STREAM_STALLS)
        self._tool_calls = registry.counter(catalog.TOOL_CALLS)
        self._empty = registry.counter(catalog.EMPTY_ANSWERS)
        self._duration = registry.histogram(catalog.GEN_AI_REQUEST_DURATION)
        self._first_token = registry.histogram(catalog.GEN_AI_TIME_TO_FIRST_TOKEN)
        self._per_token = registry.histogram(catalog.GEN_AI_TIME_PER_OUTPUT_TOKEN)
        self._answering = Names(RESPONSE_MODELS_LIMIT)

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Count and time one exchange, if it is one that generates, embeds or ranks."""
        generation = inference.generation
        if generation is None:
            return
        outcome = outcome_of(exchange, inference)
        if outcome is Outcome.UNOBSERVED:
            return
        model = (inference.model.name, inference.model.version)
        self._introduce(model, inference.operation)
        self._count_tokens(model, generation)
        if inference.operation in _WRITES:
            self._count_answers(model, generation)
        self._measure(exchange, inference, generation, outcome)

    def tick(self, now: float) -> None:
        """Nothing to do."""

    def expire(self, now: float) -> list[dict[str, str]]:
        """Forget answering models unused for a day; returns labels for `Registry.forget`, one dict each."""
        return [{"gen_ai_response_model": name} for name in self._answering.expire(now)]

    def _introduce(self, model: Model, operation: Operation) -> None:
        """Let every series exist that the model can have: `rate` sees a first step only from zero."""
        if (*model, "input", "reported") not in self._tokens.values:
            for kind in ("input", "output", "cached"):
                self._tokens.add(0, *model, kind, "reported")
        if operation not in _WRITES or (*model, "output", "counted") in self._tokens.values:
            return
        self._tokens.add(0, *model, "output", "counted")
        for end in End:
            self._stream_ends.add(0, *model, end.value)
            self._ends.add(0, *model, end.value)
        for counter in (self._stalls, self._tool_calls, self._empty):
            counter.add(0, *model)

    def _count_tokens(self, model: Model, generation: Generation) -> None:
        source = "counted" if generation.counted else "reported"
        self._tokens.add(generation.input_tokens or 0, *model, "input", "reported")
        self._tokens.add(generation.cached_tokens or 0, *model, "cached", "reported")
        self._tokens.add(generation.output_tokens or 0, *model, "output", source)

    def _count_answers(self, model: Model, generation: Generation) -> None:
        for end in generation.ends:
            self._ends.add(1, *model, end.value)
            if generation.streamed:
                self._stream_ends.add(1, *model, end.value)
        self._stalls.add(generation.stalls, *model)
        self._tool_calls.add(generation.tool_calls, *model)
        self._empty.add(generation.empty, *model)

    def _measure(
        self, exchange: Exchange, inference: Inference, generation: Generation, outcome: Outcome
    ) -> None:
        model = inference.model.name
        operation = catalog.GEN_AI_OPERATIONS.get(inference.operation)
        if operation is None:
            return
        answering = generation.response_model
        if answering:
            trusted = outcome is Outcome.OK
            answering = self._answering.admit(answering, exchange.timings.last, trusted=trusted)
        labels = (model, inference.model.version, operation, inference.protocol, model, answering)
        duration, error = exchange.timings.duration, "" if outcome is Outcome.OK else outcome.value
        first = per_token = None
        if outcome in _TIMED:
            first, per_token = seconds_to_first_token(exchange, inference), generation.seconds_per_token
        if duration is not None:
            self._duration.observe(duration, *labels, error)
        if first is not None:
            self._first_token.observe(first, *labels)
        if per_token is not None:
            self._per_token.observe(per_token, *labels)
        if TRACEPARENT in exchange.request_headers:
            exemplify(
                exchange,
                (self._duration, duration, (*labels, error)),
                (self._first_token, first, labels),
                (self._per_token, per_token, labels),
            )
