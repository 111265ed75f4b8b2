"""CSV bodies: MLflow sends a header row, SageMaker's algorithms do not, and nothing says which.

A first row of numbers only is taken for data. Where the protocol has no header rows (`headerless`), so is
any first row, unless it is all text above numbers: people forget. CSV has no types: a column whose every
cell is a number holds numbers, any other holds text, and an empty cell is null, as pandas reads them.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

from sidecar.decoders import columns, json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded


def read(
    data: bytes, content_type: str, prefix: str, lone: str = "", *, headerless: bool = False
) -> tuple[int, list[Column]]:
    """Rows and columns; without a header these are `prefix[i]`, or `lone` if there is but one."""
    rows = _rows(data, content_type)
    begins_with_names = _numbers(rows[0]) is None if not headerless else _are_names(rows[0], rows[1:2])
    header = rows.pop(0) if begins_with_names else None
    columns.check_rows(len(rows))
    width = len(header or rows[0])
    if any(len(row) != width for row in rows):
        raise Undecodable(Undecoded.NOT_CSV, "the rows differ in length")
    columns.check_width(width)
    values = [_typed(cells) for cells in zip(*rows, strict=True)]
    if header is None:
        return len(rows), columns.named(values, width, prefix, lone)
    return len(rows), columns.unique(Column(n, v) for n, v in zip(header, values, strict=True))


def _rows(data: bytes, content_type: str) -> list[list[str]]:
    charset = json_text.charset_of(content_type)
    try:
        text = data.decode("utf-8-sig" if charset == "utf-8" else charset)
        # newline="" lets the reader see CRLF, and line ends inside quotes, as they are.
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except (csv.Error, UnicodeError) as error:
        raise Undecodable(Undecoded.NOT_CSV, "not CSV text in the charset it claims") from error
    columns.check_rows(len(rows))
    return rows


def value_of(cell: str) -> Any:
    """One cell by itself: a number, text, or None if it is empty."""
    return _typed((cell,))[0]


def _are_names(first: list[str], then: list[list[str]]) -> bool:
    """Whether a first row is text in every cell, above a row that has numbers."""
    if not then or any(not cell or _numbers([cell]) is not None for cell in first):
        return False
    return any(cell and _numbers([cell]) is not None for cell in then[0])


def _typed(cells: Sequence[str]) -> list[Any]:
    """Whole numbers if all are, else floats if all are numbers, else text."""
    given = [cell for cell in cells if cell]
    values: Sequence[Any] = _numbers(given) or given
    if len(given) == len(cells):
        return list(values)
    rest = iter(values)
    return [next(rest) if cell else None for cell in cells]


def _numbers(cells: Sequence[str]) -> list[Any] | None:
    # Python reads 1_000 as a number; no model server's CSV reader does.
    if any("_" in cell for cell in cells):
        return None
    # A failed conversion costs as much as thirty good ones: integers are tried only where they begin.
    whole = bool(cells) and cells[0].lstrip("+-").isdecimal()
    for kind in (int, float) if whole else (float,):
        try:
            return list(map(kind, cells))
        except ValueError:
            continue
    return None
