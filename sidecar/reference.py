"""The profile that drift and validity are judged against: what each feature and output looked like.

A reference belongs to a model *name*: all its versions are binned by it, so that they can be compared.
`profile` is a hash of the bin edges and levels: counters binned by different edges never mix.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class ColumnType(StrEnum):
    """What the values of a column are."""

    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TEXT = "text"
    TIMESTAMP = "timestamp"


# A feature is required when the reference has it null or missing in at most this share of rows.
REQUIRED_NULL_RATIO = 0.001


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the operator says of a feature; None where nothing is said."""

    type: ColumnType | None = None
    required: bool | None = None
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] | None = None
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One feature or output in the reference.

    For numbers `edges` are the K-1 inner bin edges (bin i holds edges[i-1] < x <= edges[i]) and `shares`
    the K shares among the numeric values; for categories and booleans `levels` maps each kept level to its
    share among the non-null values, the rest being `__other__`. `null_ratio` counts null, NaN and missing.
    `words` is the vocabulary of a text: sorted 32-bit hashes, little-endian (`sidecar.words`).
    `centroid` is what cosines are to: a unit vector of 32-bit floats, little-endian (`sidecar.centroid`).
    """

    name: str
    type: ColumnType
    rows: int
    null_ratio: float = 0.0
    edges: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    levels: Mapping[str, float] = field(default_factory=dict)
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    stddev: float | None = None
    words: bytes = b""
    centroid: bytes = b""

    @property
    def required(self) -> bool:
        """Practically never null in the reference."""
        return self.null_ratio <= REQUIRED_NULL_RATIO


@dataclass(frozen=True, slots=True)
class Reference:
    """Profiles of a model's features and outputs. `source` is "given" or "learnt"; `created` is ISO 8601.

    `timestamp` is the column of the data that says when each row was, "" if none does.
    """

    rows: int
    features: Mapping[str, ColumnProfile]
    outputs: Mapping[str, ColumnProfile] = field(default_factory=dict)
    source: str = "given"
    created: str = ""
    model: str = ""
    timestamp: str = ""

    @property
    def profile(self) -> str:
        """Eight hex digits that identify the binning."""
        bins = {
            kind: {n: [list(c.edges), sorted(c.levels)] for n, c in sorted(columns.items())}
            for kind, columns in (("feature", self.features), ("output", self.outputs))
        }
        return hashlib.sha256(json.dumps(bins, sort_keys=True).encode()).hexdigest()[:8]


class References(Protocol):
    """Where monitors find the reference in use."""

    def of(self, model_name: str) -> Reference | None:
        """The reference of a model, or None while none was given and not enough rows were seen."""
