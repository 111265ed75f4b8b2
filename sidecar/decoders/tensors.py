"""Tensors of the Open Inference Protocol as JSON: name, shape, datatype, data, read as columns.

`[N]` and `[N,1]` are one column, `[N,D]` is D columns `name[i]`; deeper or wider tensors have rows but
no columns. A shape is a claim by whoever sent it: nothing is allocated before it agrees with the data.
"""

from itertools import chain
from typing import Any

from sidecar.decoders import columns
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded


def columns_of(tensors: Any, unnamed: str) -> tuple[int, list[Column]]:
    """Rows and columns of a list of tensors.

    Rows are those of the largest batch; a tensor of another batch size (a parameter sent as a tensor)
    has no columns. Raises Undecodable.
    """
    if type(tensors) is not list or not tensors:
        raise Undecodable(Undecoded.SHAPE, "there is no list of tensors")
    if len(tensors) == 1:
        rows, found = _read(tensors[0], unnamed)
        return columns.check_rows(rows), found
    columns.check_width(len(tensors))
    read = [_read(tensor, unnamed) for tensor in tensors]
    rows = columns.check_rows(max([rows for rows, _ in read]))
    found = [column for n, part in read if n == rows for column in part]
    columns.check_width(len(found))
    return rows, columns.unique(found)


def is_tensor(value: Any) -> bool:
    """Whether a JSON value has the members that make it a tensor of this protocol."""
    return type(value) is dict and "shape" in value and "datatype" in value and "name" in value


def _read(tensor: Any, unnamed: str) -> tuple[int, list[Column]]:
    if type(tensor) is not dict:
        raise Undecodable(Undecoded.SHAPE, "a tensor is not an object")
    name, shape = tensor.get("name") or unnamed, tensor.get("shape")
    if type(name) is not str:
        raise Undecodable(Undecoded.SHAPE, "a tensor's name is not text")
    rows, width = _extent(shape)
    data = tensor.get("data")
    if data is None or not width:
        # In shared memory, or of a rank we do not spread: there are rows, their values are elsewhere.
        return rows, []
    if width == 1:
        return rows, [Column(name, _flat(data, rows))]
    return rows, columns.named(_spread(data, rows, width), width, name)


def _extent(shape: Any) -> tuple[int, int]:
    """Rows, and columns: 0 if the tensor is of higher rank or too wide for columns."""
    if type(shape) is not list:
        raise Undecodable(Undecoded.SHAPE, "a shape is not a list")
    for size in shape:
        if type(size) is not int or size < 0:
            raise Undecodable(Undecoded.SHAPE, "a shape holds something else than sizes")
    if not shape:
        return 1, 1
    rows = shape[0]
    if rows > columns.MAX_ROWS:
        raise Undecodable(Undecoded.TOO_MANY_ROWS, f"{rows} rows are more than {columns.MAX_ROWS}")
    width = 1 if len(shape) == 1 else shape[1] if len(shape) == 2 else 0
    return rows, width if width <= columns.MAX_COLUMNS else 0


def _spread(data: Any, rows: int, width: int) -> list[list[Any]]:
    """The `width` columns of a matrix, nested or flat."""
    if type(data) is list and _even(data, rows, width):
        return [list(values) for values in zip(*data, strict=True)]
    flat = _flat(data, rows * width)
    return [flat[i::width] for i in range(width)]


def _even(data: list[Any], rows: int, width: int) -> bool:
    """Whether the data is nested exactly as the shape says."""
    return len(data) == rows and {*map(type, data)} == {list} and {*map(len, data)} == {width}


def _flat(data: Any, size: int) -> list[Any]:
    """All values in row-major order, however nested; exactly `size` of them."""
    flat = data if type(data) is list else [data]
    while flat and type(flat[0]) is list:
        if set(map(type, flat)) != {list}:
            raise Undecodable(Undecoded.SHAPE, "the data is nested unevenly")
        flat = list(chain.from_iterable(flat))
    if len(flat) != size:
        raise Undecodable(Undecoded.SHAPE, f"the shape says {size} values, the data has {len(flat)}")
    return flat
