"""Which of a model's outputs is compared with the label, and as what.

What was configured; else the only one; else the first that holds classes; else of probabilities in columns
(`p[0]`, `p[1]`…) the second of two, which is the score of the positive class, or the position of the
highest of more; else the first. The trap: a list of three numbers is only taken for probabilities when they
add up to 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.inference import Column, Values
from sidecar.monitors.labels.values import Floats

# The columns of one output with several numbers a row, each as long as there are rows.
Matrix = tuple[Values, ...]

# A float32 softmax over a thousand classes is this far from 1 at worst.
_SUM_TOLERANCE = 1e-3
_NUMERIC = frozenset("fiub")


def judged(outputs: Sequence[Column], name: str) -> "Values | None":
    """The predictions to compare, one for each row; None when there are none to be had."""
    found = candidate(outputs, name)
    return decided([found])[0] if type(found) is tuple else found


def candidate(outputs: Sequence[Column], name: str) -> "Values | Matrix | None":
    """As `judged`, but what may be probabilities is a Matrix, for `decided` to look at the numbers."""
    if name:
        return next((column.values for column in outputs if column.name == name), None)
    if len(outputs) == 1:
        return outputs[0].values
    for column in outputs:
        if _holds_classes(column.values):
            return column.values
    return _matrix(outputs) or (outputs[0].values if outputs else None)


def decided(matrices: Sequence[Matrix]) -> list[Values]:
    """What is compared of each: of probabilities the score or the class, else the first column.

    Many at once cost a tenth of one by one.
    """
    found: list[Values] = [matrix[0] for matrix in matrices]
    by_width: dict[int, list[int]] = {}
    for at, matrix in enumerate(matrices):
        by_width.setdefault(len(matrix), []).append(at)
    for width, places in by_width.items():
        same = [matrices[at] for at in places]
        table = _table(same, width)
        if table is None:  # one of them holds no numbers; the others must not suffer
            if len(same) > 1:
                for at in places:
                    found[at] = decided([matrices[at]])[0]
            continue
        values = table[:, 1] if width == 2 else table.argmax(axis=1)
        ends = np.cumsum([len(matrix[0]) for matrix in same])
        starts = ends - [len(matrix[0]) for matrix in same]
        sure = np.logical_and.reduceat(_probabilities(table), starts)
        for at, start, end, right in zip(places, starts.tolist(), ends.tolist(), sure.tolist(), strict=True):
            if right:
                found[at] = values[start:end]
    return found


def flat(columns: Sequence[Values]) -> Values:
    """One column of several."""
    if len(columns) == 1:
        return columns[0]
    arrays = [values for values in columns if isinstance(values, np.ndarray)]
    if len(arrays) == len(columns) and {values.dtype.kind for values in arrays} <= _NUMERIC:
        return np.concatenate(arrays)
    together: list[Any] = []
    for values in columns:
        together += values.tolist() if isinstance(values, np.ndarray) else values
    return together


def _holds_classes(values: Values) -> bool:
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "iub"
    first: Any = next((value for value in values if value is not None), None)
    return type(first) in (str, bool, int)


def _matrix(outputs: Sequence[Column]) -> Matrix | None:
    """The columns of a matrix, if the first output is the first of one; equally long, with a row at least."""
    stem, bracket, at = outputs[0].name.rpartition("[") if outputs else ("", "", "")
    if not bracket or at != "0]":
        return None
    beginning, rows = f"{stem}[", len(outputs[0].values)
    columns = tuple([column.values for column in outputs if column.name.startswith(beginning)])
    alike = rows > 0 and all(len(values) == rows for values in columns)
    return columns if alike and len(columns) > 1 else None


def _table(matrices: Sequence[Matrix], width: int) -> Floats | None:
    """All of their rows, shape (rows, width); None if something there is no number."""
    try:
        table = np.array([flat([matrix[i] for matrix in matrices]) for i in range(width)], np.float64).T
    except (ValueError, TypeError, OverflowError):
        return None
    return table if table.ndim == 2 else None


def _probabilities(table: Floats) -> npt.NDArray[np.bool_]:
    """Which rows are probabilities of all classes."""
    with np.errstate(invalid="ignore", over="ignore"):
        one = np.abs(table.sum(axis=1) - 1) <= _SUM_TOLERANCE
    return np.asarray((table >= 0).all(axis=1) & one)
