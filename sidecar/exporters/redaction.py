"""What may leave of one value of a payload, by the rule that the operator gave its field. Pure.

Applied before a record is queued, so that nothing else is ever in memory for longer than the exchange. The
trap: a hash without a key is no protection, since whoever guesses the value computes the same hash; so there
is none without.
"""

import hmac
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sidecar.inference import MISSING
from sidecar.sensitive import scrub, scrub_number

Safe = str | bool | int | float

# 64 bits: enough to find the same customer again, and too few to matter beside the key.
HASH_CHARACTERS = 16
# What a key should have: shorter ones can be searched.
MIN_KEY_BYTES = 16


class RuleKind(StrEnum):
    """What is done to a value."""

    KEEP = "keep"  # as it is, but for secrets and personal data in it
    MASK = "mask"  # only that there was one
    HASH = "hash"  # the same text for the same value, with a key
    BUCKET = "bucket"  # the interval a number lies in


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to the values of one field. `bounds`, of buckets, go up."""

    kind: RuleKind
    bounds: tuple[float, ...] = ()


class Redactor:
    """Applies rules. `key` is secret, and is never shown."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key

    def apply(self, name: str, rule: Rule, value: Any) -> Safe | None:
        """What may leave of a value of the field `name`; None if there was no value at all."""
        if value is MISSING:
            return None
        if value is None:
            return "[null]"
        if hasattr(value, "item"):  # a number of numpy's
            value = value.item()
        match rule.kind:
            case RuleKind.KEEP:
                return _kept(value)
            case RuleKind.BUCKET:
                return _interval(value, rule.bounds)
            case RuleKind.HASH:
                return self._hash(name, value)
            case RuleKind.MASK:
                return "[masked]"

    def _hash(self, name: str, value: Any) -> str:
        if not self._key:
            return "[masked]"
        # 3 and 3.0 are the same value to a model, and JSON does not tell them apart.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = f"{name}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, sha256).hexdigest()[:HASH_CHARACTERS]


def _kept(value: Any) -> Safe:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return scrub_number(value)
    return scrub(value) if isinstance(value, str) else "[nested]"


def _interval(value: Any, bounds: Sequence[float]) -> str:
    """`<18`, `[18,30)`… or `>=65`; `[other]` for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return "[other]"
    place = bisect_right(bounds, value)
    if place == 0:
        return f"<{bounds[0]:g}"
    if place == len(bounds):
        return f">={bounds[-1]:g}"
    return f"[{bounds[place - 1]:g},{bounds[place]:g})"
