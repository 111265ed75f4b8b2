"""The Seldon Core v1 protocol over gRPC: the same SeldonMessage as over REST, in protobuf.

Source: seldon-core, proto/prediction.proto. Made into the document that it would be over REST, so that both
mean the same. The trap: steps of an inference graph speak this protocol to each other, too.
"""

from typing import Any, ClassVar

from sidecar.decoders import seldon, tensorflow_tensor
from sidecar.decoders.grpc_service import Asked, GrpcService, Names
from sidecar.decoders.protobuf import Message
from sidecar.decoders.protobuf_values import list_of, value_of
from sidecar.decoders.stack import Table
from sidecar.inference import Inference, Operation

# SeldonMessage; data is one of five, customData (7) nobody can read.
_STATUS, _META, _DATA, _BINARY, _TEXT, _JSON, _CUSTOM = range(1, 8)
# DefaultData.
_NAMES, _TENSOR, _NDARRAY, _TFTENSOR = range(1, 5)
_OTHER_STEPS = ("TransformInput", "TransformOutput", "Route", "Aggregate")


class SeldonGrpc(GrpcService):
    """Reads `data`, `jsonData` and `strData` of a SeldonMessage."""

    name = "seldon-grpc"
    service = "/seldon.protos."
    methods: ClassVar = {"Predict": Operation.PREDICT, **dict.fromkeys(_OTHER_STEPS, Operation.OTHER)}

    def asked(self, method: str, message: Message) -> Names:
        """The puid: Meta {1 puid}."""
        return Names(id=message.message(_META).text(1))

    def answered(self, method: str, message: Message) -> Names:
        """The puid, and the model, where the path went through one step only."""
        said = _answer(message)
        return Names(said.model.name, said.model.version, said.request_id)

    def features(self, method: str, message: Message) -> Table:
        """Columns of the message."""
        inference = Inference(self.name, Operation.PREDICT)
        seldon.fill_features(inference, _document(message))
        return inference.rows, inference.features

    def outputs(self, method: str, message: Message, asked: Asked) -> Table:
        """Columns of the message that came back."""
        inference = Inference(self.name, Operation.PREDICT, rows=asked.rows)
        seldon.fill_outputs(inference, _document(message))
        return asked.rows, inference.outputs

    def error(self, method: str, message: Message) -> str:
        """Why it failed."""
        return _answer(message).error


def _answer(message: Message) -> Inference:
    """What an answer says besides its data: Status {3 reason, 4 status}, Meta {1 puid, 4 requestPath}."""
    status, meta = message.message(_STATUS), message.message(_META)
    path = {step: entry.text(2) for step, entry in meta.entries(4)}
    inference = Inference(SeldonGrpc.name, Operation.OTHER)
    seldon.fill_outputs(inference, {
        "status": {"status": status.integer(4) or 0, "reason": status.text(3)},
        "meta": {"puid": meta.text(1), "requestPath": path},
    })  # fmt: skip
    return inference


def _document(message: Message) -> dict[str, Any]:
    """What the message is over REST, as far as it is read."""
    if message.has(_DATA):
        return {"data": _data(message.message(_DATA))}
    if message.has(_JSON):
        return {"jsonData": value_of(message.message(_JSON))}
    if message.has(_TEXT):
        return {"strData": message.text(_TEXT)}
    return {"binData": ""} if message.has(_BINARY) or message.has(_CUSTOM) else {}


def _data(data: Message) -> dict[str, Any]:
    names = [str(name, "utf-8", "replace") for name in data.spans(_NAMES)]
    if data.has(_NDARRAY):
        return {"names": names, "ndarray": list_of(data.message(_NDARRAY))}
    if data.has(_TENSOR):
        tensor = data.message(_TENSOR)
        shape, values = tensor.integers(1), tensor.numbers(2, "double").tolist()
        return {"names": names, "tensor": {"shape": shape, "values": values}}
    if data.has(_TFTENSOR):
        shape, found = tensorflow_tensor.read(data.message(_TFTENSOR))
        listed = found if isinstance(found, list) else found.tolist()
        return {"names": names, "tensor": {"shape": shape, "values": listed}}
    return {"names": names}
