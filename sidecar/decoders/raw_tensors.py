"""Raw tensor data of the Open Inference Protocol, over REST and gRPC: little endian, row-major, unpadded.

Source: Triton's extension_binary_data.md and grpc_service.proto (`raw_input_contents`). Knows no shape
beyond a number of elements: `tensors.columns_of_flat` makes columns of what is read here. The trap: the
number is a claim, so it is compared with the bytes before anything of its size exists.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.counting import counted
from sidecar.decoders import columns
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded

Array = npt.NDArray[Any]

_DTYPES: dict[str, np.dtype[Any]] = {
    "INT8": np.dtype("i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"), "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
    "BOOL": np.dtype("u1"), "BF16": np.dtype("<u2"),
}  # fmt: skip
_LENGTH = struct.Struct("<I")
_LENGTH_BYTES = _LENGTH.size

# What stands for an element of BYTES that is not text. One constant: its content is nobody's business, and
# as a level it makes a text column that turns binary show up.
BINARY = "<binary>"


def read(datatype: str, count: int, data: bytes | memoryview) -> Array | list[Any]:
    """`count` elements in row-major order; all of `data`, no less and no more.

    Numbers and booleans are a read-only array (BF16 as float32), of which numbers are a view of `data`.
    BYTES are a list of str, BINARY where it is not UTF-8. Raises Undecodable: shape if size or datatype
    do not fit, too_wide for more BYTES elements than anybody looks at.
    """
    if count < 0:
        raise Undecodable(Undecoded.SHAPE, "a number of elements is negative")
    if datatype == "BYTES":
        return _texts(count, data)
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        raise Undecodable(Undecoded.SHAPE, "a tensor is of no known datatype")
    if count * dtype.itemsize != len(data):
        raise Undecodable(Undecoded.SHAPE, _not(len(data), count, datatype))
    values: Array = np.frombuffer(data, dtype)
    if datatype == "BOOL":
        return values.astype(np.bool_)
    return _widened(values) if datatype == "BF16" else values


def _widened(halves: Array) -> Array:
    """bfloat16 is the upper half of a float32."""
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _texts(count: int, data: bytes | memoryview) -> list[Any]:
    size = len(data)
    if count * _LENGTH_BYTES > size:
        raise Undecodable(Undecoded.SHAPE, _not(size, count, "BYTES"))
    columns.check_cells(count)
    try:
        found = _elements(count, bytes(data), bytes.decode)
    except UnicodeDecodeError:
        found = _elements(count, bytes(data), text_of)
    if found is None:
        raise Undecodable(Undecoded.SHAPE, _not(size, count, "BYTES"))
    return found


def _elements(count: int, data: bytes, as_text: Callable[[bytes], str]) -> list[Any] | None:
    """The elements of BYTES; None if they are not as many as that, or not all of the data."""
    found: list[Any] = []
    length_at, at, size = _LENGTH.unpack_from, 0, len(data)
    for _ in range(count):
        start = at + _LENGTH_BYTES
        if start > size:
            return None
        at = start + length_at(data, at)[0]
        found.append(as_text(data[start:at]))
    return found if at == size else None


def text_of(element: bytes | memoryview) -> str:
    """One element of BYTES as text; BINARY if it is not UTF-8."""
    try:
        return str(element, "utf-8")
    except UnicodeDecodeError:
        return BINARY


def _not(size: int, count: int, datatype: str) -> str:
    return f"{counted(size, 'byte')} cannot be {counted(count, 'element')} of {datatype}"
