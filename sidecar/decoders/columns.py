"""Rows to columns, whatever a row is: an object, a list, a scalar.

Values are never changed: a string stays a string, an object inside a row stays that object. An absent
value is MISSING. The trap: a list of lists of lists is a tensor of higher rank, and a list of 384 numbers an
embedding, not features: such rows are summarised.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sidecar.decoders import summaries
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import MISSING, Column, Undecoded, Values

# One exchange of more rows would hold the reading loop for a tenth of a second.
MAX_ROWS = 100_000
# Names past this are not features that anybody looks at one by one: pixels, embeddings, or an attack.
MAX_COLUMNS = 1_000
# Ragged rows are filled up with MISSING; a few bytes must not become a matrix of a hundred million.
MAX_CELLS = 1_000_000
# A name is repeated for each of its columns; one of a megabyte would become a gigabyte of names.
MAX_REPEATED_NAME = 1_000
_LONGEST_CACHED_NAME = 100
_WIDEST_CACHED = 128


def check_rows(rows: int) -> int:
    """`rows`, if there are some and not too many. Raises Undecodable."""
    if rows == 0:
        raise Undecodable(Undecoded.NO_ROWS, "there are no rows")
    if rows > MAX_ROWS:
        raise Undecodable(Undecoded.TOO_MANY_ROWS, f"{rows} rows are more than {MAX_ROWS}")
    return rows


def of_rows(rows: Sequence[Any], prefix: str = "input", lone: str = "") -> list[Column]:
    """Columns of rows that are all objects, all lists or all scalars; null is an absent row.

    Columns without a name are `prefix[i]`; `lone` names the column if there is only one of these.
    """
    check_rows(len(rows))
    kinds = set(map(type, rows))
    if kinds == {dict}:
        return of_records(rows)
    if kinds == {list}:
        return of_lists(rows, prefix, lone)
    if dict not in kinds and list not in kinds:
        return [Column(lone or f"{prefix}[0]", list(rows))]
    if kinds == {dict, type(None)}:
        return of_records([row or {} for row in rows])
    if kinds == {list, type(None)}:
        return of_lists([row or [] for row in rows], prefix, lone)
    raise Undecodable(Undecoded.SHAPE, "the rows are not all of one kind")


def of_records(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """One column per key, in the order of first appearance; a row without the key is MISSING there."""
    first = rows[0]
    check_width(len(first))
    size = len(first)
    try:
        if all(len(row) == size for row in rows):
            return [Column(key, [row[key] for row in rows]) for key in first]
    except KeyError:
        pass
    return _of_ragged_records(rows)


def _of_ragged_records(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    keys: dict[str, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(row))
        check_width(len(keys))
    check_cells(len(rows) * len(keys))
    return [Column(key, [row.get(key, MISSING) for row in rows]) for key in keys]


def of_lists(rows: Sequence[Sequence[Any]], prefix: str, lone: str = "") -> list[Column]:
    """`prefix[i]` for each position; short rows are MISSING at their end.

    Rows of lists, and rows too wide to be features, are summarised; uneven ones have no columns.
    """
    widths = set(map(len, rows))
    width = max(widths)
    if width > summaries.WIDEST_SPREAD or all(_is_list(row[0]) for row in rows if row):
        return summaries.of_rows(lone or prefix, rows)
    if len(widths) > 1:
        check_cells(len(rows) * width)
        rows = [[*row, *[MISSING] * (width - len(row))] for row in rows]
    return named([list(values) for values in zip(*rows, strict=True)], width, prefix, lone)


def of_table(names: Sequence[Any], rows: Sequence[Any]) -> list[Column]:
    """Columns of lists with names apart (split orientation, csv). Rows of another width: shape."""
    check_rows(len(rows))
    check_width(len(names))
    width = len(names)
    if any(not _is_list(row) or len(row) != width for row in rows):
        raise Undecodable(Undecoded.SHAPE, "a row is not as wide as the list of columns")
    return unique(Column(str(n), list(v)) for n, v in zip(names, zip(*rows, strict=True), strict=True))


def of_columns(columns: Mapping[str, Any]) -> tuple[int, list[Column]]:
    """Rows and columns of an object of columns; a column of lists is `name[i]`. All need as many rows."""
    check_width(len(columns))
    values = {name: v if _is_list(v) else [v] for name, v in columns.items()}
    sizes = set(map(len, values.values()))
    if len(sizes) != 1:
        raise Undecodable(Undecoded.SHAPE if sizes else Undecoded.NO_ROWS, "the columns differ in length")
    rows = check_rows(sizes.pop())
    found = [column for name, v in values.items() for column in of_rows(v, name, name)]
    check_width(len(found))
    return rows, unique(found)


def named(values: Sequence[Values], width: int, prefix: str, lone: str = "") -> list[Column]:
    """Columns `prefix[i]` of `width` lists of values, or `lone` if there is but one."""
    if width == 1 and lone:
        return [Column(lone, values[0])]
    if len(prefix) > MAX_REPEATED_NAME:
        raise Undecodable(Undecoded.TOO_WIDE, f"a name of {len(prefix)} characters for {width} columns")
    names = _cached_names if len(prefix) <= _LONGEST_CACHED_NAME and width <= _WIDEST_CACHED else _names
    # map, not a comprehension: this is where wide requests spend their time.
    return list(map(Column, names(prefix, width), values))


def unique(columns: Iterable[Column]) -> list[Column]:
    """The columns with each name once; the last one wins, as with a duplicate key."""
    found = list(columns)
    by_name = {column.name: column for column in found}
    return found if len(by_name) == len(found) else list(by_name.values())


def _names(prefix: str, width: int) -> tuple[str, ...]:
    return tuple(f"{prefix}[{i}]" for i in range(width))


# 64 names times the caps above is 1.5 MB at the very most.
_cached_names = lru_cache(maxsize=64)(_names)


def _is_list(value: Any) -> bool:
    return type(value) is list


def check_width(columns: int) -> None:
    """Raises Undecodable(too_wide) for more columns than anybody looks at."""
    if columns > MAX_COLUMNS:
        raise Undecodable(Undecoded.TOO_WIDE, f"{columns} columns are more than {MAX_COLUMNS}")


def check_cells(cells: int) -> None:
    """Raises Undecodable(too_wide) for more cells than the payload can have held."""
    if cells > MAX_CELLS:
        raise Undecodable(Undecoded.TOO_WIDE, f"{cells} cells of filled-up rows are more than {MAX_CELLS}")
