"""The trace that an exchange belongs to, as the exemplar of what was measured of it.

Only traces that the caller says it records: a link to any other leads nowhere (OpenTelemetry's filter
`trace_based`). The trap: this is asked for every exchange, so without the header it must cost nothing.
"""

from sidecar.exchange import Exchange
from sidecar.registry import Exemplar, Histogram
from sidecar.trace_context import TraceContext, trace_context


def recorded_trace(exchange: Exchange) -> TraceContext | None:
    """The trace in the request's `traceparent`, if its caller records it."""
    trace = trace_context(exchange.request_headers)
    return trace if trace is not None and trace.sampled else None


def observe(
    histogram: Histogram, value: float, labels: tuple[str, ...], trace: TraceContext | None, time: float
) -> None:
    """Count one observation, and remember its trace if it has one; `time` is monotonic."""
    histogram.observe(value, *labels)
    if trace is not None:
        histogram.exemplify(Exemplar(value, time, trace.trace_id, trace.span_id), *labels)
