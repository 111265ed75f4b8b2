"""What the values of a column are, when neither the configuration nor the reference says.

A vote over the first values, not a look at the first one: a first row that is null or odd must not
decide. Null, NaN and missing do not vote. The type may still change while few values were seen; after
`SETTLED_AFTER` it never does, so that a type change shows as `wrong_type`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sidecar.names import MAX_LABEL_CHARACTERS
from sidecar.reference import ColumnType

# At a thousand values a column of identifiers has shown far more levels than a category has.
SETTLED_AFTER = 1_000
# More levels than this are no category one could put on a chart: free text, or a number.
MAX_LEVELS = 50


class ColumnTypeVote:
    """The type of one column. Remembers hashes of levels, never the values.

    In a feature integers are numbers. With `integers_are_classes` (outputs) they are levels, until a
    float or more than `MAX_LEVELS` distinct ones show that they are a quantity.
    """

    __slots__ = ("_classes", "_levels", "_long", "_seen", "_votes", "type")

    def __init__(self, *, integers_are_classes: bool = False) -> None:
        self._classes = integers_are_classes
        self._votes: Counter[type] = Counter()
        self._levels: set[int] = set()
        self._long = False
        self._seen = 0
        # Until a value votes, only availability can be judged, which is what TEXT means.
        self.type = ColumnType.TEXT

    def see(self, values: Sequence[Any]) -> ColumnType:
        """Let these values vote, if the vote is still open; returns the type in force."""
        if self._seen >= SETTLED_AFTER:
            return self.type
        first = values[:SETTLED_AFTER]
        if isinstance(first, np.ndarray):
            first = first.tolist()
        voters = [v for v in first if type(v) in _VOTERS and v == v]
        self._votes.update(map(type, voters))
        self._seen += len(voters)
        if len(self._levels) <= MAX_LEVELS:
            self._look_at_levels([v for v in voters if type(v) in (str, int)])
        if self._seen:
            self.type = self._decide()
        if self._seen >= SETTLED_AFTER:
            self._levels = set()
        return self.type

    def go_on(self, known: ColumnType, values: int) -> None:
        """Take over what so many values said before a restart; their levels are not known any more."""
        kinds: dict[ColumnType, type] = {ColumnType.NUMBER: float, ColumnType.BOOLEAN: bool}
        if self._classes:
            kinds[ColumnType.CATEGORY] = int
        self._votes[kinds.get(known, str)] += values
        self._seen += values
        self._long = known is ColumnType.TEXT
        self.type = self._decide() if values else self.type

    def _look_at_levels(self, voters: list[str | int]) -> None:
        self._levels.update(list({hash(v) for v in voters})[: MAX_LEVELS + 1])
        self._long = self._long or any(type(v) is str and len(v) > MAX_LABEL_CHARACTERS for v in voters)

    def _decide(self) -> ColumnType:
        votes = self._votes
        few_levels = len(self._levels) <= MAX_LEVELS and not self._long
        numbers = votes[int] + votes[float]
        kind, _ = max(
            ((float, numbers), (bool, votes[bool]), (str, votes[str]), (list, votes[list] + votes[dict])),
            key=lambda pair: pair[1],
        )
        if kind is float:
            classes = self._classes and not votes[float] and few_levels
            return ColumnType.CATEGORY if classes else ColumnType.NUMBER
        if kind is str:
            return ColumnType.CATEGORY if few_levels else ColumnType.TEXT
        return ColumnType.BOOLEAN if kind is bool else ColumnType.TEXT


_VOTERS = frozenset({int, float, bool, str, list, dict})
