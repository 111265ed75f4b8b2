"""How many inferences, how they ended, how long they took, how big they were.

Counts every exchange that is inference, decoded or not. The trap is `unobserved`: such an exchange is
counted, so that nothing is hidden, but its times and sizes are those of what was left and stay out of
every histogram.
"""

from functools import lru_cache

from sidecar import catalog
from sidecar.exchange import GRPC_CODES, Exchange, Outcome
from sidecar.inference import Inference, ModelRef
from sidecar.monitors.exemplars import TRACEPARENT, exemplify
from sidecar.registry import Registry
from sidecar.slo import outcome_of

# The answers worth seeing from zero: the first error after a quiet start is a step that rate() can see
# only if the series was there before. Other codes appear with their first exchange.
_AT_ZERO = (
    ("200", Outcome.OK),
    ("400", Outcome.CLIENT_ERROR),
    ("500", Outcome.SERVER_ERROR),
    ("503", Outcome.SERVER_ERROR),
)
_GRPC_AT_ZERO = (
    ("OK", Outcome.OK),
    ("INVALID_ARGUMENT", Outcome.CLIENT_ERROR),
    ("INTERNAL", Outcome.SERVER_ERROR),
    ("UNAVAILABLE", Outcome.SERVER_ERROR),
    ("DEADLINE_EXCEEDED", Outcome.SERVER_ERROR),
)
_GRPC_CODES = frozenset(GRPC_CODES)
_UNOBSERVED = Outcome.UNOBSERVED


class Traffic:
    """Requests, durations, sizes, and which models there are."""

    def __init__(self, registry: Registry) -> None:
        self._requests = registry.counter(catalog.REQUESTS)
        self._unobserved = registry.counter(catalog.UNOBSERVED)
        self._duration = registry.histogram(catalog.REQUEST_DURATION)
        self._first_byte = registry.histogram(catalog.TIME_TO_FIRST_BYTE)
        self._request_size = registry.histogram(catalog.REQUEST_SIZE)
        self._response_size = registry.histogram(catalog.RESPONSE_SIZE)
        self._info = registry.gauge(catalog.MODEL_INFO)

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Count one exchange; time and measure it if it was seen whole."""
        model, protocol, operation = inference.model, inference.protocol, inference.operation
        outcome = outcome_of(exchange, inference)
        labels = (*model, protocol, str(operation), code_label(exchange.code), str(outcome))
        if labels not in self._requests.values:
            self._introduce(model, protocol, str(operation))
        self._requests.add_to(labels)
        if outcome is _UNOBSERVED:
            self._unobserved.add(1)
        else:
            self._measure(exchange, model, protocol, outcome)

    def tick(self, now: float) -> None:
        """Nothing to do."""

    def _introduce(self, model: ModelRef, protocol: str, operation: str) -> None:
        self._info.set(1, *model, protocol)
        for code, outcome in _at_zero(protocol):
            self._requests.add(0, *model, protocol, operation, code, outcome.value)
        self._duration.touch(*model, protocol, Outcome.OK.value)
        self._first_byte.touch(*model, protocol)
        self._request_size.touch(*model)
        self._response_size.touch(*model)

    def _measure(self, exchange: Exchange, model: ModelRef, protocol: str, outcome: Outcome) -> None:
        timings = exchange.timings
        duration, first_byte = timings.duration, timings.time_to_first_byte
        if exchange.streamed:
            duration = None
        ended, begun = (*model, protocol, str(outcome)), (*model, protocol)
        if duration is not None:
            self._duration.observe_in(ended, duration)
        if first_byte is not None:
            self._first_byte.observe_in(begun, first_byte)
        if TRACEPARENT in exchange.request_headers:
            exemplify(
                exchange,
                (self._duration, duration, ended),
                (self._first_byte, first_byte, begun),
            )
        # What was logged elsewhere has sizes and few times, or may be an answer whose request was not logged.
        if timings.request_last is not None:
            self._request_size.observe_in(model, exchange.request.size)
        if timings.response_first is not None or exchange.response.size:
            self._response_size.observe_in(model, exchange.response.size)


def _at_zero(protocol: str) -> tuple[tuple[str, Outcome], ...]:
    return _GRPC_AT_ZERO if protocol.endswith("grpc") else _AT_ZERO


@lru_cache(maxsize=1_024)
def code_label(code: str) -> str:
    """A code as a label value: 100 to 599 and gRPC's names as they are, "" if no answer began, else "other".

    Empty is what Prometheus takes for "not there", which is what an answer that never began is.
    """
    if (
        code == ""
        or code in _GRPC_CODES
        or (len(code) == 3 and code.isascii() and code.isdecimal() and "100" <= code <= "599")
    ):
        return code
    return "other"
