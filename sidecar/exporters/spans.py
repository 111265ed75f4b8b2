"""One span for each sampled exchange: what it was, how long it took, how it ended. No value of a payload.

A monitor among the monitors, there only when spans are wanted. It takes what it needs out of the exchange
and hands a span on; encoding and sending happen in another thread. The span is a child of the caller's,
beside any that the model server makes itself: nothing is added to the request, so it cannot be our child.

The trap: paths are left out, though the conventions want one: they carry identities of users. Protocol and
operation say which interface was called.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sidecar import catalog_generation, clock
from sidecar.exchange import Exchange, Outcome
from sidecar.exporters.otlp_text import Attribute
from sidecar.exporters.sampling import Sampler
from sidecar.inference import Inference, ModelRef
from sidecar.slo import outcome_of, seconds_to_first_token
from sidecar.trace_context import trace_context

# In a span of a server: what was the client's fault, or its choice, is no error of ours.
_FAILED = frozenset((
    Outcome.SERVER_ERROR, Outcome.UPSTREAM_UNREACHABLE, Outcome.UPSTREAM_RESET, Outcome.TRUNCATED,
))  # fmt: skip
# OpenTelemetry's HTTP conventions: any other method is `_OTHER`.
_METHODS = frozenset((
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY",
))  # fmt: skip
_VERSIONS = {"http1": "1.1", "http2": "2"}
_GRPC_METHOD = re.compile(r"/([A-Za-z_][\w.]{0,100}/[A-Za-z_]\w{0,60})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Ids are hexadecimal, `parent_id` "" for none; times are wall clock, seconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: float
    end: float
    failed: bool
    attributes: dict[str, Attribute]


class Drifting(Protocol):
    """Says whether a drift verdict stands."""

    def __call__(self, model: ModelRef, now: float) -> bool:
        """Of this model, at the monotonic time `now`."""


class Spans:
    """Samples exchanges and hands their spans to `accept`, which must not block."""

    def __init__(
        self,
        sampler: Sampler,
        accept: Callable[[Span], None],
        drifting: Drifting,
        ids: random.Random | None = None,
        to_wall: Callable[[float], float] = clock.wall_of,
    ) -> None:
        self._sampler = sampler
        self._accept = accept
        self._drifting = drifting
        self._ids = ids or random.SystemRandom()
        self._to_wall = to_wall

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Hand on the span of one exchange, if it is sampled and its times are known."""
        parent = trace_context(exchange.request_headers)
        trace_id = parent.trace_id if parent else f"{self._ids.getrandbits(128) or 1:032x}"
        if exchange.outcome is Outcome.UNOBSERVED or not self._sampler.samples(parent, trace_id):
            return
        outcome = outcome_of(exchange, inference)
        timings = exchange.timings
        attributes = _attributes(exchange, inference, outcome)
        attributes["inference.drift_active"] = self._drifting(inference.model, timings.last)
        span = Span(
            trace_id=trace_id,
            span_id=f"{self._ids.getrandbits(64) or 1:016x}",
            parent_id=parent.span_id if parent else "",
            name=f"{_operation(inference)} {inference.model.name}",
            start=self._to_wall(timings.request_first),
            end=self._to_wall(timings.last),
            failed=outcome in _FAILED,
            attributes=attributes,
        )
        self._accept(span)

    def tick(self, now: float) -> None:
        """Nothing to do."""


def _operation(inference: Inference) -> str:
    return catalog_generation.GEN_AI_OPERATIONS.get(inference.operation, inference.operation.value)


def _attributes(exchange: Exchange, inference: Inference, outcome: Outcome) -> dict[str, Attribute]:
    found: dict[str, Attribute | None] = {
        "model_name": inference.model.name,
        "model_version": inference.model.version,
        "inference.protocol": inference.protocol,
        "inference.operation": inference.operation.value,
        "inference.outcome": outcome.value,
        "inference.rows": inference.rows,
        "inference.undecoded": inference.undecoded.value if inference.undecoded else None,
        "inference.time_to_first_byte": exchange.timings.time_to_first_byte,
        "error.type": None if outcome is Outcome.OK else outcome.value,
        "http.request.body.size": exchange.request.size,
        "http.response.body.size": exchange.response.size,
        **_http(exchange),
        **_generation(exchange, inference),
    }
    return {name: value for name, value in found.items() if value is not None}


def _http(exchange: Exchange) -> dict[str, Attribute | None]:
    known = exchange.method in _METHODS
    grpc = _GRPC_METHOD.fullmatch(exchange.path) if exchange.grpc_status else None
    return {
        "http.request.method": exchange.method if known else "_OTHER",
        "http.response.status_code": exchange.status,
        "network.protocol.name": "http" if exchange.transport in _VERSIONS else None,
        "network.protocol.version": _VERSIONS.get(exchange.transport),
        "rpc.system.name": "grpc" if exchange.grpc_status else None,
        "rpc.method": grpc[1] if grpc else None,
        "rpc.response.status_code": exchange.grpc_status or None,
    }


def _generation(exchange: Exchange, inference: Inference) -> dict[str, Attribute | None]:
    """OpenTelemetry's conventions for generative AI, as far as they say the same for every provider."""
    generation = inference.generation
    if generation is None:
        return {}
    return {
        "gen_ai.operation.name": _operation(inference),
        "gen_ai.provider.name": inference.protocol,
        "gen_ai.request.model": inference.model.name,
        "gen_ai.response.model": generation.response_model[:100] or None,
        "gen_ai.usage.input_tokens": generation.input_tokens,
        "gen_ai.usage.output_tokens": generation.output_tokens,
        "gen_ai.response.finish_reasons": tuple(end.value for end in generation.ends[:10]) or None,
        "inference.time_to_first_token": seconds_to_first_token(exchange, inference),
    }
