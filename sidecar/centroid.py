"""How alike a vector is to the usual ones: its cosine to their centroid, the mean of the first unit vectors.

It is what another encoder, other preprocessing or noise moves, and norms do not show once vectors are
normalised. Vectors are not kept: a sum while it is learnt, then one direction in 32-bit floats. What it is
not: a measure of every change; what is at a right angle to the centroid moves no cosine. The trap: a cosine
means something beside its own centroid only, so the two are learnt, kept and dropped together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.inference import Column
from sidecar.names import clean
from sidecar.reference import Reference

COSINE, NORM = ".cosine", ".norm"

# Embeddings in use have 384 to 4,096 numbers. 16 kB in a reference.
MAX_DIMENSIONS = 4_096
# The error of the mean is then .03 of a unit vector, all dimensions together.
TEACHING = 1_000
# Outputs of a model that have one; 32 kB each while it is learnt.
MAX_CENTROIDS = 2
# More is the rounding of whoever served the vector.
_DIGITS = 4

Floats = npt.NDArray[np.float32]


class Centroid:
    """Learns the direction of the first vectors; `known` is then as in a reference, empty before."""

    def __init__(self, known: bytes = b"") -> None:
        self.known = known
        self._direction: Floats = np.frombuffer(known, "<f4")
        self._left = TEACHING
        self._sum: npt.NDArray[np.float64] = np.empty(0)

    def cosines(self, vectors: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
        """The cosine of each row, NaN where it holds NaN; None while learning and for another dimension.

        `vectors` is [rows, dimensions]. The cosine of a vector of zeros is 0. Never raises.
        """
        if not self.known or vectors.shape[1] != len(self._direction):
            return None
        with np.errstate(all="ignore"):
            cosines: npt.NDArray[np.float64] = (_unit(vectors) @ self._direction).astype(np.float64)
            return np.asarray(np.round(cosines, _DIGITS), np.float64)

    def learn(self, vectors: npt.NDArray[Any]) -> None:
        """Take vectors until there were enough; those with another dimension than the first teach nothing."""
        if self.known:
            return
        if not len(self._sum):
            self._sum = np.zeros(vectors.shape[1])
        if vectors.shape[1] != len(self._sum):
            return
        with np.errstate(all="ignore"):
            units = _unit(vectors)
            units = units[np.isfinite(units).all(axis=1)]
        self._sum += units.sum(axis=0, dtype=np.float64)
        self._left -= len(units)
        length = float(np.sqrt(self._sum @ self._sum))
        if self._left <= 0 and length > 0:
            self._direction = (self._sum / length).astype("<f4")
            self.known = self._direction.tobytes()
            self._sum = np.empty(0)


class Centroids:
    """Those of one model's outputs. They belong to its reference: what it lacks is not learnt beside it."""

    def __init__(self) -> None:
        self._reference: Reference | None = None
        self._of: dict[str, Centroid] = {}

    def use(self, reference: Reference | None) -> None:
        """Compare with those of this reference from now on; cheap when it is the one in use."""
        if reference is None or reference is self._reference:
            return
        self._reference = reference
        profiles = {clean(name): profile for name, profile in reference.outputs.items()}
        known = [(name, profile.centroid) for name, profile in profiles.items() if profile.centroid]
        self._of = {name: Centroid(centroid) for name, centroid in known[:MAX_CENTROIDS]}

    def known(self, label: str) -> bytes:
        """The centroid that a column of cosines is to; empty for another column."""
        centroid = self._of.get(label)
        return centroid.known if centroid else b""

    def compared(self, outputs: Sequence[Column]) -> list[Column]:
        """The outputs, and a column of cosines for each that has vectors and a centroid; the others teach.

        What a model itself calls so has precedence.
        """
        found = list(outputs)
        names = {column.name for column in outputs}
        for column in outputs:
            name = column.name.removesuffix(NORM) + COSINE
            if column.vectors is None or name in names:
                continue
            centroid = self._centroid(clean(name))
            if centroid is None:
                continue
            cosines = centroid.cosines(column.vectors)
            if cosines is not None:
                found.append(Column(name, cosines))
            centroid.learn(column.vectors)
        return found

    def _centroid(self, label: str) -> Centroid | None:
        centroid = self._of.get(label)
        if centroid is None and self._reference is None and len(self._of) < MAX_CENTROIDS:
            centroid = self._of[label] = Centroid()
        return centroid


def _unit(vectors: npt.NDArray[Any]) -> Floats:
    plain = np.asarray(vectors, np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", plain, plain))
    norms[norms == 0] = 1
    return np.asarray(plain / norms[:, None], np.float32)
