"""The Open Inference Protocol (KServe V2) over gRPC: Triton, MLServer, KServe, OpenVINO and others.

Source: github.com/open-inference/open-inference-protocol, specification/protocol/inference_grpc.md, and
Triton's grpc_service.proto. The trap: two servers answer ModelStreamInfer with different messages on the
same path; what they have in common is told apart by field numbers.
"""

from collections.abc import Callable
from itertools import repeat
from typing import Any, ClassVar, NamedTuple

from sidecar.decoders import columns, json_tensors, output_tensors, predictions, raw_tensors, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.grpc_service import Asked, GrpcService, Names
from sidecar.decoders.protobuf import Message, Reader
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
# Tensors that are nothing but name, datatype and shape, their values being elsewhere: a model has a few, and
# they are the same in every call. When full, start again; 300 KB at the very most.
_LONGEST_REMEMBERED = 128
_MAX_REMEMBERED = 512


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
        return tensors.together(_tables(message, _RAW_INPUTS, "input", json_tensors.read))

    def elsewhere(self, method: str, message: Message) -> bool:
        """Whether an input is in shared memory."""
        return message.mentions(_REGION) and any(map(_in_shared_memory, _tensors(message)))

    def outputs(self, method: str, message: Message, asked: Asked) -> Table:
        """Columns of the outputs; the last answer of a decoupled stream may have none."""
        response = _response(method, message)
        if method in self.streams and not response.has(_TENSORS):
            return 0, []
        # A parameter of a requested output. In a stream it would be looked for once for each answer.
        classified = method not in self.streams and b"classification" in asked.data

        def of_texts(tensor: dict[str, Any], unnamed: str) -> Table:
            return output_tensors.read(tensor, unnamed, classified=classified)

        return tensors.together(_tables(response, _RAW_OUTPUTS, predictions.UNNAMED, of_texts))

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


class _Tensor(NamedTuple):
    """A tensor without its values. `message` is None where it holds nothing but the first three."""

    name: str
    datatype: str
    shape: list[int]
    extent: tuple[int, int]
    message: Message | None


_remembered: dict[bytes, _Tensor] = {}


def _tensors(message: Message) -> list[_Tensor]:
    return [_tensor(message.reader, *part) for part in message.parts(_TENSORS)]


def _tensor(reader: Reader, data: bytes, start: int, end: int) -> _Tensor:
    """The tensor in `data[start:end]`; the reader knows if it is malformed. Raises Undecodable: shape."""
    said = data[start:end] if end - start <= _LONGEST_REMEMBERED else b""
    known = _remembered.get(said)
    if known is not None:
        return known
    message = reader.read(data, start, end)
    alone, shape = message.highest <= _SHAPE, message.integers(_SHAPE)
    if len(shape) > _MAX_RANK:
        raise Undecodable(Undecoded.SHAPE, f"a tensor of rank {len(shape)}")
    read = _Tensor(
        message.text(_TENSOR_NAME),
        message.text(_DATATYPE),
        shape,
        tensors.extent_of(shape),
        None if alone else message,
    )
    if alone and said and reader.problem is None:
        if len(_remembered) >= _MAX_REMEMBERED:
            _remembered.clear()
        _remembered[said] = read
    return read


def _tables(
    message: Message, raw: int, unnamed: str, of_texts: Callable[[dict[str, Any], str], Table]
) -> list[Table]:
    """Rows and columns of each tensor; of one in shared memory no columns.

    `of_texts` reads those of BYTES, as they would be over REST. Raises Undecodable.
    """
    found = _tensors(message)
    if not found:
        raise Undecodable(Undecoded.SHAPE, "there are no tensors")
    columns.check_width(len(found))
    raws = _raws(message, found, message.spans(raw))
    return [_table(tensor, raws[i], message, unnamed, of_texts) for i, tensor in enumerate(found)]


def _raws(message: Message, found: list[_Tensor], raws: list[memoryview]) -> list[memoryview | None]:
    """The raw data of each tensor; None for those in shared memory.

    It is in the order of the tensors without contents. One in shared memory may have an empty one, or none.
    Raises Undecodable if there are more than tensors to take them.
    """
    bare = [
        i for i, tensor in enumerate(found) if tensor.message is None or not tensor.message.span(_CONTENTS)
    ]
    if len(raws) == len(bare) == len(found) and not message.mentions(_REGION):
        return [*raws]  # nearly always
    elsewhere = {i for i in bare if _in_shared_memory(found[i])}
    takers = bare if len(raws) == len(bare) else [i for i in bare if i not in elsewhere]
    if len(raws) > len(takers):
        raise Undecodable(Undecoded.SHAPE, "there are more raw tensors than tensors without contents")
    taken = dict(zip(takers, [*raws, *repeat(memoryview(b""), len(takers) - len(raws))], strict=True))
    return [None if i in elsewhere else taken.get(i, memoryview(b"")) for i in range(len(found))]


def _in_shared_memory(tensor: _Tensor) -> bool:
    if tensor.message is None:
        return False
    return any(key.encode() == _REGION for key, _ in tensor.message.entries(_PARAMETERS))


def _content_type(message: Message | None) -> str:
    """MLServer's content type of a request, an answer or a tensor: InferParameter {3 string_param}."""
    if message is None or not message.has(_PARAMETERS):
        return ""
    entries = message.entries(_PARAMETERS)
    return next((entry.message(2).text(3) for key, entry in entries if key == "content_type"), "")


def _table(
    tensor: _Tensor,
    raw: memoryview | None,
    request: Message,
    unnamed: str,
    of_texts: Callable[[dict[str, Any], str], Table],
) -> Table:
    name, datatype, shape, extent, message = tensor
    if raw is None:
        return extent[0], []
    values = _values(tensor, raw)
    if datatype != "BYTES":
        return tensors.columns_of_extent(name or unnamed, shape, extent, values)
    texts = {"name": name, "shape": shape, "datatype": datatype, "data": values}
    # Only text is ever something else than what it says.
    content_type = _content_type(message) or _content_type(request)
    if content_type:
        texts["parameters"] = {"content_type": content_type}
    return of_texts(texts, unnamed)


def _values(tensor: _Tensor, raw: memoryview) -> Any:
    """What is in the contents, if there is anything, else the raw data. Raises Undecodable."""
    contents = None if tensor.message is None else tensor.message.message(_CONTENTS)
    if contents is None or not contents.highest:
        return raw_tensors.read(tensor.datatype, tensor.extent[1], raw)
    if tensor.datatype == "BYTES":
        return [raw_tensors.text_of(element) for element in contents.spans(_BYTES_CONTENTS)]
    if tensor.datatype not in _TYPED:
        raise Undecodable(Undecoded.SHAPE, "contents of a datatype that has none")
    return contents.numbers(*_TYPED[tensor.datatype])
