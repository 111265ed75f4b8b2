"""Which words a free text is made of, as hashes: enough to say how many are unknown, not which they are.

A vocabulary is the 4,096 most frequent words of the first texts, as sorted 32-bit hashes, and only words that
several of them have: rare words are what points at a person. Words are runs of letters in any script, in
lower case; in scripts without spaces (Han, kana, Thai …) each character and the next. What it is not: a
tokeniser of any model. The trap: hashes of common words can be guessed; so a vocabulary holds nothing else.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]

# A paragraph; longer texts are known by their beginning.
LOOKED_AT = 512
# Texts that teach. A word that one of a hundred texts has is then met twenty times.
TEACHING = 2_000
# Of those, a word must be in so many: a name that one person's texts have is not.
MIN_TEXTS = 5
# 16 kB. Two thousand texts of thirty words teach some 1,500.
MAX_WORDS = 4_096
# While it is learnt: eight bytes each.
MAX_DISTINCT = 16_384
# With fewer, texts are ids or empty, and everything or nothing is unknown.
MIN_WORDS = 20

_ASTRAL = 0x10000
_LETTER, _ALONE = 1, 2
_SPACELESS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
)  # fmt: skip


class Vocabulary:
    """Learns the words of the first texts; `known` is then as in a reference, empty before."""

    def __init__(self, known: bytes | None = None) -> None:
        self.known = known or b""
        self._left = 0 if known is not None else TEACHING
        self._hashes = np.empty(0, np.uint32)
        self._texts = np.empty(0, np.uint32)

    def learn(self, texts: Sequence[str]) -> None:
        """Take texts, until there were enough."""
        if self._left <= 0 or not texts:
            return
        hashes, rows = words(texts)
        each = np.unique(rows.astype(np.uint64) << np.uint64(32) | hashes)
        found, counts = np.unique((each & np.uint64(0xFFFFFFFF)).astype(np.uint32), return_counts=True)
        merged, at = np.unique(np.concatenate([self._hashes, found]), return_inverse=True)
        totals = np.bincount(at, np.concatenate([self._texts, counts])).astype(np.uint32)
        if len(merged) > MAX_DISTINCT:
            often = np.sort(np.argsort(totals, kind="stable")[-MAX_DISTINCT:])
            merged, totals = merged[often], totals[often]
        self._hashes, self._texts = merged, totals
        self._left -= len(texts)
        if self._left <= 0:
            self._settle()

    def _settle(self) -> None:
        often = np.argsort(self._texts, kind="stable")[-MAX_WORDS:]
        often = often[self._texts[often] >= MIN_TEXTS]
        if len(often) >= MIN_WORDS:
            self.known = np.sort(self._hashes[often]).astype("<u4").tobytes()
        self._hashes = self._texts = np.empty(0, np.uint32)


def unknown(texts: Sequence[str], known: bytes) -> npt.NDArray[np.float64]:
    """The share of each text's words that are not in a vocabulary (not empty); 0 of a text without words."""
    hashes, rows = words(texts)
    vocabulary = np.frombuffer(known, "<u4")
    at = np.minimum(np.searchsorted(vocabulary, hashes), len(vocabulary) - 1)
    missed = vocabulary[at] != hashes
    total = np.bincount(rows, minlength=len(texts))
    return np.asarray(np.bincount(rows, missed, minlength=len(texts)) / np.maximum(total, 1))


def words(texts: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.intp]]:
    """The hash of every word, and which text it is of. Never raises."""
    seen = [text[:LOOKED_AT] for text in texts]
    codes = np.frombuffer("\n".join([*seen, ""]).encode("utf-32-le", "surrogatepass"), "<u4")
    row = np.repeat(np.arange(len(seen)), [len(text) + 1 for text in seen])
    kinds, lower = _tables()
    low = np.minimum(codes, _ASTRAL - 1)
    kind = kinds[low]
    kind[codes >= _ASTRAL] = 0
    kind[codes >= 2 * _ASTRAL] = _ALONE
    inside = np.flatnonzero(kind)
    if not len(inside):
        return np.empty(0, np.uint32), np.empty(0, np.intp)
    kind, at = kind[inside], inside
    apart = np.diff(at, prepend=-2) != 1  # from the letter before
    alone = kind == _ALONE
    begins = alone | apart
    begins[1:] |= alone[:-1]
    letters = lower[low[at]] + np.uint32(1)
    letters[codes[at] >= _ASTRAL] = codes[at][codes[at] >= _ASTRAL]
    first = np.flatnonzero(begins)
    position = np.arange(len(at)) - np.maximum.accumulate(np.where(begins, np.arange(len(at)), 0))
    parts = letters * _powers()[position]
    if alone.any():
        follows = np.flatnonzero(alone[:-1] & alone[1:] & ~apart[1:])
        parts[follows] += letters[follows + 1] * _powers()[1]
    return _mixed(np.add.reduceat(parts, first, dtype=np.uint32)), row[at[first]]


def _mixed(hashes: Hashes) -> Hashes:
    """Spread over all 32 bits (the finaliser of a common integer hash)."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x7FEB352D)
    hashes = (hashes ^ (hashes >> np.uint32(15))) * np.uint32(0x846CA68B)
    return hashes ^ (hashes >> np.uint32(16))


@cache
def _powers() -> Hashes:
    factors = np.full(LOOKED_AT + 1, 0x01000193, np.uint32)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint32)


@cache
def _tables() -> tuple[npt.NDArray[np.uint8], Hashes]:
    """Of each character below 65,536: whether it is a letter, or one that stands alone, and its lower case.

    Marks count as letters: vowels of many scripts are marks. Made when the first text comes, in 20 ms.
    """
    texts = [chr(code) for code in range(_ASTRAL)]
    kinds = np.array([unicodedata.category(text)[0] in "LM" for text in texts], np.uint8)
    for low, high in _SPACELESS:
        kinds[low : high + 1] *= _ALONE
    lower = np.array([ord(text.lower()[0]) for text in texts], np.uint32)
    return kinds, lower
