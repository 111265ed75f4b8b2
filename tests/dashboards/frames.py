"""What Grafana's transformations make of answers in the format of tables, as far as our panels use them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.dashboards.asking import Result

Row = dict[str, Any]


def table(panel: Mapping[str, Any], results: Mapping[str, Result]) -> list[Row]:
    """Rows with their columns in order, after all transformations of the panel."""
    several = len(panel["targets"]) > 1
    rows: list[Row] = []
    for ref, result in results.items():
        value = f"Value #{ref}" if several else "Value"
        rows += [{"Time": 0} | one["metric"] | {value: one["points"][-1][1]} for one in result]
    for transformation in panel.get("transformations", ()):
        rows = _AS[transformation["id"]](rows, transformation["options"])
    return rows


def _merge(rows: Sequence[Row], _: Mapping[str, Any]) -> list[Row]:
    merged: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(sorted((k, v) for k, v in row.items() if not k.startswith("Value")))
        merged.setdefault(key, {}).update(row)
    return list(merged.values())


def _convert(rows: Sequence[Row], options: Mapping[str, Any]) -> list[Row]:
    [conversion] = options["conversions"]
    field = conversion["targetField"]
    return [row | {field: float(row[field])} if row.get(field) else row | {field: None} for row in rows]


def _sort(rows: Sequence[Row], options: Mapping[str, Any]) -> list[Row]:
    [by] = options["sort"]
    field, down = by["field"], by.get("desc", False)
    # What has no value comes last, as in Grafana.
    those = sorted((row for row in rows if row.get(field) is not None), key=lambda r: r[field], reverse=down)
    return [*those, *(row for row in rows if row.get(field) is None)]


def _organize(rows: Sequence[Row], options: Mapping[str, Any]) -> list[Row]:
    hidden, names, places = options["excludeByName"], options["renameByName"], options["indexByName"]
    columns = sorted(
        {name: None for row in rows for name in row if not hidden.get(name)},
        key=lambda name: places.get(names.get(name, name), places.get(name, len(places))),
    )
    return [{names.get(name, name): row.get(name) for name in columns} for row in rows]


_AS = {"merge": _merge, "convertFieldType": _convert, "sortBy": _sort, "organize": _organize}
