"""Rows of several messages of one stream as one table.

Not a join: the rows of each message come below those of the one before. A column that a message does not
have is MISSING in its rows, as with rows of JSON.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from sidecar.decoders import columns
from sidecar.inference import MISSING, Column, Values

Table = tuple[int, list[Column]]


def stacked(tables: Sequence[Table]) -> Table:
    """All rows, in order. Raises Undecodable: too_many_rows, too_wide."""
    if len(tables) == 1:
        return tables[0]
    rows = sum(rows for rows, _ in tables)
    if not rows:
        return 0, []
    columns.check_rows(rows)
    names = dict.fromkeys(column.name for _, table in tables for column in table)
    columns.check_width(len(names))
    if all([column.name for column in table] == list(names) for _, table in tables):
        together = zip(*(table for _, table in tables), strict=True)
        return rows, [
            Column(those[0].name, _joined([column.values for column in those])) for those in together
        ]
    columns.check_cells(rows * len(names))
    return rows, [Column(name, list(_filled(tables, name))) for name in names]


def _joined(parts: list[Values]) -> Values:
    if len({part.dtype if isinstance(part, np.ndarray) else None for part in parts}) == 1:
        first = parts[0]
        joined: Values = np.concatenate(parts) if isinstance(first, np.ndarray) else [*chain(*parts)]
        return joined
    return [*chain.from_iterable(map(_plain, parts))]


def _filled(tables: Sequence[Table], name: str) -> chain[Any]:
    found = ((rows, next((c.values for c in table if c.name == name), None)) for rows, table in tables)
    return chain.from_iterable(
        [MISSING] * rows if values is None else _plain(values) for rows, values in found
    )


def _plain(values: Values) -> Sequence[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else values
