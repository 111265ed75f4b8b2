"""One way to write down a prediction or a label, so that the two can be compared: a kind and a float.

A prediction `1` and its label `"1"`, `1.0` or `true` are the same class, because one comes from a model
server and the other from a warehouse. The trap: a class that is a text is kept as a hash of 52 bits, which
a float holds exactly; it compares like the text and is never shown.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

# Nothing that can be compared: null, NaN, a list. Also what a row without a usable prediction holds.
NONE = 0
NUMBER = 1
TEXT = 2

Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.uint8]
Value = tuple[int, float]

NOTHING: Value = (NONE, 0.0)
# Above, neighbouring integers share a float: such a number is an id, and compares as a text.
_EXACT = 2**53
# No leading zeros: "007" is a name.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,3})?")
# 2**64 over the golden ratio: what neighbouring rows add up to is far apart.
_ODD = 0x9E3779B97F4A7C15
_FLAGS = {"true": 1.0, "false": 0.0}


def value_of(found: Any) -> Value:
    """The value as it is compared; NOTHING for what cannot be."""
    kind = type(found)
    if kind is float:
        return (NUMBER, found) if isfinite(found) else NOTHING
    if kind is bool:
        return NUMBER, float(found)
    if kind is int:
        return (NUMBER, float(found)) if -_EXACT <= found <= _EXACT else _hashed(str(found))
    return _text(found) if kind is str else NOTHING


def values_of(found: Sequence[Any] | npt.NDArray[Any]) -> tuple[Floats, Kinds]:
    """Those of a column, as arrays."""
    if isinstance(found, np.ndarray) and found.dtype.kind in "fiub":
        numbers = found.astype(np.float64)
        kinds = np.isfinite(numbers).astype(np.uint8)  # NUMBER is 1, NONE is 0
        return np.where(kinds == NUMBER, numbers, 0.0), kinds
    each_one = found.tolist() if isinstance(found, np.ndarray) else found
    types = set(map(type, each_one))
    if types == {float}:  # nearly always, and ten times as fast
        return values_of(np.array(each_one))
    if types == {str}:  # classes: few different ones, and each costs a hash
        known = {text: value_of(text) for text in set(each_one)}
        read = [known[text] for text in each_one]
    else:
        read = [value_of(each) for each in each_one]
    return np.array([v for _, v in read], np.float64), np.array([k for k, _ in read], np.uint8)


def key_of(identity: str) -> int:
    """What is remembered of an id: 64 bits of a hash. Two of a billion ids share one with a chance of 3 %."""
    return int.from_bytes(blake2b(identity.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def key_of_row(key: int, row: int) -> int:
    """The key of a row of which nothing else of its prediction is known; that of the first row is `key`."""
    return (key + row * _ODD) % 2**64


def _text(found: str) -> Value:
    text = found.strip()
    flag = _FLAGS.get(text.lower()) if len(text) < 6 else None
    if flag is not None:
        return NUMBER, flag
    if len(text) < 40 and _NUMBER.fullmatch(text):
        number = float(text)
        return (NUMBER, number) if isfinite(number) else NOTHING
    return _hashed(text) if text else NOTHING


def _hashed(text: str) -> Value:
    return TEXT, float(key_of(text) >> 12)
