"""TorchServe over gRPC: a map of named bytes in, bytes out, in whatever form the handler reads and writes.

Source: pytorch/serve, frontend/server/src/main/resources/proto/inference.proto. Each call is one instance to
the handler, though its bytes may hold a batch. The trap: the bytes are as often an image as a number, and
nothing says which.
"""

from typing import Any

from sidecar.decoders import columns, habits, json_text, torchserve
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.grpc_service import Asked, GrpcService, Names
from sidecar.decoders.protobuf import Message
from sidecar.decoders.stack import Table
from sidecar.inference import Column, Inference, Operation, Undecoded

_NAME, _VERSION, _INPUT = 1, 2, 3
_PREDICTION = 1
# What clients call the one input of a handler: not a feature's name.
_WHOLE = frozenset({"data", "body"})
# Longer text is a document, no category.
_LONGEST_TEXT = 1_000


class TorchServeGrpc(GrpcService):
    """Reads JSON and short text; other inputs are a row without features."""

    name = "torchserve-grpc"
    service = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/"
    methods = dict.fromkeys(("Predictions", "StreamPredictions", "StreamPredictions2"), Operation.PREDICT)
    streams = frozenset({"StreamPredictions", "StreamPredictions2"})

    def asked(self, method: str, message: Message) -> Names:
        """PredictionsRequest: 1 model_name, 2 model_version."""
        return Names(message.text(_NAME), message.text(_VERSION))

    def features(self, method: str, message: Message) -> Table:
        """A column for each input that is a scalar; a lone JSON document is read as over REST."""
        inputs = {name: entry.span(2) for name, entry in message.entries(_INPUT)}
        columns.check_width(len(inputs))
        if len(inputs) == 1:
            ((name, data),) = inputs.items()
            value = _value(data)
            if type(value) in (dict, list):
                rows, found, _ = habits.find_rows(value)
                return rows, found
            return 1, _scalars({"input[0]" if name in _WHOLE else name: value})
        if not inputs:
            raise Undecodable(Undecoded.SHAPE, "there is no input")
        return 1, _scalars({name: _value(data) for name, data in inputs.items()})

    def outputs(self, method: str, message: Message, asked: Asked) -> Table:
        """Columns of a prediction in JSON. The pieces of a stream are no predictions."""
        if method in self.streams:
            raise Undecodable(
                Undecoded.STREAM, "the answer is a stream: its parts are not read as predictions"
            )
        inference = Inference(self.name, Operation.PREDICT, rows=asked.rows)
        torchserve.fill_outputs(inference, json_text.read(bytes(message.span(_PREDICTION))))
        return asked.rows, inference.outputs


_NO_FEATURE: Any = object()


def _value(data: memoryview) -> Any:
    """The JSON value of an input, or its text; _NO_FEATURE for bytes and for documents of text."""
    try:
        return json_text.read(bytes(data))
    except Undecodable:
        pass
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError:
        return _NO_FEATURE
    return text if len(text) <= _LONGEST_TEXT else _NO_FEATURE


def _scalars(values: dict[str, Any]) -> list[Column]:
    nested = (dict, list)
    return [
        Column(name, [value])
        for name, value in values.items()
        if value is not _NO_FEATURE and type(value) not in nested
    ]
