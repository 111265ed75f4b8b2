"""Say what is called and what is answered over gRPC; get what it was read as."""

import json
from pathlib import Path
from typing import Any

from sidecar.exchange import Exchange, grpc_code, outcome_of_grpc
from sidecar.inference import Inference
from tests.decoders import captures
from tests.decoders.protobuf_encoder import bytes_field, framed, packed
from tests.decoders.reading import decode, posted

GRPC = {"content-type": "application/grpc"}
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
TFS = "/tensorflow.serving.PredictionService/"
SELDON = "/seldon.protos.Model/Predict"
TORCHSERVE = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/"
# Captures that hold messages of inference.
CASES = sorted(
    str(path.relative_to(captures.WIRE))[: -len(".meta.json")]
    for path in captures.WIRE.glob("*-grpc/*.meta.json")
    if "metadata" not in path.name
)


def called(target: str, request: Any = b"", answer: Any = b"", **more: Any) -> Exchange:
    """A call; several messages are a list."""
    more = {"request_headers": GRPC, "response_headers": GRPC, **more}
    return posted(target, _framed(request), _framed(answer), **more)


def read(target: str, request: Any = b"", answer: Any = b"", **more: Any) -> Inference:
    return decode(called(target, request, answer, **more))


def capture(case: str) -> Exchange:
    """The first call of a capture, from its messages."""
    said = json.loads((captures.WIRE / f"{case}.meta.json").read_text())["grpc"]["stream1"]
    headers = dict(said["req_headers"][0])
    code = grpc_code(dict(said["resp_headers"][-1])["grpc-status"])
    return posted(
        headers[":path"],
        framed(*messages(case, "req")),
        framed(*messages(case, "resp")),
        request_headers=headers,
        response_headers=dict(said["resp_headers"][0]),
        streamed=len(said["resp_messages"]) > 1,
        outcome=outcome_of_grpc(code),
        grpc_status=code,
    )


def messages(case: str, side: str = "req") -> list[bytes]:
    paths: list[Path] = sorted(captures.WIRE.glob(f"{case}.s1.{side}.*.msg"))
    return [path.read_bytes() for path in paths]


def tensor(name: str, datatype: str, shape: list[int], contents: bytes = b"", more: bytes = b"") -> bytes:
    """An InferInputTensor or InferOutputTensor, as the field of its message."""
    encoded = bytes_field(1, name) + bytes_field(2, datatype) + packed(3, "int64", shape) + more
    return bytes_field(5, encoded + (bytes_field(5, contents) if contents else b""))


def _framed(messages_: Any) -> bytes:
    return framed(*messages_) if isinstance(messages_, list) else framed(messages_)
