"""Bounded sets of label values that traffic may propose.

Only a trusted caller (an exchange that the upstream answered successfully) may add a value; what the
configuration or the reference names holds a reserved place; past the limit everything is `__other__`.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator

from sidecar.metric import OTHER

# Long enough for real feature names; longer ones are somebody's data or an attack.
MAX_LABEL_CHARACTERS = 100
# A value nobody used for a day leaves, so that a rolled-back model does not hold its place for ever.
UNUSED_AFTER_SECONDS = 24 * 3600.0


def clean(value: str) -> str:
    """`value` as a label value: printable, without direction marks, of bounded length.

    Values that are too long keep their beginning and get a hash, so that two do not become one.
    """
    if value.isascii() and value.isprintable() and len(value) <= MAX_LABEL_CHARACTERS:
        return value
    text = unicodedata.normalize("NFC", value.encode("utf-8", "replace").decode("utf-8"))
    text = "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else "_" for c in text)
    if len(text) <= MAX_LABEL_CHARACTERS:
        return text
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{text[: MAX_LABEL_CHARACTERS - 9]}~{digest}"


class Names:
    """A capped set of label values, each remembered until unused for a day."""

    def __init__(self, limit: int, reserved: Iterable[str] = ()) -> None:
        self._limit = limit
        self._reserved = frozenset(clean(name) for name in reserved)
        self._cleaned: dict[str, str] = {}
        self._last_used: dict[str, float] = {}

    def admit(self, value: str, now: float, *, trusted: bool) -> str:
        """The label value to use for `value`; `__other__` if it is not known and may not be added."""
        name = self._cleaned.get(value)
        if name is not None:
            self._last_used[name] = now
            return name
        name = clean(value)
        if name in self._reserved:
            return name
        if name not in self._last_used and (not trusted or len(self._last_used) >= self._limit):
            return OTHER
        # Several raw spellings may share one clean name; the memory of spellings is bounded too.
        if len(self._cleaned) < 4 * self._limit:
            self._cleaned[value] = name
        self._last_used[name] = now
        return name

    def expire(self, now: float) -> list[str]:
        """Forget values unused for a day and return them; reserved ones stay."""
        gone = [n for n, used in self._last_used.items() if now - used > UNUSED_AFTER_SECONDS]
        for name in gone:
            del self._last_used[name]
        if gone:
            self._cleaned = {raw: name for raw, name in self._cleaned.items() if name in self._last_used}
        return gone

    def __iter__(self) -> Iterator[str]:
        return iter([*sorted(self._reserved), *self._last_used])
