"""Inference over gRPC: claimed by service and method, so that it is counted and timed as what it is. Of its
payload only names are read: model, version, id. Tensors are not looked at, and not counted as undecoded.

The trap: a path names a service, often "…Inference…" or "…Prediction…", also when the method is a probe.
"""

import zlib
from collections.abc import Mapping

from sidecar.decoders import paths, protobuf
from sidecar.decoders.decoder import Claim
from sidecar.exchange import CapturedBody, Exchange
from sidecar.inference import Inference, ModelRef, Operation

_PREFIX_BYTES = 5
# Names come first in every one of these messages; behind them are tensors.
_READ_BYTES = 64 * 1024
_READ_FIELDS = 64
_LONGEST_NAME = 256
_ANY_HEADER = 32 + zlib.MAX_WBITS
# Plumbing that any gRPC server may have besides its model.
_PLUMBING = ("/grpc.", "/opentelemetry.", "/envoy.")

Methods = Mapping[str, Operation]


class Grpc:
    """A protocol over gRPC, told by its service. `methods` empty: all but those that are no inference."""

    def __init__(self, name: str, service: str, methods: Methods) -> None:
        self.name = name
        self._service = service
        self._methods = methods

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """A call of one of the methods of the service."""
        if method != "POST" or not is_grpc(media) or not path.startswith(self._service):
            return None
        called = path.rpartition("/")[2]
        operation = self._methods.get(called) if self._methods else _operation(path)
        if operation is None:
            return None
        return Claim(self.name, operation, evidence=f"the call is one of {self.name}'s")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Model, version and id, as far as the first message says them."""
        message = first_message(exchange.request)
        if exchange.path.endswith("/MultiInference"):
            # Its tasks are field 1; each has its model where other requests have theirs.
            message = _bytes(_read(message), 1)
        name, version, id = _NAMES_ASKED.get(self.name, _nothing)(message)
        inference.model = ModelRef(name, version)
        inference.request_id = id or inference.request_id

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """The version that answered, and what the request did not say."""
        if exchange.streamed:
            return
        message = first_message(exchange.response)
        name, version, id = _NAMES_ANSWERED.get(self.name, _nothing)(message)
        model = inference.model
        inference.model = ModelRef(model.name or name, version or model.version)
        inference.request_id = inference.request_id or id


def is_grpc(media: str) -> bool:
    """Whether a media type is gRPC's own; gRPC-Web is another."""
    return media == "application/grpc" or media.startswith("application/grpc+")


def first_message(body: CapturedBody) -> bytes:
    """The beginning of the first message of a gRPC body, uncompressed; b"" if there is none to read."""
    data = body.data
    message = data[_PREFIX_BYTES : _PREFIX_BYTES + int.from_bytes(data[1:_PREFIX_BYTES], "big")]
    if not data or data[0] == 0:
        return message[:_READ_BYTES]
    try:
        return zlib.decompressobj(_ANY_HEADER).decompress(message, _READ_BYTES)
    except zlib.error:
        return b""


def _operation(path: str) -> Operation | None:
    """What a call of a service nobody knows is: inference of some kind, unless its name says otherwise."""
    if path.startswith(_PLUMBING) or paths.kind_of("POST", path) != "other":
        return None
    return Operation.OTHER


Said = tuple[str, str, str]


def _nothing(message: bytes) -> Said:
    return "", "", ""


def _open_inference(message: bytes) -> Said:
    """ModelInferRequest and ModelInferResponse alike: 1 model_name, 2 model_version, 3 id."""
    said = _read(message)
    return _text(said, 1), _text(said, 2), _text(said, 3)


def _torchserve(message: bytes) -> Said:
    """PredictionsRequest: 1 model_name, 2 model_version."""
    said = _read(message)
    return _text(said, 1), _text(said, 2), ""


def _seldon(message: bytes) -> Said:
    """SeldonMessage: 2 meta {1 puid}."""
    return "", "", _text(_read(_bytes(_read(message), 2)), 1)


def _tensorflow_request(message: bytes) -> Said:
    return *_model_spec(_bytes(_read(message), 1)), ""


def _tensorflow_answer(message: bytes) -> Said:
    return *_model_spec(_bytes(_read(message), 2)), ""


def _model_spec(message: bytes) -> tuple[str, str]:
    """ModelSpec: 1 name, 2 version {1 value}, 4 version_label."""
    said = _read(message)
    number = _read(_bytes(said, 2)).get(1)
    return _text(said, 1), str(number) if isinstance(number, int) else _text(said, 4)


_NAMES_ASKED = {
    "v2-grpc": _open_inference,
    "tfs-grpc": _tensorflow_request,
    "seldon-grpc": _seldon,
    "torchserve-grpc": _torchserve,
}
_NAMES_ANSWERED = {"v2-grpc": _open_inference, "tfs-grpc": _tensorflow_answer, "seldon-grpc": _seldon}


def _read(message: bytes) -> dict[int, int | bytes]:
    """The first fields of a message by number; of a field that is repeated, the last one counts."""
    pairs = protobuf.fields(message)
    return dict(pair for _, pair in zip(range(_READ_FIELDS), pairs, strict=False))


def _bytes(said: Mapping[int, int | bytes], number: int) -> bytes:
    value = said.get(number)
    return value if isinstance(value, bytes) else b""


def _text(said: Mapping[int, int | bytes], number: int) -> str:
    try:
        return _bytes(said, number).decode()[:_LONGEST_NAME]
    except UnicodeDecodeError:
        return ""


_PREDICT, _OTHER = Operation.PREDICT, Operation.OTHER
# The one without methods is asked last.
ALL = (
    Grpc(
        "v2-grpc",
        "/inference.GRPCInferenceService/",
        {"ModelInfer": _PREDICT, "ModelStreamInfer": _PREDICT},
    ),
    Grpc(
        "tfs-grpc",
        "/tensorflow.serving.PredictionService/",
        dict.fromkeys(("Predict", "Classify", "Regress", "MultiInference"), _PREDICT),
    ),
    Grpc(
        "seldon-grpc",
        "/seldon.protos.",
        {
            "Predict": _PREDICT,
            **dict.fromkeys(("TransformInput", "TransformOutput", "Route", "Aggregate"), _OTHER),
        },
    ),
    Grpc(
        "torchserve-grpc",
        "/org.pytorch.serve.grpc.inference.InferenceAPIsService/",
        dict.fromkeys(("Predictions", "StreamPredictions", "StreamPredictions2"), _PREDICT),
    ),
    Grpc("grpc", "/", {}),
)
