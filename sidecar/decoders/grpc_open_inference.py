"""The Open Inference Protocol (KServe V2) over gRPC: Triton, MLServer, KServe, OpenVINO and others.

Source: github.com/open-inference/open-inference-protocol, specification/protocol/inference_grpc.md, and
Triton's grpc_service.proto. The trap: two servers answer ModelStreamInfer with different messages on the
same path; what they have in common is told apart by field numbers.
"""

from itertools import repeat
from typing import Any, ClassVar

from sidecar.decoders import columns, json_tensors, output_tensors, predictions, raw_tensors, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.grpc_service import Asked, GrpcService, Names
from sidecar.decoders.protobuf import Message
from sidecar.decoders.stack import Table
from sidecar.inference import Operation, Undecoded

# ModelInferRequest and ModelInferResponse agree on what is read here, but for where raw tensors are.
_NAME, _VERSION, _ID, _TENSORS, _RAW_OUTPUTS, _RAW_INPUTS = 1, 2, 3, 5, 6, 7
# Of a tensor.
_TENSOR_NAME, _DATATYPE, _SHAPE, _PARAMETERS, _CONTENTS = 1, 2, 3, 4, 5
# InferTensorContents: the field of each datatype, and the scalar in it. FP16 and BF16 only come raw.
_TYPED = {
    "BOOL": (1, "bool"),
    "INT8": (2, "int32"), "INT16": (2, "int32"), "INT32": (2, "int32"), "INT64": (3, "int64"),
    "UINT8": (4, "uint32"), "UINT16": (4, "uint32"), "UINT32": (4, "uint32"), "UINT64": (5, "uint64"),
    "FP32": (6, "float"), "FP64": (7, "double"),
}  # fmt: skip
_BYTES_CONTENTS = 8
# ModelStreamInferResponse, Triton's: 1 error_message, 2 infer_response.
_STREAM_ERROR, _STREAM_RESPONSE = 1, 2
# The parameter of a tensor that is in shared memory.
_REGION = b"shared_memory_region"
# As deep as numpy goes.
_MAX_RANK = 64


class OpenInferenceGrpc(GrpcService):
    """Reads tensors, typed or raw, of calls and streams."""

    name = "v2-grpc"
    service = "/inference.GRPCInferenceService/"
    methods: ClassVar = {"ModelInfer": Operation.PREDICT, "ModelStreamInfer": Operation.PREDICT}
    streams = frozenset({"ModelStreamInfer"})

    def asked(self, method: str, message: Message) -> Names:
        """Model, version and id of a ModelInferRequest."""
        return Names(message.text(_NAME), message.text(_VERSION), message.text(_ID))

    def answered(self, method: str, message: Message) -> Names:
        """The same of a ModelInferResponse."""
        return self.asked(method, _response(method, message))

    def features(self, method: str, message: Message) -> Table:
        """Columns of the inputs."""
        inputs = _tensors(message, _RAW_INPUTS)
        return tensors.together([json_tensors.read(tensor, "input") for tensor in inputs])

    def elsewhere(self, method: str, message: Message) -> bool:
        """Whether an input is in shared memory."""
        return message.mentions(_REGION) and any(map(_in_shared_memory, message.messages(_TENSORS)))

    def outputs(self, method: str, message: Message, asked: Asked) -> Table:
        """Columns of the outputs; the last answer of a decoupled stream may have none."""
        response = _response(method, message)
        if method in self.streams and not response.has(_TENSORS):
            return 0, []
        # A parameter of a requested output. In a stream it would be looked for once for each answer.
        classified = method not in self.streams and b"classification" in asked.data
        unnamed = predictions.UNNAMED
        found = _tensors(response, _RAW_OUTPUTS)
        return tensors.together(
            [output_tensors.read(tensor, unnamed, classified=classified) for tensor in found]
        )

    def error(self, method: str, message: Message) -> str:
        """Triton reports what goes wrong with one request of a stream inside it, the status being OK."""
        failed = method in self.streams and not _is_bare(message) and message.text(_STREAM_ERROR)
        return "error" if failed else ""


