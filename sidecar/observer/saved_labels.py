"""What waits for labels as a document, and back: arrays as base64, a quarter of what their digits would take.

Pure. Values of rows are in it, the predictions as numbers or hashes, with hashes of their ids: no ids, no
texts, no features. The trap: a file has a limit, so of a memory that is larger only the newest part
survives.
"""

import base64
import binascii
from typing import Any

import numpy as np

# As base64 two thirds of what a file may be.
LIMIT_BYTES = 32 * 1024 * 1024
_TYPES = {
    "keys": "<u8", "times": "<f8", "models": "<u2", "firsts": "<u4", "counts": "<u4", "values": "<f8",
    "kinds": "|u1",
}  # fmt: skip


def encoded(state: dict[str, Any]) -> dict[str, Any]:
    """The state of `Labels` as JSON can hold it."""
    predictions = state["predictions"]
    kept: list[dict[str, str]] = []
    room = LIMIT_BYTES
    for segment in reversed(predictions["segments"]):
        room -= sum(column.nbytes for column in segment.values())
        if room < 0:
            break
        kept.append({name: _text(segment[name].astype(kind)) for name, kind in _TYPES.items()})
    return {**state, "predictions": {**predictions, "segments": kept[::-1]}}


def decoded(document: dict[str, Any]) -> dict[str, Any]:
    """The state of `Labels` from a document. Raises ValueError, TypeError or KeyError when it is none."""
    predictions = document["predictions"]
    segments = [
        {name: _array(segment[name], kind) for name, kind in _TYPES.items()}
        for segment in predictions["segments"]
    ]
    return {**document, "predictions": {**predictions, "segments": segments}}


def _text(column: "np.ndarray[Any, Any]") -> str:
    return base64.b64encode(column.tobytes()).decode()


def _array(text: str, kind: str) -> "np.ndarray[Any, Any]":
    try:
        # A copy: what comes out of bytes cannot be written to, and rows get labels.
        return np.frombuffer(base64.b64decode(text, validate=True), kind).copy()
    except binascii.Error as error:
        raise ValueError("not base64") from error
