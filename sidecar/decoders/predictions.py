"""Answers to outputs: a list with one prediction per row becomes one column per score or key.

Classes (strings, integers, booleans) and scores (floats) stay as they are; a column's values say which.
"""

from collections.abc import Sequence
from typing import Any

from sidecar.decoders import columns
from sidecar.inference import Column

UNNAMED = "prediction"


def of_values(values: Any, name: str = UNNAMED) -> list[Column]:
    """Outputs of one prediction per row: scalars `name`, lists `name[i]`, objects one column per key.

    A lone object or scalar is the prediction of a single row. A list inside an object becomes `key[i]`.
    """
    if type(values) is not list:
        values = [values]
    found = columns.of_rows(values, name, name)
    if type(values[0]) is dict:
        found = [part for column in found for part in _spread(column)]
    return columns.unique(found[: columns.MAX_COLUMNS])


def of_columns(answer: dict[str, Any]) -> list[Column]:
    """Outputs of an object of columns."""
    return columns.of_columns(answer)[1][: columns.MAX_COLUMNS]


def of_row(values: Sequence[Any], name: str = UNNAMED) -> list[Column]:
    """Outputs of one row whose answer is a list of scores."""
    return columns.of_lists([values], name, name) if values else []


def _spread(column: Column) -> list[Column]:
    values = list(column.values)
    if all(type(value) is list for value in values):
        return columns.of_lists(values, column.name, column.name) if any(values) else []
    # Objects inside a prediction are attachments (an image in b64, a nested detail), not outputs.
    return [] if any(type(value) is dict for value in values) else [column]
