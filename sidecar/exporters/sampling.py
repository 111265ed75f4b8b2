"""Which exchanges become spans: OpenTelemetry's samplers, from our configuration or its variables. Pure.

Source: OpenTelemetry Tracing SDK, "Built-in samplers", and its environment variables. Off unless asked for:
a collector that takes metrics may have no place for spans, and an upgrade must not change a tracing bill.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.exporters.otlp_variables import Variables
from sidecar.trace_context import TraceContext

_PARENT = "parentbased_"
_BITS = 2**64


@dataclass(frozen=True, slots=True)
class Sampler:
    """`ratio` is the share of traces; with `parent_decides` only of those that begin here."""

    ratio: float
    parent_decides: bool = True

    def samples(self, parent: TraceContext | None, trace_id: str) -> bool:
        """Whether an exchange of this trace becomes a span. Two samplers of one ratio agree on a trace."""
        if parent is not None and self.parent_decides:
            return parent.sampled
        return int(trace_id[16:], 16) < self.ratio * _BITS


def sampler(environ: Mapping[str, str], ratio: float | None = None) -> tuple[Sampler | None, list[str]]:
    """The sampler, None for no spans at all, and a sentence for each variable that was ignored.

    A `ratio` given by our configuration wins over the variables, and lets the caller's decision stand: 0
    means that only traces that others record go on here.
    """
    if ratio is not None:
        return Sampler(ratio), []
    read = Variables(environ)
    name = read("OTEL_TRACES_SAMPLER").lower()
    share = read.share("OTEL_TRACES_SAMPLER_ARG", 1.0) if name.endswith("traceidratio") else 1.0
    shares = {"always_on": 1.0, "always_off": 0.0, "traceidratio": share}
    kind = name.removeprefix(_PARENT)
    if not name or name == "always_off":
        return None, []
    if kind not in shares:
        return None, [f"OTEL_TRACES_SAMPLER: {name!r} is not known here; no spans are made"]
    return Sampler(shares[kind], name.startswith(_PARENT)), read.problems
