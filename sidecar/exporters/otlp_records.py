"""Records of predictions as OTLP's logs. Pure, but loads OTLP's messages: import it late."""

from collections.abc import Mapping, Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.logs.v1 import logs_pb2 as pb

from sidecar.exporters.otlp_text import fill_resource, nanoseconds, write_attributes
from sidecar.exporters.records import Record

EVENT_NAME = "inference.prediction"


def encode(records: Sequence[Record], resource: Mapping[str, str]) -> bytes:
    """One request with these records."""
    request = ExportLogsServiceRequest()
    add = fill_resource(request.resource_logs.add(), resource, "scope_logs").log_records.add
    for record in records:
        into = add(
            time_unix_nano=nanoseconds(record.time),
            observed_time_unix_nano=nanoseconds(record.time),
            severity_number=pb.SEVERITY_NUMBER_INFO,
            severity_text="INFO",
            event_name=EVENT_NAME,
            trace_id=bytes.fromhex(record.trace_id),
            span_id=bytes.fromhex(record.span_id),
        )
        write_attributes(into.attributes, record.attributes)
    return bytes(request.SerializeToString())


def rejected(answer: bytes) -> int:
    """How many records the collector's answer says it rejected."""
    return int(ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records)
