"""Embeddings as outputs: how long each vector is and how many numbers it has. The vectors are not kept.

A norm that drifts or is no number is what a broken embedding model shows; a dimension that changes breaks
every index built on it. The trap: openai-python asks for base64 unless told otherwise, and gets
little-endian 32-bit floats.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.centroid import MAX_DIMENSIONS
from sidecar.decoders import columns
from sidecar.decoders.generation import objects
from sidecar.inference import Column, Inference

# What bfloat16 leaves of the norm of a normalised vector; more would be the rounding of whoever served it,
# and a new version of the server would look like drift.
_NORM_DIGITS = 3

Numbers = npt.NDArray[np.float64]

NORM, DIMENSION = "embedding.norm", "embedding.dimension"


def fill_outputs(inference: Inference, vectors: list[Any]) -> None:
    """One row for each vector, a null for one that is missing.

    None at all if they are of another kind: a vector for each token, sparse ones, packed ones.
    """
    columns.check_rows(len(vectors))
    inference.rows = inference.rows or len(vectors)
    measured = [_measure(vector) for vector in vectors]
    known = [pair for pair in measured if pair is not None]
    if known and len(known) == len(measured):
        norms, dimensions, numbers = zip(*known, strict=True)
        inference.outputs = [
            Column(NORM, list(norms), _together(numbers)),
            Column(DIMENSION, list(dimensions)),
        ]


def of_answer(document: Any) -> list[Any]:
    """The vectors in an answer, whoever's: OpenAI, vLLM's pooling, Ollama, TEI and Cohere."""
    if type(document) is list:
        return document
    if type(document) is not dict:
        return []
    if type(document.get("data")) is list:
        ordered = sorted(objects(document["data"]), key=_index)
        return [item.get("embedding", item.get("data")) for item in ordered]
    found = document.get("embeddings")
    if type(found) is dict:  # by type: {"float": […], "int8": […]}
        found = next((value for value in found.values() if type(value) is list), [])
    if type(found) is list:
        return found
    return [document["embedding"]] if "embedding" in document else []


def _index(item: dict[str, Any]) -> int:
    index = item.get("index")
    return index if type(index) is int else 0


def _together(vectors: Sequence[Numbers | None]) -> Numbers | None:
    """The vectors as [rows, dimensions]; None if one is missing, is of another dimension or large."""
    there = [vector for vector in vectors if vector is not None and vector.size <= MAX_DIMENSIONS]
    if len(there) < len(vectors) or len({vector.size for vector in there}) != 1:
        return None
    return np.array(there)


def _measure(vector: Any) -> tuple[float | None, int | None, Numbers | None] | None:
    """Norm, dimension and numbers; nulls for a null, None for what is no list of numbers."""
    if vector is None:
        return None, None, None
    try:
        if type(vector) is str:
            numbers = np.frombuffer(base64.b64decode(vector, validate=True), "<f4").astype(np.float64)
        else:
            numbers = np.asarray(vector, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        return None
    if numbers.ndim != 1 or not numbers.size:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        return float(f"{np.sqrt(numbers @ numbers):.{_NORM_DIGITS}g}"), numbers.size, numbers
