"""TensorFlow Serving over gRPC: Predict, Classify, Regress, MultiInference.

Source: tensorflow_serving/apis/prediction_service.proto and the messages it names. The trap: a request rarely
says which version it wants, and may ask for a label; the answer says which version it was.
"""

from sidecar.decoders import columns, tensorflow_examples, tensorflow_tensor
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.grpc_service import Asked, GrpcService, Names
from sidecar.decoders.protobuf import Message
from sidecar.decoders.stack import Table
from sidecar.inference import Column, Operation, Undecoded


class TensorFlowGrpc(GrpcService):
    """Reads tensors and examples, outputs and results."""

    name = "tfs-grpc"
    service = "/tensorflow.serving.PredictionService/"
    methods = dict.fromkeys(("Predict", "Classify", "Regress", "MultiInference"), Operation.PREDICT)

    def asked(self, method: str, message: Message) -> Names:
        """The model_spec: field 1 of each request, and of each task of a MultiInference."""
        return _names(message.message(1).message(1) if method == "MultiInference" else message.message(1))

    def answered(self, method: str, message: Message) -> Names:
        """The model_spec of the answer, or of its first result."""
        return _names(message.message(1).message(1) if method == "MultiInference" else message.message(2))

    def features(self, method: str, message: Message) -> Table:
        """Columns of the inputs, or of the examples."""
        if method == "Predict":
            return _tensors(message, 2)
        return tensorflow_examples.rows_of(message.message(2))

    def outputs(self, method: str, message: Message, asked: Asked) -> Table:
        """Columns of the outputs, or one or two for each result."""
        if method == "Predict":
            return _tensors(message, 1)
        if method == "MultiInference":
            return _of_columns(_results(message.messages(1)))
        return _of_columns(_result(method, message.message(1)))


def _names(spec: Message) -> Names:
    """ModelSpec: 1 name, 2 version {1 value}, 4 version_label. A label stands for a version."""
    number = spec.message(2).integer(1)
    return Names(spec.text(1), spec.text(4) if number is None else str(number))


def _tensors(message: Message, number: int) -> Table:
    found = [(name, entry.message(2)) for name, entry in message.entries(number)]
    return tensorflow_tensor.columns_of(found)


def _result(method: str, result: Message) -> list[Column]:
    if method == "Classify":
        return tensorflow_examples.of_classifications(result)
    return tensorflow_examples.of_regressions(result)


def _results(found: list[Message]) -> list[Column]:
    """InferenceResult: 1 model_spec {3 signature_name}, 2 classification or 3 regression.

    Columns are called after the signature where several results would have the same.
    """
    columns.check_width(len(found))
    several = len(found) > 1
    outputs = []
    for result in found:
        kind, number = ("Classify", 2) if result.has(2) else ("Regress", 3)
        prefix = f"{result.message(1).text(3)}." if several else ""
        those = _result(kind, result.message(number))
        outputs += [Column(prefix + column.name, column.values) for column in those]
    return columns.unique(outputs)


def _of_columns(outputs: list[Column]) -> Table:
    lengths = {len(column.values) for column in outputs}
    if len(lengths) != 1:
        raise Undecodable(Undecoded.SHAPE, "the results are of different length, or there are none")
    return columns.check_rows(lengths.pop()), outputs
