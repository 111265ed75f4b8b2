"""Labels that came before their prediction: the two take different ways, and either may be first.

Bounded in number and in time; what finds no room, or no prediction in time, is unknown. What it is not: kept
across restarts; a minute is not worth a file.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sidecar.monitors.labels.values import Value

# Half a kilobyte each. More than this a minute come from somewhere that does not know the ids here.
LIMIT = 10_000


class Given(NamedTuple):
    """A label as it was posted, or the labels of all rows of a prediction.

    `at` is its place in the list. `key` is of the prediction's id, None without one. `values` has one
    value, or one for each row if `all_rows`; NOTHING among them is a row whose label is not known. `row` is
    None where it was not said. `prediction` and `time` (wall clock, of the prediction) come with labels
    that bring theirs.
    """

    at: int
    values: tuple[Value, ...]
    key: int | None = None
    row: int | None = None
    all_rows: bool = False
    model: str = ""
    version: str = ""
    prediction: Value | None = None
    time: float | None = None


class Waiting:
    """At most `LIMIT` labels, each for `wait` seconds. Times may be of any clock, of the same one."""

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._by_key: dict[int, list[Given]] = {}
        self._order: deque[tuple[float, Given]] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, given: Given, now: float) -> bool:
        """Let a label wait; False when it may not."""
        if self._wait <= 0 or given.key is None or self._count >= LIMIT:
            return False
        self._by_key.setdefault(given.key, []).append(given)
        self._order.append((now, given))
        self._count += 1
        return True

    def come(self, keys: Iterable[int]) -> list[Given]:
        """Those whose predictions came; they wait no longer."""
        if not self._by_key:
            return []
        found = [given for key in keys for given in self._by_key.pop(key, ())]
        self._count -= len(found)
        if len(self._order) > 2 * LIMIT:  # most of it has come already
            waiting = {id(given) for each in self._by_key.values() for given in each}
            self._order = deque(entry for entry in self._order if id(entry[1]) in waiting)
        return found

    def expire(self, now: float) -> Iterator[Given]:
        """Those that have waited long enough."""
        while self._order and now - self._order[0][0] > self._wait:
            _, given = self._order.popleft()
            if self._drop(given):
                yield given

    def _drop(self, given: Given) -> bool:
        assert given.key is not None
        waiting = self._by_key.get(given.key, [])
        at = next((i for i, each in enumerate(waiting) if each is given), None)
        if at is None:
            return False
        del waiting[at]
        if not waiting:
            del self._by_key[given.key]
        self._count -= 1
        return True
