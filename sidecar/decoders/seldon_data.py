"""The `data` of a SeldonMessage: `ndarray`, `tensor` or `tftensor`, and names for what is in it.

Source: seldon-core, proto/prediction.proto (DefaultData); tensorflow/core/framework/tensor.proto. The trap:
names are positions of a row, but a flat `ndarray` may be that row or a column; only as many names tell.
"""

import base64
from typing import Any

import numpy as np

from sidecar.decoders import columns, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

# Number of TensorProto's JSON members that hold values, and what `tensorContent` holds.
_VALUES = ("floatVal", "doubleVal", "intVal", "int64Val", "boolVal", "uint32Val", "uint64Val", "halfVal")
_TYPES = {
    "DT_FLOAT": "<f4", "DT_DOUBLE": "<f8", "DT_INT32": "<i4", "DT_INT64": "<i8", "DT_INT16": "<i2",
    "DT_INT8": "i1", "DT_UINT8": "u1", "DT_BOOL": "?", "DT_HALF": "<f2",
    "1": "<f4", "2": "<f8", "3": "<i4", "9": "<i8", "4": "u1", "10": "?",
}  # fmt: skip

Table = tuple[int, list[Column]]


def is_data(data: dict[str, Any]) -> bool:
    """Whether an object is such data: told by the one member it must have."""
    return (
        type(data.get("ndarray")) is list
        or (type(data.get("tensor")) is dict and "values" in data["tensor"])
        or type(data.get("tftensor")) is dict
    )


def read(data: Any, prefix: str, lone: str = "") -> Table:
    """Rows and columns, called by `names` where there is one for each. Raises Undecodable."""
    if type(data) is not dict:
        raise Undecodable(Undecoded.SHAPE, "data is not an object")
    names = data.get("names")
    names = names if type(names) is list and all(type(name) in (str, int) for name in names) else []
    if type(data.get("ndarray")) is list:
        rows, found = _ndarray(data["ndarray"], names, prefix, lone)
    elif type(data.get("tensor")) is dict:
        tensor = data["tensor"]
        rows, found = _tensor(tensor.get("shape"), tensors.flat(tensor.get("values")), prefix, lone)
    elif type(data.get("tftensor")) is dict:
        rows, found = _tftensor(data["tftensor"], prefix, lone)
    else:
        raise Undecodable(Undecoded.SHAPE, "data is neither ndarray nor tensor nor tftensor")
    columns.check_rows(rows)
    summarised = any(column.name.startswith(f"{prefix}.") for column in found)
    if len(names) == len(found) and not summarised:
        found = columns.unique(Column(str(n)[:200], c.values) for n, c in zip(names, found, strict=True))
    return rows, found


def _ndarray(values: list[Any], names: list[Any], prefix: str, lone: str) -> Table:
    nested = {dict, list} & set(map(type, values))
    if not nested and len(names) == len(values) > 1:
        values = [values]
    return len(values), columns.of_rows(values, prefix, lone)


def _tensor(shape: Any, values: list[Any], prefix: str, lone: str) -> Table:
    lone = lone or f"{prefix}[0]"
    one = type(shape) is list and len(shape) < 3 and shape[1:] in ([], [1])
    return tensors.columns_of_flat(lone if one else prefix, shape, values)


def _tftensor(tensor: dict[str, Any], prefix: str, lone: str) -> Table:
    shape = [_size(dim) for dim in _dims(tensor.get("tensorShape", tensor.get("tensor_shape")))]
    size = tensors.extent_of(shape)[1]
    values = _content(tensor) or _listed(tensor)
    # What is left out is the last value again.
    if 0 < len(values) < size:
        columns.check_cells(size)
        values = values + [values[-1]] * (size - len(values))
    return _tensor(shape, values, prefix, lone)


def _dims(shape: Any) -> list[Any]:
    dims = shape.get("dim") if type(shape) is dict else None
    return dims if type(dims) is list else []


def _size(dim: Any) -> int:
    """A dimension; 64-bit integers are text in protobuf's JSON."""
    size = dim.get("size") if type(dim) is dict else None
    if type(size) is str and size.isascii() and size.isdigit() and len(size) < 12:
        return int(size)
    if type(size) is not int:
        raise Undecodable(Undecoded.SHAPE, "a dimension has no size")
    return size


def _content(tensor: dict[str, Any]) -> list[Any]:
    content, dtype = tensor.get("tensorContent", tensor.get("tensor_content")), tensor.get("dtype")
    kind = _TYPES.get(str(dtype)[:20])
    if type(content) is not str or not content or kind is None:
        return []
    try:
        return list(np.frombuffer(base64.b64decode(content), kind).tolist())
    except ValueError as error:
        raise Undecodable(Undecoded.SHAPE, "tensorContent is not what its type says") from error


def _listed(tensor: dict[str, Any]) -> list[Any]:
    for name in _VALUES:
        values = tensor.get(name, tensor.get(name.replace("Val", "_val")))
        if type(values) is list and values:
            return [_number(value) for value in values] if "64" in name else values
    return []


def _number(value: Any) -> Any:
    """An integer of 64 bits, which protobuf's JSON writes as text."""
    text = value if type(value) is str and len(value) <= 20 else ""
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and text.count("-") < 2 else value