def _response(method: str, message: Message) -> Message:
    """The ModelInferResponse in an answer: itself (MLServer) or in a wrapping (Triton)."""
    if method == "ModelInfer" or _is_bare(message):
        return message
    return message.message(_STREAM_RESPONSE)


def _is_bare(message: Message) -> bool:
    """Whether an answer in a stream is no wrapping, which has two fields only."""
    return message.highest > _STREAM_RESPONSE


def _tensors(message: Message, raw: int) -> list[dict[str, Any]]:
    """The tensors as they would be over REST, but for arrays as data; None in shared memory.

    Raises Undecodable.
    """
    found = message.messages(_TENSORS)
    if not found:
        raise Undecodable(Undecoded.SHAPE, "there are no tensors")
    columns.check_width(len(found))
    raws = _raws(message, found, message.spans(raw))
    content_type = _content_type(message)
    return [_tensor(tensor, raws[i], content_type) for i, tensor in enumerate(found)]


def _raws(message: Message, found: list[Message], raws: list[memoryview]) -> list[memoryview | None]:
    """The raw data of each tensor; None for those in shared memory.

    It is in the order of the tensors without contents. One in shared memory may have an empty one, or none.
    Raises Undecodable if there are more than tensors to take them.
    """
    bare = [i for i, tensor in enumerate(found) if not tensor.has(_CONTENTS) or not tensor.span(_CONTENTS)]
    if len(raws) == len(bare) == len(found) and not message.mentions(_REGION):
        return [*raws]  # nearly always
    elsewhere = {i for i in bare if _in_shared_memory(found[i])}
    takers = bare if len(raws) == len(bare) else [i for i in bare if i not in elsewhere]
    if len(raws) > len(takers):
        raise Undecodable(Undecoded.SHAPE, "there are more raw tensors than tensors without contents")
    taken = dict(zip(takers, [*raws, *repeat(memoryview(b""), len(takers) - len(raws))], strict=True))
    return [None if i in elsewhere else taken.get(i, memoryview(b"")) for i in range(len(found))]


def _in_shared_memory(tensor: Message) -> bool:
    return any(key.encode() == _REGION for key, _ in tensor.entries(_PARAMETERS))


def _content_type(message: Message) -> str:
    """MLServer's content type of a request, an answer or a tensor: InferParameter {3 string_param}."""
    entries = message.entries(_PARAMETERS) if message.has(_PARAMETERS) else []
    return next((entry.message(2).text(3) for key, entry in entries if key == "content_type"), "")


def _tensor(tensor: Message, raw: memoryview | None, content_type: str) -> dict[str, Any]:
    shape, datatype = tensor.integers(_SHAPE), tensor.text(_DATATYPE)
    if len(shape) > _MAX_RANK:
        raise Undecodable(Undecoded.SHAPE, f"a tensor of rank {len(shape)}")
    found: dict[str, Any] = {"name": tensor.text(_TENSOR_NAME), "shape": shape, "datatype": datatype}
    if raw is None:
        return found
    contents = tensor.message(_CONTENTS)
    if contents.highest:
        found["data"] = _typed(datatype, contents)
    else:
        found["data"] = raw_tensors.read(datatype, tensors.size_of(shape), raw)
    # Only text is ever something else than what it says.
    content_type = _content_type(tensor) or content_type
    if content_type and datatype == "BYTES":
        found["parameters"] = {"content_type": content_type}
    return found


def _typed(datatype: str, contents: Message) -> Any:
    """The values in the contents, from the field that is the datatype's."""
    if datatype == "BYTES":
        return [raw_tensors.text_of(element) for element in contents.spans(_BYTES_CONTENTS)]
    if datatype not in _TYPED:
        raise Undecodable(Undecoded.SHAPE, "contents of a datatype that has none")
    return contents.numbers(*_TYPED[datatype])
