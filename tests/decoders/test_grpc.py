"""Calls told by service and method, and what holds for every protocol over gRPC."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar import decoders
from sidecar.exchange import BodyProblem, Outcome
from sidecar.inference import ModelRef, Operation, Undecoded
from tests.decoders.grpc_calls import (
    CASES,
    GRPC,
    INFER,
    SELDON,
    STREAM,
    TFS,
    TORCHSERVE,
    called,
    capture,
    messages,
    read,
    tensor,
)
from tests.decoders.protobuf_encoder import bytes_field, framed, packed, varint_field
from tests.decoders.reading import decode, posted, refused, table
from tests.decoders.test_conformance import LARGEST_BYTES, check

CHURN = bytes_field(1, "churn") + bytes_field(2, "7")
KNOWN = [
    INFER,
    STREAM,
    TFS + "Predict",
    TFS + "Classify",
    TFS + "Regress",
    TFS + "MultiInference",
    SELDON,
    TORCHSERVE + "Predictions",
    TORCHSERVE + "StreamPredictions",
]


@pytest.mark.parametrize(
    ("target", "protocol", "operation"),
    [
        (INFER, "v2-grpc", Operation.PREDICT),
        (STREAM, "v2-grpc", Operation.PREDICT),
        (TFS + "Predict", "tfs-grpc", Operation.PREDICT),
        (TFS + "MultiInference", "tfs-grpc", Operation.PREDICT),
        (SELDON, "seldon-grpc", Operation.PREDICT),
        ("/seldon.protos.Transformer/TransformInput", "seldon-grpc", Operation.OTHER),
        (TORCHSERVE + "StreamPredictions", "torchserve-grpc", Operation.PREDICT),
        ("/acme.Churn/Ask", "grpc", Operation.OTHER),
        # On a path of another protocol the media type decides.
        ("/v2/models/m/infer", "grpc", Operation.OTHER),
    ],
)
def test_service_and_method_say_protocol_and_operation(target, protocol, operation):
    for media in ("application/grpc", "application/grpc+proto", "application/grpc;charset=x"):
        claim = decoders.claim("POST", target, {"content-type": media})
        assert (claim.protocol, claim.operation) == (protocol, operation)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/grpc.health.v1.Health/Check", "probe"),
        ("/grpc.health.v1.Health/Watch", "probe"),
        ("/inference.GRPCInferenceService/ServerLive", "probe"),
        ("/inference.GRPCInferenceService/ServerReady", "probe"),
        ("/inference.GRPCInferenceService/ModelReady", "probe"),
        (TORCHSERVE + "Ping", "probe"),
        ("/inference.GRPCInferenceService/ServerMetadata", "metadata"),
        ("/inference.GRPCInferenceService/ModelMetadata", "metadata"),
        ("/inference.GRPCInferenceService/ModelStatistics", "metadata"),
        (TFS + "GetModelMetadata", "metadata"),
        ("/tensorflow.serving.ModelService/GetModelStatus", "metadata"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "metadata"),
        ("/inference.GRPCInferenceService/RepositoryModelLoad", "admin"),
        ("/inference.GRPCInferenceService/SystemSharedMemoryRegister", "admin"),
        ("/seldon.protos.Seldon/SendFeedback", "admin"),
        ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "other"),
    ],
)
def test_probes_metadata_and_plumbing_are_not_inference(target, kind):
    assert decoders.claim("POST", target, GRPC) is None
    assert decoders.other_kind("POST", target) == kind


def test_grpc_web_and_what_is_not_posted_are_not_grpc():
    assert decoders.claim("POST", "/acme.Churn/Ask", {"content-type": "application/grpc-web"}) is None
    assert decoders.claim("GET", "/acme.Churn/Ask", GRPC) is None


def test_a_service_nobody_knows_is_never_undecoded():
    for body in (b"", b"\x02", framed(b"\xff" * 9), framed(CHURN), framed(b"\xff", flag=1)):
        seen = posted("/acme.Churn/Ask", body, body, request_headers=GRPC)
        inference = decode(seen)
        assert (inference.model, inference.rows, inference.undecoded) == (ModelRef(), 0, None)
        seen.request.problem = seen.response.problem = BodyProblem.GAP
        assert decode(seen).undecoded is None


def test_steps_of_an_inference_graph_are_not_read_and_never_undecoded():
    for step in ("TransformInput", "TransformOutput", "Route", "Aggregate"):
        inference = read(f"/seldon.protos.Generic/{step}", b"\xff", b"\xff")
        assert inference.undecoded is None and inference.features == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_each_direction_has_its_own_encoding(encoding):
    squeeze = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding]
    request = CHURN + tensor("x", "FP32", [1], packed(6, "float", [1]))
    answer = CHURN + tensor("y", "FP32", [1], packed(6, "float", [2]))
    seen = posted(
        INFER,
        framed(squeeze(request), flag=1),
        framed(answer),
        request_headers={**GRPC, "grpc-encoding": encoding},
        response_headers={**GRPC, "grpc-encoding": "identity"},
    )
    inference = decode(seen)
    assert table(inference.features) == {"x": [1.0]} and table(inference.outputs) == {"y": [2.0]}
    seen.request_headers = GRPC
    assert decode(seen).undecoded is Undecoded.BODY_ENCODING
    # The answer was read all the same, and so was its model.
    assert table(decode(seen).outputs) == {"y": [2.0]} and decode(seen).model == ModelRef("churn", "7")


@pytest.mark.parametrize(
    "rest", [b"\x2a\xff\xff\xff\xff\x0f", b"\x0b", b"\x2a\x03\x1a\x01\xff", b"\x2a\x02\x1a\x05"]
)
def test_a_message_malformed_behind_its_names_has_a_model_and_a_reason(rest):
    inference = read(INFER, CHURN + bytes_field(3, "id-9") + rest, CHURN)
    assert (inference.model, inference.request_id) == (ModelRef("churn", "7"), "id-9")
    assert inference.undecoded is Undecoded.NOT_PROTOBUF


@pytest.mark.parametrize("problem", [None, *BodyProblem])
@pytest.mark.parametrize("target", [INFER, TFS + "Predict", SELDON, TORCHSERVE + "Predictions"])
def test_a_body_that_was_not_kept_has_a_reason(target, problem):
    seen = called(target, outcome=Outcome.OK)
    for body in (seen.request, seen.response):
        body.data, body.problem = b"", problem
    assert decode(seen).undecoded not in (None, Undecoded.INTERNAL, Undecoded.NOT_PROTOBUF)


def test_the_version_that_answered_counts():
    answer = bytes_field(1, "churn") + bytes_field(2, "8") + bytes_field(3, "id-9")
    inference = read(INFER, bytes_field(1, "churn"), answer)
    assert (inference.model, inference.request_id) == (ModelRef("churn", "8"), "id-9")


def test_the_model_and_features_of_a_failed_call_are_known():
    request = framed(CHURN + tensor("x", "FP32", [1], packed(6, "float", [1])))
    inference = refused(INFER, request, request_headers=GRPC)
    assert inference.model == ModelRef("churn", "7")
    assert table(inference.features) == {"x": [1.0]} and inference.undecoded is None


def test_a_name_is_never_long():
    name = bytes_field(1, "n" * 131_072)
    assert len(read(INFER, name, bytes_field(2, "v" * 131_072)).model.name) == 256
    assert len(read(INFER, name, bytes_field(2, "v" * 131_072)).model.version) == 256


def test_a_compressed_bomb_names_its_model_and_costs_no_more_than_its_room():
    bomb = framed(gzip.compress(CHURN + bytes_field(9, bytes(50_000_000))), flag=1)
    seen = posted(INFER, bomb, bomb, request_headers={**GRPC, "grpc-encoding": "gzip"})
    tracemalloc.start()
    inference = decode(seen)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (inference.model.name, inference.undecoded) == ("churn", Undecoded.BODY_ENCODING)
    assert peak < 20_000_000


HOSTILE = {
    "empty messages": framed(b"") * 100_000,
    "half a million fields": framed(b"\x10\x01" * 500_000),
    "fields that alternate": framed(b"\x10\x01\x18\x01" * 250_000),
    "fields of ever new numbers": framed(b"".join(varint_field(i + 20, 1) for i in range(150_000))),
    "empty tensors": framed(b"\x2a\x00" * 500_000),
    "empty texts": framed(tensor("x", "BYTES", [100_000], b"\x42\x00" * 400_000)),
    "a shape of a million": framed(tensor("x", "FP32", [1] * 1_000_000)),
    "a shape of 2^62": framed(tensor("x", "FP32", [2**31, 2**31]) + bytes_field(7, b"1234")),
    "a million small numbers": framed(
        tensor("x", "INT32", [1000, 1000], b"\x12\xc0\x84\x3d" + bytes(1_000_000))
    ),
    "four million small numbers": framed(
        gzip.compress(tensor("x", "INT32", [1000, 1000], bytes_field(2, bytes(4_000_000)))), flag=1
    ),
    "tensors that fill themselves": framed(
        b"".join(
            bytes_field(2, bytes_field(1, f"t{i}") + bytes_field(2, b"\x08\x01\x12\x05\x12\x03\x08\xa0\x1f"))
            for i in range(900)
        )
    ),
    "classes without end": framed(bytes_field(1, bytes_field(1, b"\x0a\x00") * 90_000)),
    "examples with a context": framed(
        bytes_field(
            2,
            bytes_field(
                2,
                b"\x0a\x00" * 90_000
                + bytes_field(
                    2,
                    bytes_field(
                        1,
                        b"".join(
                            bytes_field(1, bytes_field(1, f"f{i}") + bytes_field(2, b"\x1a\x03\x0a\x01\x01"))
                            for i in range(900)
                        ),
                    ),
                ),
            ),
        )
    ),
}


@pytest.mark.parametrize("target", [INFER, TFS + "Predict", TFS + "Classify", SELDON])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_messages_have_a_reason_or_are_read_in_bounds(target, hostile):
    headers = {**GRPC, "grpc-encoding": "gzip"}
    body = HOSTILE[hostile]
    seen = posted(target, body, body, request_headers=headers, response_headers=headers)
    tracemalloc.start()
    try:
        check(decode(seen))
        assert tracemalloc.get_traced_memory()[1] < LARGEST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", CASES)
def test_a_capture_cut_anywhere_is_read_or_has_a_reason(case):
    for side in ("request", "response"):
        seen = capture(case)
        body = getattr(seen, side)
        whole = body.data
        for end in range(len(whole)):
            body.data = whole[:end]
            check(decode(seen))


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_capture_with_bytes_changed_is_read_or_has_a_reason(case, data):
    seen = capture(case)
    for body in (seen.request, seen.response):
        changed = bytearray(body.data)
        for _ in range(data.draw(st.integers(0, 3)) if changed else 0):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        body.data = bytes(changed)
    check(decode(seen))


# Messages of messages: what a mutation of captures seldom reaches.
trees = st.recursive(
    st.binary(max_size=12) | st.sampled_from([b"FP32", b"BYTES", b"x", bytes(8)]),
    lambda inner: st.lists(st.tuples(st.integers(1, 8), inner | st.integers(-2, 300)), max_size=5).map(
        lambda fields: b"".join(
            varint_field(n, value) if isinstance(value, int) else bytes_field(n, value) for n, value in fields
        )
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("target", KNOWN)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    requests=st.lists(trees, max_size=2),
    answers=st.lists(trees, max_size=2),
    flag=st.sampled_from([0, 0, 0, 1, 7]),
)
def test_any_messages_are_read_or_have_a_reason(target, requests, answers, flag):
    seen = posted(target, framed(*requests, flag=flag), framed(*answers), request_headers=GRPC)
    inference = decode(seen)
    check(inference)
    assert repr(inference) == repr(decode(seen))


def test_every_protocol_has_a_capture_whose_features_are_read():
    read_ = {decode(capture(case)).protocol for case in CASES if decode(capture(case)).features}
    assert read_ == {"v2-grpc", "tfs-grpc", "seldon-grpc"}
    assert messages("v2-grpc/mls_iris_raw")
