"""What stands for a tensor that is no list of features: an image, an embedding, a sequence of token ids.

Four columns, one value per row: `<tensor>.norm` (Euclidean), `.mean`, `.sparsity` (share of exact zeros)
and `.dimension` (values per row). They are what a broken preprocessing moves: another scale, another
normalisation, empty or padded input, another resolution. The trap: a norm of halves or bytes overflows
in their own type, so everything is summed in float64, without a copy of the tensor in it.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.centroid import MAX_DIMENSIONS
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

Array = npt.NDArray[Any]

# Beyond this a position is no feature somebody looks at: wide tabular models have up to some 200 features,
# the smallest embeddings and images in use 384 and 784 values.
WIDEST_SPREAD = 256
# A name is repeated for each of the four.
_LONGEST_NAME = 1_000
# What a megabyte of JSON can hold. Raw data is summed where it is, whatever its size.
MOST_CELLS = 1_000_000
_NUMERIC = frozenset({int, float, bool, type(None)})


def of_rows(name: str, rows: Sequence[Sequence[Any]]) -> list[Column]:
    """The summary of rows of equally long lists, of lists of lists and so on; no columns if they differ."""
    values: list[Any] = list(rows)
    while values and type(values[0]) is list:
        if {*map(type, values)} != {list} or len({*map(len, values)}) > 1:
            return []
        if len(values) * len(values[0]) > MOST_CELLS:
            return []
        values = list(chain.from_iterable(values))
    return of_flat(name, len(rows), values)


def of_flat(name: str, rows: int, values: list[Any] | Array) -> list[Column]:
    """The summary of all values of `rows` equally long rows, in row-major order.

    A list may hold null, which counts as NaN. Text, objects and more cells than are worth their time have
    no summary, and no columns.
    """
    if isinstance(values, list):
        if len(values) > MOST_CELLS or not _NUMERIC.issuperset(map(type, values)):
            return []
        try:
            values = np.array(values, dtype=np.float64)
        except OverflowError:  # an integer larger than any float
            return []
    return of_array(name, values.reshape(rows, -1))


def of_array(name: str, values: Array) -> list[Column]:
    """The summary of an array `[rows, …]` of numbers or booleans; no columns if a row holds nothing.

    All four are float64: they are quantities, also the dimension. NaN or infinity anywhere in a row is
    NaN or infinity in its norm and mean. Raises Undecodable(too_wide) for a name too long to repeat.
    """
    if len(name) > _LONGEST_NAME:
        raise Undecodable(Undecoded.TOO_WIDE, f"a name of {len(name)} characters for a summary")
    rows = len(values)
    if not values.size or values.dtype.kind not in "biuf":
        return []
    matrix = values.reshape(rows, -1)
    if matrix.dtype.itemsize == 2 and matrix.dtype.kind == "f":
        matrix = matrix.astype(np.float32)  # every operation on halves would widen them again, slowly
    width = matrix.shape[1]
    with np.errstate(all="ignore"):
        norm = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64, casting="safe"))
        mean = np.add.reduce(matrix, axis=1, dtype=np.float64) / width
    sparsity = (width - np.count_nonzero(matrix, axis=1)) / width
    dimension = np.full(rows, width, np.float64)
    vectors = matrix if matrix.dtype.kind == "f" and width <= MAX_DIMENSIONS else None
    return [
        Column(f"{name}.norm", norm, vectors),
        Column(f"{name}.mean", mean),
        Column(f"{name}.sparsity", sparsity),
        Column(f"{name}.dimension", dimension),
    ]
