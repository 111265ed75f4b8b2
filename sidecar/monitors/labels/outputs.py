"""Which of a model's outputs is compared with the label, and as what.

What was configured; else the only one; else the first that holds classes; else of probabilities in columns
(`p[0]`, `p[1]`…) the second of two, which is the score of the positive class, or the position of the
highest of more; else the first. The trap: a list of three numbers is only taken for probabilities when they
add up to 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sidecar.inference import Column, Values

# A float32 softmax over a thousand classes is this far from 1 at worst.
_SUM_TOLERANCE = 1e-3


def judged(outputs: Sequence[Column], name: str) -> "Values | None":
    """The predictions to compare, one for each row; None when there are none to be had."""
    if name:
        return next((column.values for column in outputs if column.name == name), None)
    if len(outputs) == 1:
        return outputs[0].values
    classes = next((column for column in outputs if _holds_classes(column.values)), None)
    if classes is not None:
        return classes.values
    probabilities = _probabilities(outputs)
    if probabilities is None:
        return outputs[0].values if outputs else None
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities.argmax(axis=1)


def _holds_classes(values: Values) -> bool:
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "iub"
    first: Any = next((value for value in values if value is not None), None)
    return type(first) in (str, bool, int)


def _probabilities(outputs: Sequence[Column]) -> "np.ndarray[Any, np.dtype[np.float64]] | None":
    """Shape (rows, classes), if the first output is the first column of a matrix of probabilities."""
    stem, bracket, at = outputs[0].name.rpartition("[") if outputs else ("", "", "")
    if not bracket or at != "0]":
        return None
    columns = [column.values for column in outputs if column.name.startswith(f"{stem}[")]
    try:
        found = np.array(columns, np.float64).T
    except (ValueError, TypeError):  # ragged, or no numbers
        return None
    if found.ndim != 2 or found.shape[1] < 2 or not np.isfinite(found).all():
        return None
    right = (found >= 0).all() and (np.abs(found.sum(axis=1) - 1) <= _SUM_TOLERANCE).all()
    return found if right else None
