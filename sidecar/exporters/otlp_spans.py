"""Spans as OTLP's traces. Pure, but loads OTLP's messages: import it late."""

from collections.abc import Mapping, Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from sidecar.exporters.otlp_text import fill_resource, nanoseconds, wire_text, write_attributes
from sidecar.exporters.spans import Span

# "Recorded by the caller": what W3C calls sampled. Whether the parent is remote is not left open.
_FLAGS = 1 | pb.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | pb.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK


def encode(spans: Sequence[Span], resource: Mapping[str, str]) -> bytes:
    """One request with these spans."""
    request = ExportTraceServiceRequest()
    add = fill_resource(request.resource_spans.add(), resource, "scope_spans").spans.add
    for span in spans:
        into = add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            parent_span_id=bytes.fromhex(span.parent_id),
            name=wire_text(span.name),
            kind=pb.Span.SPAN_KIND_SERVER,
            start_time_unix_nano=nanoseconds(span.start),
            end_time_unix_nano=nanoseconds(max(span.end, span.start)),
            flags=_FLAGS if span.parent_id else 1,
        )
        if span.failed:
            into.status.code = pb.Status.STATUS_CODE_ERROR
        write_attributes(into.attributes, span.attributes)
    return bytes(request.SerializeToString())


def rejected(answer: bytes) -> int:
    """How many spans the collector's answer says it rejected."""
    return int(ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
