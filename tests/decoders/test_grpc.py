"""Calls told by service and method, and the names in their first message."""

import gzip
from pathlib import Path

import pytest

from sidecar import decoders
from sidecar.exchange import BodyProblem, Outcome
from sidecar.inference import ModelRef, Operation
from tests.decoders.reading import decode, posted, refused

GRPC = {"content-type": "application/grpc"}
WIRE = Path(__file__).parent.parent / "cases" / "wire"
V2 = "/inference.GRPCInferenceService/ModelInfer"
TFS = "/tensorflow.serving.PredictionService/"
TORCHSERVE = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/"


def framed(message: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


def field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


def call(target, request=b"", answer=b"", **more):
    return posted(target, framed(request), framed(answer), request_headers=GRPC, **more)


def message(case: str, side: str = "req") -> bytes:
    return (WIRE / f"{case}.s1.{side}.0.msg").read_bytes()


@pytest.mark.parametrize(
    ("target", "protocol", "operation"),
    [
        (V2, "v2-grpc", Operation.PREDICT),
        ("/inference.GRPCInferenceService/ModelStreamInfer", "v2-grpc", Operation.PREDICT),
        (TFS + "Predict", "tfs-grpc", Operation.PREDICT),
        (TFS + "MultiInference", "tfs-grpc", Operation.PREDICT),
        ("/seldon.protos.Model/Predict", "seldon-grpc", Operation.PREDICT),
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


@pytest.mark.parametrize(
    ("case", "model", "id"),
    [
        ("v2-grpc/mls_iris_raw", ModelRef("iris", "v1.2"), "g-1"),
        ("v2-grpc/ks_iris_raw_in_contents_out", ModelRef("iris"), "kg-1"),
    ],
)
def test_model_version_and_id_of_captures_are_read(case, model, id):
    inference = decode(call(V2, message(case), message(case, "resp")))
    assert (inference.model, inference.request_id) == (model, id)
    assert inference.undecoded is None and inference.features == [] and inference.outputs == []


def test_a_compressed_message_is_read_too():
    seen = posted(V2, framed(gzip.compress(field(1, "churn") + field(2, "7")), 1), request_headers=GRPC)
    assert decode(seen).model == ModelRef("churn", "7")


def test_the_version_that_answered_counts():
    inference = decode(call(V2, field(1, "churn"), field(1, "churn") + field(2, "8") + field(3, "id-9")))
    assert (inference.model, inference.request_id) == (ModelRef("churn", "8"), "id-9")


def test_the_model_of_a_failed_call_is_known():
    assert refused(V2, framed(field(1, "churn")), request_headers=GRPC).model == ModelRef("churn")


def test_tensorflow_serving_says_its_model_in_a_message_of_its_own():
    asked = field(1, field(1, "half_plus_two") + field(2, b"\x08\x03"))
    answered = field(1, field(1, "outputs")) + field(2, field(1, "half_plus_two") + field(2, b"\x08\x7b"))
    assert refused(TFS + "Predict", framed(asked), request_headers=GRPC).model == ModelRef(
        "half_plus_two", "3"
    )
    assert decode(call(TFS + "Predict", asked, answered)).model == ModelRef("half_plus_two", "123")
    labelled = field(1, field(1, "m") + field(4, "stable"))
    assert decode(call(TFS + "Predict", labelled)).model == ModelRef("m", "stable")
    tasks = field(1, field(1, field(1, "m")) + field(2, "classify"))
    assert decode(call(TFS + "MultiInference", tasks)).model == ModelRef("m")


def test_a_captured_regression_names_its_model():
    case = "tfs-grpc/regress"
    assert decode(call(TFS + "Regress", message(case), message(case, "resp"))).model == ModelRef("m")


def test_torchserve_and_seldon_say_what_they_have():
    torchserve = decode(call(TORCHSERVE + "Predictions", field(1, "sum") + field(2, "2.0")))
    assert torchserve.model == ModelRef("sum", "2.0")
    seldon = decode(call("/seldon.protos.Model/Predict", field(2, field(1, "puid-1")) + field(3, b"")))
    assert (seldon.model, seldon.request_id) == (ModelRef(), "puid-1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x00\xff\xff\xff\xff",
        b"\x01\x00\x00\x00\x05abcde",
        framed(field(1, b"\xff\xfe")),
        framed(b"\x08\x05\x10\x05\x18\x05"),
        framed(b"\x0a\xff\xff\xff\xff\x0f"),
        framed(b"\x10\x01" * 100_000),
    ],
)
@pytest.mark.parametrize(
    "target", [V2, TFS + "Predict", TFS + "MultiInference", "/seldon.protos.Seldon/Predict"]
)
def test_a_message_that_cannot_be_read_names_no_model_and_is_not_undecoded(target, body):
    inference = decode(posted(target, body, body, request_headers=GRPC))
    assert inference.model == ModelRef() and inference.undecoded is None


def test_a_body_that_was_lost_names_no_model_and_is_not_undecoded():
    seen = call(V2, outcome=Outcome.OK)
    seen.request.data, seen.request.problem = b"", BodyProblem.GAP
    assert decode(seen).undecoded is None


def test_a_name_is_never_long():
    message = b"\x0a" + b"\x80\x80\x08" + b"n" * 131_072
    assert len(decode(call(V2, message)).model.name) <= 256


def test_a_compressed_bomb_costs_a_look_at_its_beginning():
    bomb = framed(gzip.compress(field(1, "churn") + bytes(50_000_000)), 1)
    assert decode(posted(V2, bomb, request_headers=GRPC)).model.name == "churn"
