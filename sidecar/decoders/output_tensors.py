"""Output tensors: what is a class and what a score, by datatype, not by how a server wrote the digits.

Also Triton's classification extension (extension_classification.md): asked for the best classes, it answers
each row with texts `value:index[:label]`, best first, instead of scores. The trap: text of that form that
nobody asked to be a classification (a time of day) is text.
"""

import re
from collections.abc import Callable
from typing import Any

from sidecar.decoders import json_tensors
from sidecar.inference import Column

_CLASSIFIED = re.compile(r"([^:]+):(\d{1,9})(?::(.*))?", re.DOTALL)
Table = tuple[int, list[Column]]


def read(tensor: Any, unnamed: str, content_type: str = "", classified: bool = False) -> Table:
    """Rows and columns of an output in JSON, or with raw data as an array. Raises Undecodable.

    `classified`: the client asked for a classification of some output.
    """
    rows, found = json_tensors.read(tensor, unnamed, content_type)
    datatype = tensor.get("datatype")
    if classified and datatype == "BYTES" and found:
        return classes(rows, found, tensor.get("name") or unnamed)
    convert = _CONVERSIONS.get(datatype) if type(datatype) is str else None
    if convert is not None:
        for column in found:
            if type(column.values) is list:
                column.values = convert(column.values)
    return rows, found


def classes(rows: int, found: list[Column], name: str) -> Table:
    """The best class of each row and its score, from columns that all hold `value:index[:label]`.

    The class, under `name`, is the label, or the index if any has no label; `name.score` is its
    score. Columns that hold anything else are returned as they are.
    """
    best = [_CLASSIFIED.fullmatch(text) if type(text) is str else None for text in found[0].values]
    matches = [match for match in best if match is not None]
    try:
        scores = [float(match[1]) for match in matches]
    except ValueError:
        return rows, found
    if len(matches) != rows:
        return rows, found
    labelled = all(match[3] for match in matches)
    best_classes: list[Any] = [match[3] if labelled else int(match[2]) for match in matches]
    return rows, [Column(name, best_classes), Column(f"{name}.score", scores)]


def _scores(values: list[Any]) -> list[Any]:
    """A score of 1 is written `1` by some servers."""
    if int not in set(map(type, values)):
        return values
    try:
        return [float(v) if type(v) is int else v for v in values]
    except OverflowError:
        return values


def _classes(values: list[Any]) -> list[Any]:
    """A class of 1 is written `1.0` by others."""
    if float not in set(map(type, values)):
        return values
    return [int(v) if type(v) is float and v.is_integer() else v for v in values]


def _booleans(values: list[Any]) -> list[Any]:
    return [bool(v) if type(v) is int and v in (0, 1) else v for v in values]


_INTEGERS = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
_CONVERSIONS: dict[str, Callable[[list[Any]], list[Any]]] = {
    **dict.fromkeys(("FP16", "BF16", "FP32", "FP64"), _scores),
    **dict.fromkeys(_INTEGERS, _classes),
    "BOOL": _booleans,
}
