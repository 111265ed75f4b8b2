"""The trace that an exchange belongs to, as the exemplar of what was measured of it.

Only traces that the caller says it records: a link to any other leads nowhere (OpenTelemetry's filter
`trace_based`). The trap: most exchanges have no trace, and must not pay for one; ask `TRACEPARENT in headers`
first.
"""

from sidecar.exchange import Exchange
from sidecar.registry import Exemplar, Histogram
from sidecar.trace_context import TRACEPARENT, trace_context

__all__ = ["TRACEPARENT", "exemplify"]

Observed = tuple[Histogram, float | None, tuple[str, ...]]


def exemplify(exchange: Exchange, *observed: Observed) -> None:
    """Remember the exchange's trace, if its caller records it, beside what was observed of the exchange."""
    trace = trace_context(exchange.request_headers)
    if trace is None or not trace.sampled:
        return
    for histogram, value, labels in observed:
        if value is not None:
            exemplar = Exemplar(value, exchange.timings.last, trace.trace_id, trace.span_id)
            histogram.exemplify(exemplar, *labels)
