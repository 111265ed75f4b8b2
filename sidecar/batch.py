"""A micro-batch: rows of one model and version, cleaned column by column, ready to be folded.

Cleaning happens once, here, and never again: every monitor sees the same states and the same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sidecar.reference import ColumnType


class State(IntEnum):
    """The state of one value; the order is that of `catalog.FEATURE_STATES`."""

    VALID = 0
    MISSING = 1
    NULL = 2
    NAN = 3
    INF = 4
    WRONG_TYPE = 5
    OUT_OF_RANGE = 6
    UNSEEN_CATEGORY = 7


# What makes a row incomplete; out of range and unseen are questions of validity, not of availability.
UNAVAILABLE = frozenset({State.MISSING, State.NULL, State.NAN, State.INF, State.WRONG_TYPE})


@dataclass(slots=True)
class CleanColumn:
    """One feature or output of a batch.

    `states` holds one State a row (uint8). For numbers, `numbers` is float64, NaN in every row whose
    value is no finite number (out-of-range values stay). For the other types `levels` holds the text of
    each usable value and None elsewhere. For timestamps `times` is float64, seconds since the epoch, NaN
    where there is none. `words` is the vocabulary of a text, once there is one; `centroid` is what cosines
    are to.
    """

    name: str
    type: ColumnType
    states: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.float64] | None = None
    levels: Sequence[str | None] | None = None
    times: npt.NDArray[np.float64] | None = None
    words: bytes = b""
    centroid: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """The rows of a batch by one segment: row i has `values[at[i]]`, a label or "" where it has none.

    `judged`: drift is to be judged within each value.
    """

    segment: str
    values: Sequence[str]
    at: npt.NDArray[np.intp]
    judged: bool = True


def no_states() -> npt.NDArray[np.int64]:
    """How many values were in each state, before any was seen."""
    return np.zeros(len(State), np.int64)


@dataclass(slots=True)
class Batch:
    """Rows of one model and version, in arrival order.

    `first` and `last` are the monotonic times of the oldest and newest row; `times` holds that of every row,
    None when they are taken to arrive evenly between the two. Outputs may have fewer rows than `rows`, when
    some inferences failed; each column knows its own length.

    Column names are safe as label values and bounded in number: what is past the cap of a model has no
    column, only its values counted by state in `other_features` and `other_outputs`. `complete` counts
    the rows with every required feature; `misshapen` counts, for each output, the predictions that came
    back in another number than was asked for, and so belong to no row. `trusted`: the model answered these
    requests successfully, so what they hold may be learnt from. `elsewhere`: features without a column were
    not in the payload and are unknown, neither null nor missing. `requests`: how many brought these rows,
    0 when nobody counted. `whole` marks the complete rows, None when nobody looked. `headers` has the value
    of each segment that is a header, the same for all rows; `segments` divides the rows by all of them.
    """

    model: str
    version: str
    rows: int
    first: float
    last: float
    features: Mapping[str, CleanColumn] = field(default_factory=dict)
    outputs: Mapping[str, CleanColumn] = field(default_factory=dict)
    complete: int = 0
    misshapen: Mapping[str, int] = field(default_factory=dict)
    other_features: npt.NDArray[np.int64] = field(default_factory=no_states)
    other_outputs: npt.NDArray[np.int64] = field(default_factory=no_states)
    trusted: bool = True
    elsewhere: bool = False
    times: npt.NDArray[np.float64] | None = None
    requests: int = 0
    whole: npt.NDArray[np.bool_] | None = None
    headers: tuple[str, ...] = ()
    segments: tuple[Division, ...] = ()


class RowMonitor(Protocol):
    """One question about rows. Owns bounded state; called in arrival order, from one thread."""

    def fold(self, batch: Batch) -> None:
        """Take these rows into account. Must not keep a reference to the batch."""

    def tick(self, now: float) -> None:
        """Time has passed (about once a second); `now` is monotonic."""
