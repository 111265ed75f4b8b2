"""Numbers that say what text looks like without reading it: how long, and which kinds of characters.

Free text has no levels that could be counted; these four numbers a text are what a broken tokeniser, another
language, an empty template or a dump of digits moves, in any language. They are features like others, named
after the text's: `comment.length`. A fifth, the share of words that a vocabulary lacks, is from `words`. What
it is not: a measure of meaning.

The trap: a text may be a megabyte, so kinds of characters are counted in its beginning only.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.reference import ColumnProfile, ColumnType

Numbers = npt.NDArray[np.float64]

# A paragraph; shares of its characters are known to two percentage points.
LOOKED_AT = 512
SUFFIXES = (".length", ".digits", ".spaces", ".non_ascii")
"""Characters; and the shares of digits, of white space and of what is not ASCII, 0 to 1."""

UNKNOWN_WORDS = ".unknown_words"
DERIVED = (*SUFFIXES, UNKNOWN_WORDS)


def statistics(values: Sequence[Any]) -> Numbers:
    """The numbers of `SUFFIXES` for each text, shape (4, values); NaN for what is no text. Never raises."""
    found = np.full((len(SUFFIXES), len(values)), np.nan)
    at = [i for i, value in enumerate(values) if isinstance(value, str)]
    texts = [values[i] for i in at]
    if not texts:
        return found
    seen = [text[:LOOKED_AT] for text in texts]
    codes = np.frombuffer("".join(seen).encode("utf-32-le", "surrogatepass"), "<u4")
    ends = np.cumsum([len(text) for text in seen])
    kinds = (
        (codes >= 48) & (codes <= 57),
        (codes == 32) | ((codes >= 9) & (codes <= 13)) | (codes == 0xA0) | (codes == 0x3000),
        codes > 127,
    )
    lengths = np.diff(ends, prepend=0)
    found[0, at] = [len(text) for text in texts]
    for row, kind in enumerate(kinds, start=1):
        before = np.concatenate([[0], np.cumsum(kind)])
        counts = before[ends] - before[ends - lengths]
        found[row, at] = counts / np.maximum(lengths, 1)
    return found


def is_derived(name: str, features: Mapping[str, ColumnProfile]) -> bool:
    """Whether a feature of a reference is the number of a text, and so in no payload."""
    text = features.get(name.rpartition(".")[0])
    return name.endswith(DERIVED) and text is not None and text.type is ColumnType.TEXT


def sent(features: Mapping[str, ColumnProfile]) -> Iterable[str]:
    """The features of a reference that payloads hold, in its order."""
    return [name for name in features if not is_derived(name, features)]
