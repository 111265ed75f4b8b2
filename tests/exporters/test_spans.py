import random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from sidecar.exchange import Exchange, Outcome
from sidecar.exporters.otlp_spans import encode
from sidecar.exporters.sampling import Sampler
from sidecar.exporters.spans import Span, Spans
from sidecar.inference import End, Generation, Inference, ModelRef, Operation
from tests.fakes import exchange, inference

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

ALL = Sampler(1.0)


def spans_of(asked: Exchange, meant: Inference, sampler: Sampler = ALL, drifting: bool = False) -> list[Span]:
    found: list[Span] = []
    spans = Spans(
        sampler, found.append, lambda model, now: drifting, random.Random(1), lambda moment: moment + 1_000
    )
    spans.observe(asked, meant)
    return found


def traced(flags: str, **more) -> Exchange:
    return exchange(request_headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}, **more)


def test_a_span_is_the_child_of_the_callers_and_lasts_as_long_as_the_exchange():
    (span,) = spans_of(traced("01", at=100.0, duration=0.25), inference(age=[1, 2]), drifting=True)

    assert (span.trace_id, span.parent_id) == (TRACE, PARENT)
    assert (span.start, span.end) == (1_100.0, 1_100.25)
    assert span.name == "predict m"
    assert not span.failed
    assert span.attributes == {
        "model_name": "m",
        "model_version": "1",
        "inference.protocol": "v2",
        "inference.operation": "predict",
        "inference.outcome": "ok",
        "inference.rows": 2,
        "inference.time_to_first_byte": 0.25,
        "inference.drift_active": True,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": 0,
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
    }


def test_what_the_caller_does_not_record_makes_no_span():
    assert spans_of(traced("00"), inference()) == []


def test_without_a_caller_a_trace_begins_here():
    first, second = (spans_of(exchange(), inference())[0] for _ in range(2))

    assert first.parent_id == ""
    assert (len(first.trace_id), len(first.span_id)) == (32, 16)
    assert first == second, "ids come from the given source"


def test_what_was_not_observed_has_no_times_and_no_span():
    assert spans_of(exchange(outcome=Outcome.UNOBSERVED), inference()) == []


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Outcome.SERVER_ERROR, True),
        (Outcome.TRUNCATED, True),
        (Outcome.UPSTREAM_UNREACHABLE, True),
        (Outcome.CLIENT_ERROR, False),
        (Outcome.CLIENT_CLOSED, False),
    ],
)
def test_a_failure_has_its_type_and_is_an_error_only_if_the_server_failed(outcome, failed):
    (span,) = spans_of(exchange(outcome=outcome, status=None), inference())

    assert span.failed is failed
    assert span.attributes["error.type"] == outcome.value
    assert "http.response.status_code" not in span.attributes


def test_a_generation_is_described_by_the_convention():
    generation = Generation(
        streamed=True, input_tokens=7, output_tokens=9,
        ends=[End.STOP], response_model="m-2026", first_token=100.01,
    )  # fmt: skip
    meant = Inference("openai", Operation.CHAT, ModelRef("m", "1"), generation=generation)
    (span,) = spans_of(exchange(at=100.0), meant)

    assert span.name == "chat m"
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["gen_ai.provider.name"] == "openai"
    assert span.attributes["gen_ai.request.model"] == "m"
    assert span.attributes["gen_ai.response.model"] == "m-2026"
    assert span.attributes["gen_ai.usage.input_tokens"] == 7
    assert span.attributes["gen_ai.usage.output_tokens"] == 9
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert span.attributes["inference.time_to_first_token"] == pytest.approx(0.01)


def test_a_grpc_call_has_its_method_and_code():
    asked = exchange(target="/inference.GRPCInferenceService/ModelInfer", grpc_status="UNAVAILABLE")
    (span,) = spans_of(asked, inference())

    assert span.attributes["rpc.system.name"] == "grpc"
    assert span.attributes["rpc.method"] == "inference.GRPCInferenceService/ModelInfer"
    assert span.attributes["rpc.response.status_code"] == "UNAVAILABLE"


def test_a_method_of_the_callers_own_invention_and_a_path_do_not_get_out():
    (span,) = spans_of(exchange(method="ALICE", target="/v1/alice@example.com?x=1"), inference())

    assert span.attributes["http.request.method"] == "_OTHER"
    assert "alice" not in repr(span).lower()


def test_otlp_has_ids_as_bytes_times_in_nanoseconds_and_the_kind_of_a_server():
    generation = Generation(ends=[End.STOP, End.LENGTH])
    meant = Inference("openai", Operation.CHAT, ModelRef("m\ud800", "1"), rows=2**70, generation=generation)
    spans = spans_of(traced("01", outcome=Outcome.SERVER_ERROR), meant)

    request = ExportTraceServiceRequest.FromString(encode(spans, {"service.name": "x"}))

    (group,) = request.resource_spans
    (span,) = group.scope_spans[0].spans
    assert group.resource.attributes[0].value.string_value == "x"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert (span.kind, span.status.code) == (pb.Span.SPAN_KIND_SERVER, pb.Status.STATUS_CODE_ERROR)
    assert span.start_time_unix_nano == 1_100_000_000_000
    assert span.flags & 1
    values = {a.key: a.value for a in span.attributes}
    assert values["model_name"].string_value == "m?"
    assert values["inference.rows"].string_value == str(2**70)
    assert values["inference.drift_active"].WhichOneof("value") == "bool_value"
    assert [v.string_value for v in values["gen_ai.response.finish_reasons"].array_value.values] == [
        "stop",
        "length",
    ]
