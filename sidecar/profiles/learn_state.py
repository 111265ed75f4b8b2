"""What is known of a model that is still being learnt, as a document, and back: learning survives a restart.

Counts and sketches, never rows: of numbers sums, extremes and at most `POINTS` quantiles, each column on its
own, so that no row can be put together again; of categories the levels that `MIN_LEVEL_ROWS` rows had, which
a reference holds anyway. Taking it is cheap (copies); `encoded` does the work, in a thread.

What it is not: exact. Between two quantiles numbers are taken to lie evenly, which moves a bin's share by a
thousandth or so, a third of what 5,000 rows leave open. The trap: a level that fewer rows had before a
restart starts again from none; at a few hundred rows between restarts, rare levels are learnt as `__other__`.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from sidecar.profiles.build import MAX_LEVELS, MIN_LEVEL_ROWS, ColumnBuilder
from sidecar.reference import ColumnType

Floats = npt.NDArray[np.float64]

# A bin of a twentieth is seven of them wide.
POINTS = 128
# Numbers with at most so many values are kept as these and their counts: those are the bins of a reference.
_FEW_VALUES = 20
# Models past it start learning anew; one of 500 columns takes two.
MAX_BYTES = 8 * 1024 * 1024
_COUNTS = ("rows", "_nulls", "_numbers", "_booleans", "_texts", "_timestamps")
_LEVELLED = (ColumnType.CATEGORY, ColumnType.BOOLEAN)


def copied(builder: ColumnBuilder, type: ColumnType) -> dict[str, Any]:
    """What `encoded` takes: a column as it is now."""
    found: dict[str, Any] = {name: getattr(builder, name) for name in _COUNTS}
    found |= {"type": type.value, "sums": [builder._sum, builder._squares, builder._pivot]}
    found |= {"range": [builder._min, builder._max], "whole": builder._whole}
    found |= {"increasing": builder._increasing, "levels": {}, "numbers": None}
    if type is ColumnType.NUMBER:
        found["numbers"] = builder._sample[: min(builder._numbers, len(builder._sample))].copy()
    if type in _LEVELLED:
        found["levels"] = dict(builder._levels.counts)
    return found


def encoded(models: Mapping[str, Any]) -> dict[str, Any]:
    """The models that fit into `MAX_BYTES`, as JSON can hold them."""
    found, room = {}, MAX_BYTES
    for name, model in models.items():
        columns = [[kind, column, _encoded(state)] for kind, column, state in model["columns"]]
        document = {"rows": model["rows"], "columns": columns}
        room -= len(orjson.dumps(document))
        if room < 0:
            break
        found[name] = document
    return found


def restored(name: str, document: Mapping[str, Any], sample_rows: int) -> tuple[ColumnBuilder, ColumnType]:
    """A column that goes on from what was saved. Raises ValueError when it is not what `encoded` gave."""
    try:
        return _restored(name, document, sample_rows), ColumnType(document["type"])
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("no column of ours") from error


def _encoded(state: Mapping[str, Any]) -> dict[str, Any]:
    numbers = state["numbers"]
    return {**state, "levels": _common(state), "numbers": None if numbers is None else _sketch(numbers)}


def _common(state: Mapping[str, Any]) -> dict[str, int]:
    levels: dict[str, int] = state["levels"]
    if state["type"] == ColumnType.BOOLEAN:
        return levels
    common = sorted(levels.items(), key=lambda item: (-item[1], item[0]))[:MAX_LEVELS]
    return {level: rows for level, rows in common if rows >= MIN_LEVEL_ROWS}


def _sketch(numbers: Floats) -> dict[str, Any]:
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) <= _FEW_VALUES:
        return {"values": values.tolist(), "counts": counts.tolist()}
    ranks = np.linspace(0, len(numbers) - 1, min(POINTS, len(numbers)))
    return {"values": np.sort(numbers)[np.rint(ranks).astype(np.intp)].tolist()}


def _expanded(sketch: Mapping[str, Any], size: int, whole: bool) -> Floats:
    """So many numbers as were sketched."""
    values = np.array(sketch["values"], dtype=np.float64)
    if not np.isfinite(values).all() or (np.diff(values) < 0).any() or (size > 0) != (len(values) > 0):
        raise ValueError("no sketch of ours")
    if "counts" in sketch:
        numbers = np.repeat(values, np.array(sketch["counts"], dtype=np.int64))
    else:
        numbers = np.interp(np.linspace(0, 1, size), np.linspace(0, 1, max(len(values), 1)), values)
        numbers = np.rint(numbers) if whole else numbers
    if len(numbers) != size:
        raise ValueError("a sketch of other numbers")
    return np.asarray(numbers)


def _restored(name: str, document: Mapping[str, Any], sample_rows: int) -> ColumnBuilder:
    builder = ColumnBuilder(name, sample_rows)
    for count in _COUNTS:
        value = document[count]
        if type(value) is not int or value < 0:
            raise ValueError("no count")
        setattr(builder, count, value)
    sums = [math.nan if value is None else float(value) for value in document["sums"]]
    builder._sum, builder._squares, pivot = sums
    builder._pivot = None if math.isnan(pivot) else pivot
    low, high = (None if bound is None else float(bound) for bound in document["range"])
    builder._min, builder._max = (math.inf if low is None else low), (-math.inf if high is None else high)
    builder._whole, builder._increasing = bool(document["whole"]), bool(document["increasing"])
    for level, rows in document["levels"].items():
        builder._levels.count(str(level), int(rows))
    if document["numbers"] is not None:
        size = min(builder._numbers, sample_rows)
        builder._sample[:size] = _expanded(document["numbers"], size, builder._whole)
    return builder
