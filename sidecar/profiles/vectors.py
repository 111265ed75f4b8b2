"""Embeddings in a table: the numbers that stand for each vector, named and worked out as of traffic.

A column of lists of numbers among the predictions (in csv: their JSON) is no column of a reference; five are
in its place, `<name>.norm`, `.mean`, `.sparsity`, `.dimension` and, beside the centroid of the first vectors,
`.cosine`. What it is not: for features. Wide inputs have names that no table has.

The trap: one server rounds a norm and the next does not. A unit vector is .99999994 long or 1.00, so the
edges of a norm's bins lie where no rounding to three digits takes a value across.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import orjson

from sidecar.centroid import COSINE, MAX_CENTROIDS, NORM, Centroid
from sidecar.reference import ColumnProfile, ColumnType

# Shorter lists are probabilities of classes; the smallest embeddings in use have 32 numbers.
FEWEST_NUMBERS = 16
# Columns of vectors in one table; each takes what five columns take.
MAX_VECTOR_COLUMNS = 20
_MEAN, _SPARSITY, _DIMENSION = ".mean", ".sparsity", ".dimension"
# How protocols for embeddings round a norm: what bfloat16 leaves of it.
_NORM_DIGITS = 3
# Vectors compared at a time, so that those that teach the centroid are no more than it asks for.
_AT_A_TIME = 100

Matrix = npt.NDArray[np.float64]


class Builder(Protocol):
    """What the values of one column are put into: a `ColumnBuilder`."""

    def add(self, values: Sequence[Any] | npt.NDArray[Any]) -> None:
        """Take these values."""

    def profile(self, *, output: bool = False, type: ColumnType | None = None) -> ColumnProfile:
        """What they look like so far."""


class VectorColumns:
    """The columns of a table that hold vectors; `make` gives the builder of a column by its name."""

    def __init__(self, make: Callable[[str], Builder]) -> None:
        self._make = make
        self._of: dict[str, _VectorColumn] = {}

    def took(self, name: str, values: Sequence[Any] | npt.NDArray[Any]) -> bool:
        """Take the values of a column that holds vectors, which its first value says; False for another."""
        column = self._of.get(name)
        if column is None:
            first = next((value for value in values if value is not None), None)
            if as_vector(first) is None or len(self._of) >= MAX_VECTOR_COLUMNS:
                return False
            compared = len(self._of) < MAX_CENTROIDS
            column = self._of[name] = _VectorColumn(name, self._make, compared=compared)
        column.add(values)
        return True

    def profiles(self) -> dict[str, ColumnProfile]:
        """The numbers that stand for the vectors, by name; those that have no value are left out."""
        found = [profile for column in self._of.values() for profile in column.profiles()]
        return {profile.name: profile for profile in found if profile.shares}


def described(
    name: str, values: Sequence[Any] | npt.NDArray[Any], profiles: Mapping[str, ColumnProfile]
) -> dict[str, Matrix]:
    """The numbers that stand for a column of vectors, with cosines where `profiles` have their centroid.

    Each has one number a value, NaN where that is no vector. Empty when the profiles know of no vectors of
    this name, or none is one.
    """
    if name + NORM not in profiles:
        return {}
    known = profiles.get(name + COSINE)
    centroid = Centroid(known.centroid) if known and known.centroid else None
    found: dict[str, Matrix] = {}
    for rows, matrix in _matrices(values):
        numbers = _summary(matrix)
        cosines = centroid.cosines(matrix) if centroid else None
        if cosines is not None:
            numbers[COSINE] = cosines
        for suffix, of_rows in numbers.items():
            column = found.setdefault(name + suffix, np.full(len(values), np.nan))
            column[rows] = of_rows
    return found


def as_vector(value: Any) -> npt.NDArray[np.float64] | None:
    """A list of numbers, or its JSON, as an array; None for anything else and for short lists."""
    if type(value) is str and value[:1] == "[":
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    if not isinstance(value, (list, tuple)) or len(value) < FEWEST_NUMBERS:
        return None
    try:
        numbers = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return numbers if numbers.ndim == 1 else None


class _VectorColumn:
    """One column of vectors: what is known of its numbers, and the centroid they are compared with."""

    def __init__(self, name: str, make: Callable[[str], Builder], *, compared: bool) -> None:
        self._numbers = {s: make(name + s) for s in (NORM, _MEAN, _SPARSITY, _DIMENSION)}
        self._cosines = make(name + COSINE)
        self._centroid = Centroid() if compared else None

    def add(self, values: Sequence[Any] | npt.NDArray[Any]) -> None:
        there = 0
        for rows, matrix in _matrices(values):
            there += len(rows)
            for suffix, numbers in _summary(matrix).items():
                self._numbers[suffix].add(numbers if suffix != NORM else _rounded(numbers))
            if self._centroid is not None:
                self._compare(matrix, self._centroid)
        for column in self._numbers.values():
            column.add([None] * (len(values) - there))

    def _compare(self, matrix: Matrix, centroid: Centroid) -> None:
        """The first teach; of those after them, as in traffic, it is noted how far they are from it."""
        for at in range(0, len(matrix), _AT_A_TIME):
            part = matrix[at : at + _AT_A_TIME]
            cosines = centroid.cosines(part)
            if cosines is not None:
                self._cosines.add(cosines)
            centroid.learn(part)

    def profiles(self) -> list[ColumnProfile]:
        plain = {s: column.profile(type=ColumnType.NUMBER) for s, column in self._numbers.items()}
        plain[NORM] = _between_roundings(plain[NORM])
        known = self._centroid.known if self._centroid else b""
        cosines = self._cosines.profile(type=ColumnType.NUMBER)
        return [*plain.values(), replace(cosines, centroid=known)]


def _matrices(values: Sequence[Any] | npt.NDArray[Any]) -> list[tuple[list[int], Matrix]]:
    """The vectors among the values by dimension: which rows they are, and as [rows, dimension]."""
    vectors = [as_vector(value) for value in values]
    at: dict[int, list[int]] = {}
    for row, vector in enumerate(vectors):
        if vector is not None:
            at.setdefault(len(vector), []).append(row)
    return [(rows, np.array([vectors[row] for row in rows])) for rows in at.values()]


def _summary(matrix: Matrix) -> dict[str, Matrix]:
    """As decoders have it of traffic."""
    dimension = matrix.shape[1]
    with np.errstate(all="ignore"):
        norm = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
        mean = matrix.mean(axis=1)
    sparsity = (dimension - np.count_nonzero(matrix, axis=1)) / dimension
    return {NORM: norm, _MEAN: mean, _SPARSITY: sparsity, _DIMENSION: np.full(len(matrix), float(dimension))}


def _rounded(norms: Matrix) -> Matrix:
    return np.array([float(f"{norm:.{_NORM_DIGITS}g}") for norm in norms.tolist()])


def _between_roundings(profile: ColumnProfile) -> ColumnProfile:
    """The same bins of rounded norms, with edges where none is rounded to, and so for the extremes."""
    if profile.min is None or profile.max is None:
        return profile
    edges = tuple(
        _past(edge) if float(f"{edge:.{_NORM_DIGITS}g}") <= edge else _before(edge) for edge in profile.edges
    )
    return replace(profile, edges=edges, min=_before(profile.min), max=_past(profile.max))


def _past(norm: float) -> float:
    """The number half way from a rounded norm to the next."""
    return norm + _half_a_unit(norm)


def _before(norm: float) -> float:
    """The number half way from the norm before a rounded norm, or from just below it, to that."""
    rounded = float(f"{norm:.{_NORM_DIGITS}g}")
    return rounded - _half_a_unit(math.nextafter(rounded, 0.0))


def _half_a_unit(number: float) -> float:
    if number <= 0:
        return 0.0
    return 0.5 * 10.0 ** (math.floor(math.log10(number)) - _NORM_DIGITS + 1)
