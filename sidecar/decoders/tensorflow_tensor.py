"""TensorFlow's TensorProto, as TensorFlow Serving and Seldon send it.

Source: tensorflow/core/framework/tensor.proto, types.proto and tensor.cc. Values are in `tensor_content`,
or in the field of their type. The trap: fewer values than elements are legal, the last one fills the rest,
so a few bytes may stand for a tensor of any size.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.decoders import columns, raw_tensors, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf import Message
from sidecar.decoders.stack import Table
from sidecar.inference import Undecoded

Values = list[Any] | npt.NDArray[Any]

_DTYPE, _SHAPE, _CONTENT, _STRINGS, _HALVES = 1, 2, 4, 8, 13
# Of TensorShapeProto, and of a Dim in it.
_DIMS, _UNKNOWN_RANK, _SIZE = 2, 3, 1
# DataType, by the names that raw data has in the Open Inference Protocol.
_DATATYPES = {
    1: "FP32", 2: "FP64", 3: "INT32", 4: "UINT8", 5: "INT16", 6: "INT8", 7: "BYTES", 9: "INT64", 10: "BOOL",
    14: "BF16", 17: "UINT16", 19: "FP16", 22: "UINT32", 23: "UINT64",
}  # fmt: skip
# The field of each type, and the scalar in it.
_TYPED = {
    "FP32": (5, "float"), "FP64": (6, "double"), "INT64": (10, "int64"), "BOOL": (11, "bool"),
    "UINT32": (16, "uint32"), "UINT64": (17, "uint64"),
    **dict.fromkeys(("INT32", "INT16", "INT8", "UINT8", "UINT16"), (7, "int32")),
}  # fmt: skip
# What TensorFlow allows; numpy less.
_MAX_RANK = 254


def columns_of(found: list[tuple[str, Message]]) -> Table:
    """Rows and columns of named tensors. Raises Undecodable."""
    columns.check_width(len(found))
    # Counted before any is filled.
    columns.check_cells(sum(_to_fill(tensor) for _, tensor in found))
    return tensors.together([tensors.columns_of_flat(name, *read(tensor)) for name, tensor in found])


def read(tensor: Message) -> tuple[list[int], Values]:
    """Shape and values of a tensor, the last value filling what is left out. Raises Undecodable."""
    shape = shape_of(tensor)
    size = tensors.size_of(shape)
    datatype = _datatype(tensor)
    content = tensor.span(_CONTENT)
    if content:
        if datatype == "BYTES":
            raise Undecodable(Undecoded.SHAPE, "text in tensor_content")
        return shape, raw_tensors.read(datatype, size, content)
    values = _typed(tensor, datatype)
    if len(values) >= size:
        return shape, values
    columns.check_cells(size)
    return shape, _filled(values, size)


def shape_of(tensor: Message) -> list[int]:
    """The shape; [] is a scalar. Raises Undecodable if it is not known."""
    shape = tensor.message(_SHAPE)
    dims = shape.messages(_DIMS)
    if shape.integer(_UNKNOWN_RANK) or len(dims) > _MAX_RANK:
        raise Undecodable(Undecoded.SHAPE, "a tensor of unknown rank, or of a rank that no tensor has")
    return [dim.integer(_SIZE) or 0 for dim in dims]


def _datatype(tensor: Message) -> str:
    datatype = _DATATYPES.get(tensor.integer(_DTYPE) or 0)
    if datatype is None:
        raise Undecodable(Undecoded.SHAPE, "a tensor is of a type that is not read")
    return datatype


def _to_fill(tensor: Message) -> int:
    """How many elements a tensor claims that are not in its content."""
    return 0 if tensor.span(_CONTENT) else tensors.size_of(shape_of(tensor))


def _typed(tensor: Message, datatype: str) -> Values:
    if datatype == "BYTES":
        return [raw_tensors.text_of(element) for element in tensor.spans(_STRINGS)]
    if datatype in _TYPED:
        return tensor.numbers(*_TYPED[datatype])
    # The lower 16 bits of each number.
    halves = tensor.numbers(_HALVES, "int32").astype("<u2")
    return raw_tensors.read(datatype, len(halves), halves.tobytes())


def _filled(values: Values, size: int) -> Values:
    """`size` values: the last one again, or zeros where there is none."""
    missing = size - len(values)
    if isinstance(values, list):
        return values + values[-1:] * missing if values else [""] * size
    last = values[-1] if len(values) else values.dtype.type(0)
    return np.concatenate((values, np.full(missing, last, values.dtype)))
