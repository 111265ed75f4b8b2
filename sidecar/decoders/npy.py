"""NumPy's .npy files as rows: what SageMaker's Python clients send as `application/x-npy`.

Source: numpy.lib.format, "NPY format", versions 1 to 3. Not `numpy.load`: the header is a Python literal and
object arrays are pickles, so neither is ever evaluated; what is no plain number, truth or text is refused.
"""

import re
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.decoders import columns, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

MAGIC = b"\x93NUMPY"
# NumPy pads headers to 64 bytes; one of 4 KiB would describe a structured type, which we do not read.
_LONGEST_HEADER = 4096
_DESCR = re.compile(rb"""['"]descr['"]\s*:\s*['"]([<>|=]?)([biufSU])(\d{1,4})['"]""")
_ORDER = re.compile(rb"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(rb"""['"]shape['"]\s*:\s*\(([\d,\s]*)\)""")
_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}
# More dimensions than NumPy itself allows, or more digits than any length has.
_MOST_DIMENSIONS, _MOST_DIGITS = 64, 12


def read(data: bytes, prefix: str, lone: str = "") -> tuple[int, list[Column]]:
    """Rows and columns `prefix[i]` of an array; of `[N]` and `[N,1]` one, `lone` if that is given.

    Wide arrays and those of rank 3 are summarised, as tensors are. Raises Undecodable.
    """
    shape, flat = _array(data)
    values: Any = flat
    if flat.dtype.kind in "SU":
        # A text of two bytes takes fifty as an object.
        columns.check_cells(len(flat))
        values = (
            np.char.decode(flat, "utf-8", "replace").tolist() if flat.dtype.kind == "S" else flat.tolist()
        )
    width = prod(shape[1:])
    name = (lone or f"{prefix}[0]") if width == 1 and len(shape) < 3 else prefix
    rows, found = tensors.columns_of_flat(name, shape, values)
    return columns.check_rows(rows), found


def _array(data: bytes) -> tuple[tuple[int, ...], npt.NDArray[Any]]:
    """The shape of an array, and its values in row-major order."""
    start, header = _header(data)
    dtype, shape = _dtype(header), _shape(header)
    count = tensors.extent_of(shape)[1]
    # A shape is a claim: nothing is allocated before the data is seen to be that long.
    if count * dtype.itemsize != len(data) - start:
        raise Undecodable(Undecoded.SHAPE, "the array is not as long as its shape says")
    flat = np.frombuffer(data, dtype, count, start)
    order = _ORDER.search(header)
    if order and order[1] == b"True" and len(shape) > 1:
        flat = flat.reshape(shape[::-1]).transpose().ravel()
    return shape, flat


def _header(data: bytes) -> tuple[int, bytes]:
    """Where the numbers begin, and what the header says of them."""
    if not data.startswith(MAGIC) or len(data) < 12 or data[6] not in (1, 2, 3):
        raise _no("this is no NPY file of a known version")
    begin = 10 if data[6] == 1 else 12
    length = int.from_bytes(data[8:begin], "little")
    if length > _LONGEST_HEADER or begin + length > len(data):
        raise _no("the header of the NPY file is not whole, or far too long")
    return begin + length, data[begin : begin + length]


def _dtype(header: bytes) -> "np.dtype[Any]":
    found = _DESCR.search(header)
    if found is None:
        raise _no("objects, dates, structures and complex numbers are not read")
    kind, size = found[2].decode(), int(found[3])
    if size == 0 or size not in _SIZES.get(kind, (size,)):
        raise _no(f"there is no type {kind}{size}")
    return np.dtype(f"{found[1].decode()}{kind}{size}")


def _shape(header: bytes) -> tuple[int, ...]:
    found = _SHAPE.search(header)
    sizes = [size.strip() for size in found[1].split(b",") if size.strip()] if found else []
    if found is None or len(sizes) > _MOST_DIMENSIONS or any(len(size) > _MOST_DIGITS for size in sizes):
        raise _no("the NPY file has no shape that can be read")
    if not all(map(bytes.isdigit, sizes)):
        raise _no("a dimension of the NPY file is no number")
    return tuple(map(int, sizes))


def _no(detail: str) -> Undecodable:
    return Undecodable(Undecoded.CONTENT_TYPE, detail)
