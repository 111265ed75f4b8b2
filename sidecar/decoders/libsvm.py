"""LIBSVM rows, `[label] index:value …`, as SageMaker's algorithms take them.

Not for training data: a label in front is left out, and so is `qid`. A column is called by its index as it
was written, `input[7]`; whether that counts from 0 or 1 is the model's business. What a row leaves out is
zero: that is what the format is for.
"""

from typing import Any

from sidecar.decoders import columns
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded

_LONGEST_INDEX = 9


def read(data: bytes, prefix: str) -> tuple[int, list[Column]]:
    """Rows and columns, these in the order of their indices. Raises Undecodable."""
    lines = [line for line in (part.partition(b"#")[0].split() for part in data.splitlines()) if line]
    rows = columns.check_rows(len(lines))
    found: dict[int, list[Any]] = {}
    for row, tokens in enumerate(lines):
        for token in tokens if b":" in tokens[0] else tokens[1:]:
            _place(found, rows, row, token)
    names = sorted(found)
    return rows, [Column(f"{prefix}[{index}]", found[index]) for index in names]


def _place(found: dict[int, list[Any]], rows: int, row: int, token: bytes) -> None:
    key, colon, text = token.partition(b":")
    if key == b"qid":
        return
    try:
        value = float(text)
    except ValueError as error:
        raise Undecodable(Undecoded.SHAPE, "a value is not a number") from error
    if not colon or not key.isdigit() or len(key) > _LONGEST_INDEX:
        raise Undecodable(Undecoded.SHAPE, "not LIBSVM: an index is not a number")
    column = found.get(int(key))
    if column is None:
        columns.check_width(len(found) + 1)
        columns.check_cells((len(found) + 1) * rows)
        column = found[int(key)] = [0.0] * rows
    column[row] = value
