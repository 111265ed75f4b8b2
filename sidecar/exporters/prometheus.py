"""A snapshot as Prometheus text 0.0.4 or OpenMetrics 1.0.

Rendered here and not by prometheus_client, which takes 40 to 60 ms for 5,100 lines where this takes 5: a
scrape shares the interpreter with the reading loop. `process_*` does come from prometheus_client; it
describes the process that renders, the observer. Families without series still print HELP and TYPE, as
client libraries do, so that a person who reads the page sees everything there is.

The trap: a counter's family is called `x` in OpenMetrics and `x_total` in the older format; its samples
are called `x_total` in both.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from sidecar.metric import Metric, MetricKind
from sidecar.registry import Distribution, Exemplar, FamilySnapshot, Labels, Snapshot

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})
_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
# OpenMetrics wants the unit to be the end of the family's name.
_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}

_process = CollectorRegistry()
ProcessCollector(registry=_process)


def render(snapshot: Snapshot, accept: str = "", *, process: bool = True) -> tuple[bytes, str]:
    """The body of a scrape and its content type. `accept` is the request's header; any text will do.

    `process` False leaves `process_*` out: another process shows its own.

    Safe in any thread: touches nothing but the snapshot and /proc/self.
    """
    openmetrics = prefers_openmetrics(accept)
    lines: list[str] = []
    for family in snapshot.families:
        lines.extend(_head(family.metric, openmetrics))
        lines.extend(_samples(family, openmetrics))
    # Surrogates cannot be written as UTF-8; one odd label must not cost the whole scrape.
    body = "".join(lines).encode("utf-8", "replace")
    if openmetrics:
        return body + generate_openmetrics(_process), OPENMETRICS  # type: ignore[no-untyped-call]
    return body + (generate_latest(_process) if process else b""), TEXT


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header would rather have OpenMetrics 1.x than anything else we speak.

    prometheus_client's own negotiation echoes whatever version was asked and raises on one that is not
    a number, so it cannot be used on a header that anybody may send.
    """
    openmetrics = text = 0.0
    for item in accept.split(","):
        media, *rest = (part.strip().lower() for part in item.split(";"))
        given = dict(part.partition("=")[::2] for part in rest)
        quality = _quality(given.get("q", "1"))
        if media == "application/openmetrics-text" and given.get("version", "1").split(".")[0] == "1":
            openmetrics = max(openmetrics, quality)
        elif media == "text/plain":
            text = max(text, quality)
    return openmetrics > 0 and openmetrics >= text


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _head(metric: Metric, openmetrics: bool) -> Iterator[str]:
    if not openmetrics:
        yield f"# HELP {metric.name} {metric.help.translate(_HELP_ESCAPES)}\n"
        yield f"# TYPE {metric.name} {metric.kind}\n"
        return
    name = metric.name.removesuffix("_total") if metric.kind is MetricKind.COUNTER else metric.name
    yield f"# HELP {name} {metric.help.translate(_ESCAPES)}\n"
    yield f"# TYPE {name} {metric.kind}\n"
    unit = _UNITS.get(metric.unit, "")
    if unit and name.endswith(f"_{unit}"):
        yield f"# UNIT {name} {unit}\n"


def _samples(family: FamilySnapshot, openmetrics: bool) -> Iterator[str]:
    metric = family.metric
    labelled = ",".join(f'{label}="%s"' for label in metric.labels)
    if metric.kind is MetricKind.HISTOGRAM:
        bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
        for labels, value in family.series:
            assert isinstance(value, Distribution)
            exemplars = (openmetrics and value.exemplars) or {}
            yield from _buckets(metric.name, bounds, labelled % _escaped(labels), value, exemplars)
        return
    line = f"{metric.name}{{{labelled}}} " if labelled else f"{metric.name} "
    for labels, value in family.series:
        yield f"{line % _escaped(labels)}{_number(value)}\n"


def _buckets(
    name: str, bounds: list[str], pairs: str, value: Distribution, exemplars: Mapping[int, Exemplar]
) -> Iterator[str]:
    before = f'{name}_bucket{{{pairs}{"," if pairs else ""}le="'
    totals = list(accumulate(value.counts))
    for bucket, (bound, total) in enumerate(zip(bounds, totals, strict=True)):
        exemplar = exemplars.get(bucket)
        yield f'{before}{bound}"}} {total}{_exemplar(exemplar) if exemplar else ""}\n'
    around = f"{{{pairs}}}" if pairs else ""
    yield f"{name}_sum{around} {_number(value.sum)}\n"
    yield f"{name}_count{around} {totals[-1]}\n"


def _exemplar(exemplar: Exemplar) -> str:
    """As OpenMetrics has it; 63 of the 128 characters that its labels may take."""
    ids = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f" # {{{ids}}} {_number(exemplar.value)} {exemplar.time:.3f}"


def _escaped(labels: Labels) -> Labels:
    """Almost no label value needs escaping; looking is much cheaper than doing."""
    text = "".join(labels)
    if "\\" in text or '"' in text or "\n" in text:
        return tuple(label.translate(_ESCAPES) for label in labels)
    return labels


def _number(value: object) -> str:
    text = repr(float(value))  # type: ignore[arg-type]
    return _SPECIAL.get(text, text)
