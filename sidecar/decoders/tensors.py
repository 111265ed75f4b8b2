"""Tensors: name, shape and values as columns, whatever protocol they came by.

`[N]` and `[N,1]` are one column, `[N,D]` is D columns `name[i]`; deeper or wider tensors are summarised. A
shape is a claim by whoever sent it: nothing is allocated before it agrees with the data.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy.typing as npt

from sidecar.counting import counted
from sidecar.decoders import columns, summaries
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded, Values

Table = tuple[int, list[Column]]

# Fewer rows than this are put to others before anybody computes with them, as lists: a tensor becomes one at
# once, not each of its columns.
FEW_ROWS = 256
# No data is as large: a product of sizes is not followed further, lest it become a number of a megabyte.
_BEYOND_ANY_DATA = 2**62


def together(read: Sequence[Table]) -> Table:
    """Rows and columns of several tensors, of each of which they are known.

    Rows are those of the largest batch; a tensor of another batch size (a parameter sent as a tensor)
    has no columns. Raises Undecodable: no_rows, too_many_rows, too_wide.
    """
    if len(read) == 1:
        return columns.check_rows(read[0][0]), read[0][1]
    rows = columns.check_rows(max([rows for rows, _ in read], default=0))
    found = [column for n, part in read if n == rows for column in part]
    columns.check_width(len(found))
    return rows, columns.unique(found)


def columns_of_flat(name: str, shape: Any, values: list[Any] | npt.NDArray[Any]) -> Table:
    """Rows and columns of one tensor, all of whose values are given in row-major order.

    `shape` is a list or tuple. `[]` is one row; `[N]` and `[N,1]` are the column `name`, `[N,D]` is `name[i]`
    (views of an array of many rows, lists of one of few); what is wider or of higher rank is summarised.
    There may be 0 rows: `together` says what that means. Raises Undecodable: shape unless the shape is sizes
    whose product is the number of values, too_many_rows, too_wide.
    """
    return columns_of_extent(name, shape, extent_of(shape), values)


def columns_of_extent(
    name: str, shape: Sequence[int], extent: tuple[int, int], values: list[Any] | npt.NDArray[Any]
) -> Table:
    """The same of a shape whose `extent_of` is known."""
    rows, size = extent
    if size != len(values):
        raise Undecodable(
            Undecoded.SHAPE, f"the shape says {counted(size, 'value')}, the data has {len(values)}"
        )
    if not size:
        return rows, []
    width = size // rows
    if len(shape) > 2 or width > summaries.WIDEST_SPREAD:
        return rows, summaries.of_flat(name, rows, values)
    if rows < FEW_ROWS and not isinstance(values, list):
        values = values.tolist()
    if width == 1:
        return rows, [Column(name, values)]
    spread: list[Values] = [values[i::width] for i in range(width)]
    return rows, columns.named(spread, width, name)


def extent_of(shape: Any) -> tuple[int, int]:
    """Rows, and number of values, of a tensor whose shape has to be a list or tuple of sizes.

    A number of values beyond what any data has is not followed further. Raises Undecodable.
    """
    if type(shape) is not list and type(shape) is not tuple:
        raise Undecodable(Undecoded.SHAPE, "a shape is not a list")
    count = 1
    for size in shape:
        if type(size) is not int or size < 0:
            raise Undecodable(Undecoded.SHAPE, "a shape holds something else than sizes")
        if count < _BEYOND_ANY_DATA:
            count *= size
    rows = shape[0] if shape else 1
    if rows > columns.MAX_ROWS:
        raise Undecodable(Undecoded.TOO_MANY_ROWS, f"{rows} rows are more than {columns.MAX_ROWS}")
    return rows, count


def rows_of(shape: Any) -> int:
    """The rows of a shape. Raises Undecodable."""
    return extent_of(shape)[0]


def size_of(shape: Any) -> int:
    """The number of values of a shape. Raises Undecodable."""
    return extent_of(shape)[1]


def is_tensor(value: Any) -> bool:
    """Whether a JSON value has the members that make it a tensor of this protocol."""
    return type(value) is dict and "shape" in value and "datatype" in value and "name" in value


def flat(data: Any) -> list[Any]:
    """All values of nested lists in row-major order. Raises Undecodable(shape) for uneven nesting."""
    values = data if type(data) is list else [data]
    while values and type(values[0]) is list:
        if set(map(type, values)) != {list}:
            raise Undecodable(Undecoded.SHAPE, "the data is nested unevenly")
        values = list(chain.from_iterable(values))
    return values
