"""Tensors of the Open Inference Protocol in JSON: objects of name, shape, datatype and data.

Data is nested or flat. In place of it there may be an array, of raw data from behind the JSON, or nothing, if
it is in shared memory. The trap is speed: nearly every tensor is a plain list, so that is looked at first.
"""

from typing import Any

import numpy as np

from sidecar.decoders import columns, summaries, tensor_texts, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

Table = tuple[int, list[Column]]


def is_tensor(value: Any) -> bool:
    """Whether a JSON value has the members that make it a tensor of this protocol."""
    return type(value) is dict and "shape" in value and "datatype" in value and "name" in value


def list_of(value: Any) -> list[Any]:
    """A list of some tensors, of not too many; what they are is not looked at. Raises Undecodable."""
    if type(value) is not list or not value:
        raise Undecodable(Undecoded.SHAPE, "there is no list of tensors")
    if len(value) > columns.MAX_COLUMNS:
        columns.check_width(len(value))
    return value


def read(tensor: Any, unnamed: str, content_type: str = "") -> Table:
    """Rows and columns of a tensor; rows but no columns if it has no data. Raises Undecodable.

    `content_type` is MLServer's for the whole request or answer, which a tensor's own overrides.
    """
    if type(tensor) is not dict:
        raise Undecodable(Undecoded.SHAPE, "a tensor is not an object")
    name, shape, data = tensor.get("name") or unnamed, tensor.get("shape"), tensor.get("data")
    if type(name) is not str:
        raise Undecodable(Undecoded.SHAPE, "a tensor's name is not text")
    if data is None:
        return tensors.rows_of(shape), []
    if "parameters" in tensor or content_type:
        content_type = tensor_texts.content_type_of(tensor) or content_type
        if content_type == tensor_texts.FRAMES:
            return tensor_texts.of_frames(tensors.flat(data))
        if content_type == tensor_texts.BASE64:
            data = [tensor_texts.unencoded(text) for text in tensors.flat(data)]
    if type(data) is list and type(shape) is list:
        found = _spread(name, shape, data)
        if found is not None:
            return found
    return tensors.columns_of_flat(name, shape, data if isinstance(data, np.ndarray) else tensors.flat(data))


def _spread(name: str, shape: list[Any], data: list[Any]) -> Table | None:
    """A list of features as it nearly always comes, flat or nested as the shape says; None if it does not."""
    rank = len(shape)
    if not data or not 0 < rank <= 2:
        return None
    rows, width = shape[0], shape[1] if rank == 2 else 1
    if type(rows) is not int or type(width) is not int:
        return None
    if not 0 < rows <= columns.MAX_ROWS or not 0 < width <= summaries.WIDEST_SPREAD:
        return None
    if len(data) == rows * width and type(data[0]) is not list:
        if width == 1:
            return rows, [Column(name, data)]
        return rows, columns.named([data[i::width] for i in range(width)], width, name)
    if len(data) == rows and {*map(type, data)} == {list} and {*map(len, data)} == {width}:
        return rows, columns.named([list(values) for values in zip(*data, strict=True)], width, name, name)
    return None
