"""Recorded rows divided by a column of the file, as live ones are by the segments of the configuration.

The column may be a feature or not: it is read as a category of its own, and nothing but the division sees it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sidecar.batch import CleanColumn
from sidecar.binning import level_text
from sidecar.policy import Policies, Segment
from sidecar.reference import ColumnType

# More values of a column than this are not told apart; drift is judged within a fifth of them.
VALUES_LIMIT = 100


def divided(policies: Policies, model: str, columns: Sequence[str]) -> Policies:
    """The policies, the model's rows divided by these columns besides what the configuration says."""
    policy = policies.of(model)
    named = {segment.name: segment for segment in policy.segments}
    named |= {column: Segment(column, feature=column, limit=VALUES_LIMIT) for column in columns}
    changed = replace(policy, segments=tuple(named.values()))
    return replace(policies, models={**policies.models, model: changed})


def categories(name: str, values: Sequence[Any]) -> CleanColumn:
    """A column as a category; None where there is no value."""
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    levels = [_level(value) for value in plain]
    return CleanColumn(name, ColumnType.CATEGORY, np.zeros(len(levels), np.uint8), levels=levels)


def _level(value: Any) -> str | None:
    if not isinstance(value, str | int | float) or value != value or value == "":
        return None
    return level_text(value)
