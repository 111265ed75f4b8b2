"""Predictions that wait for their labels: a bounded memory of numbers, found again by a hash of their id.

Appended to a small open segment; a full one is sorted and closed, and sixteen closed ones become one, so that
finding costs one binary search a segment, for thousands of ids at once. The oldest segment leaves first,
whole: what it held and nobody labelled is reported. No ids, no payloads, no Python object for each
prediction.

Costs 26 bytes a request and 9 a row. The trap: a prediction stays at least as long as it should, up to
twice as long where traffic is thin, never longer than the room allows.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from sidecar.monitors.labels.values import Floats, Kinds

Keys = npt.NDArray[np.uint64]

REQUEST_BYTES, ROW_BYTES = 26, 9
# Beside the kind of a prediction: its label has come.
LABELLED = 0x80
KIND = 0x7F
# A binary search in a thousand costs as much as ten in two; more in the open one would be sorted too often.
_OPEN_REQUESTS = 1024
_MERGED = 16
# A request with more rows than a quarter of the room would drive out too much.
_LARGEST_PART = 4
_PARTS_OF_KEEP = 8
_FIELDS = ("keys", "times", "models", "firsts", "counts", "values", "kinds")
_TYPES = (np.uint64, np.float64, np.uint16, np.uint32, np.uint32, np.float64, np.uint8)


class Segment:
    """Requests sorted by key, those of one key in the order they came; the rows in the order they came."""

    __slots__ = ("counts", "firsts", "keys", "kinds", "models", "newest", "oldest", "times", "values")

    def __init__(self, *columns: npt.NDArray[Any]) -> None:
        keys = columns[0]
        order = np.argsort(keys, kind="stable")
        self.keys: Keys = keys[order]
        self.times: Floats = columns[1][order]
        self.models: npt.NDArray[np.uint16] = columns[2][order]
        self.firsts: npt.NDArray[np.uint32] = columns[3][order]
        self.counts: npt.NDArray[np.uint32] = columns[4][order]
        self.values: Floats = columns[5]
        self.kinds: Kinds = columns[6]
        self.oldest, self.newest = float(self.times.min()), float(self.times.max())

    @property
    def bytes(self) -> int:
        """What it takes."""
        return len(self.keys) * REQUEST_BYTES + len(self.values) * ROW_BYTES

    def unlabelled(self) -> Counter[int]:
        """How many rows of each model have no label."""
        open_rows = np.concatenate(([0], np.cumsum(self.kinds < LABELLED)))
        waiting = open_rows[self.firsts + self.counts] - open_rows[self.firsts]
        return Counter({int(m): int(waiting[self.models == m].sum()) for m in np.unique(self.models)})


class Requests(NamedTuple):
    """Requests that were answered, in the order they came; `values` and `kinds` are of all their rows."""

    keys: Sequence[int]
    times: Sequence[float]
    models: Sequence[int]
    counts: Sequence[int]
    values: Floats
    kinds: Kinds


class Found(NamedTuple):
    """A remembered request: where it is."""

    segment: Segment
    at: int

    @property
    def key(self) -> int:
        """Of its id."""
        return int(self.segment.keys[self.at])

    @property
    def model(self) -> int:
        """The number it was remembered with."""
        return int(self.segment.models[self.at])

    @property
    def time(self) -> float:
        """When it was answered, wall clock."""
        return float(self.segment.times[self.at])

    @property
    def rows(self) -> int:
        """How many predictions it has."""
        return int(self.segment.counts[self.at])

    def kinds(self) -> Kinds:
        """The kind of each row's prediction, with LABELLED; writable."""
        first = int(self.segment.firsts[self.at])
        return self.segment.kinds[first : first + self.rows]

    def values(self) -> Floats:
        """Each row's prediction."""
        first = int(self.segment.firsts[self.at])
        return self.segment.values[first : first + self.rows]


class Memory:
    """At most `limit` bytes of predictions; those older than `keep` seconds leave when `expire` is called."""

    def __init__(self, limit: int, keep: float) -> None:
        self._limit, self._keep = limit, keep
        room = limit // (REQUEST_BYTES + ROW_BYTES)
        self._open_requests = max(16, min(_OPEN_REQUESTS, room // 64))
        self._closed: list[Segment] = []
        self._closed_bytes = 0
        self._open, self._sorted = _Open(self._open_requests), cast(Segment | None, None)

    def remember(self, requests: Requests) -> Counter[int]:
        """Keep their predictions; returns the rows of each model that had to leave unlabelled."""
        self._open.add(requests)
        self._sorted = None
        left: Counter[int] = Counter()
        if self._open.requests >= self._open_requests or self._open.bytes > self._limit // _MERGED:
            self._close()
        while self._closed and self.bytes > self._limit:
            left += self._leave()
        return left

    def has_room_for(self, rows: int) -> bool:
        """Whether a request of so many rows is not too large to be kept at all."""
        return REQUEST_BYTES + rows * ROW_BYTES <= self._limit // _LARGEST_PART

    def expire(self, now: float) -> Counter[int]:
        """Forget what is too old; returns the rows of each model that nobody labelled."""
        left: Counter[int] = Counter()
        if self._open.requests and now - self._open.oldest > self._keep / _PARTS_OF_KEEP:
            self._close()
        while self._closed and now - self._closed[0].newest > self._keep:
            left += self._leave()
        return left

    def find(self, keys: Keys) -> list[list[Found]]:
        """For each key the requests that have it, the newest first."""
        found: list[list[Found]] = [[] for _ in keys]
        for segment in self._segments():
            last = len(segment.keys) - 1
            at = np.searchsorted(segment.keys, keys, side="right") - 1
            for i in np.flatnonzero((at >= 0) & (segment.keys[np.clip(at, 0, last)] == keys)).tolist():
                place = int(at[i])
                while place >= 0 and segment.keys[place] == keys[i]:
                    found[i].append(Found(segment, place))
                    place -= 1
        return found

    def pending(self) -> int:
        """Rows without a label."""
        return sum(int(np.count_nonzero(segment.kinds < LABELLED)) for segment in self._segments())

    @property
    def bytes(self) -> int:
        """What all of it takes."""
        return self._closed_bytes + self._open.bytes

    def state(self) -> list[dict[str, npt.NDArray[Any]]]:
        """Everything, oldest first; arrays that nobody changes any more."""
        self._close()
        return [
            {name: getattr(s, name) if name != "kinds" else s.kinds.copy() for name in _FIELDS}
            for s in self._closed
        ]

    def restore(self, saved: Sequence[dict[str, npt.NDArray[Any]]]) -> None:
        """Go on from a saved state. Raises ValueError, having changed nothing, when it is none."""
        segments = [_restored(each) for each in saved]
        self._closed = segments
        self._closed_bytes = sum(segment.bytes for segment in segments)
        while self._closed and self._closed_bytes > self._limit:
            self._leave()

    def _segments(self) -> Iterator[Segment]:
        """The newest first. What is found in the open one is good until the next `remember`."""
        if self._open.requests:
            self._sorted = self._sorted or self._open.segment()
            yield self._sorted
        yield from reversed(self._closed)

    def _close(self) -> None:
        if not self._open.requests:
            return
        self._add(self._open.segment(copied=True))
        self._open, self._sorted = _Open(self._open_requests), None
        newest = self._closed[-_MERGED:]
        small = 2 * self._open_requests
        if len(newest) < _MERGED or any(len(segment.keys) >= small for segment in newest):
            return
        # Where traffic is thin they stay apart, so that the oldest can leave in time.
        if newest[-1].newest - newest[0].oldest <= self._keep / _PARTS_OF_KEEP:
            for _ in newest:
                self._closed_bytes -= self._closed.pop().bytes
            self._add(_merged(newest))

    def _add(self, segment: Segment) -> None:
        self._closed.append(segment)
        self._closed_bytes += segment.bytes

    def _leave(self) -> Counter[int]:
        oldest = self._closed.pop(0)
        self._closed_bytes -= oldest.bytes
        return oldest.unlabelled()


class _Open:
    """The newest requests, in the order they came."""

    def __init__(self, requests: int) -> None:
        self.requests = self.rows = 0
        self._heads: list[npt.NDArray[Any]] = [np.empty(requests, kind) for kind in _TYPES[:5]]
        self._rows: list[npt.NDArray[Any]] = [np.empty(requests, kind) for kind in _TYPES[5:]]

    @property
    def bytes(self) -> int:
        return self.requests * REQUEST_BYTES + self.rows * ROW_BYTES

    @property
    def oldest(self) -> float:
        return float(self._heads[1][0])

    def add(self, new: Requests) -> None:
        requests, rows = self.requests + len(new.keys), self.rows + len(new.values)
        ends = np.cumsum(np.asarray(new.counts, np.uint32), dtype=np.uint32) + np.uint32(self.rows)
        firsts = ends - np.asarray(new.counts, np.uint32)
        heads = (new.keys, new.times, new.models, firsts, new.counts)
        _append(self._heads, self.requests, requests, heads)
        _append(self._rows, self.rows, rows, (new.values, new.kinds))
        self.requests, self.rows = requests, rows

    def segment(self, *, copied: bool = False) -> Segment:
        """A sorted view of it: rows that are marked there are marked here, unless it is a copy."""
        heads = [column[: self.requests] for column in self._heads]
        rows = [column[: self.rows] for column in self._rows]
        return Segment(*heads, *([column.copy() for column in rows] if copied else rows))


def _append(columns: list[npt.NDArray[Any]], at: int, end: int, values: Sequence[npt.ArrayLike]) -> None:
    for i, value in enumerate(values):
        if end > len(columns[i]):
            columns[i] = np.resize(columns[i], 2 * end)
        columns[i][at:end] = value


def _merged(segments: Sequence[Segment]) -> Segment:
    """One of several, the oldest first, so that of one key the order stays."""
    starts = np.cumsum([0, *(len(segment.values) for segment in segments[:-1])])
    columns = [np.concatenate([getattr(s, name) for s in segments]) for name in _FIELDS]
    columns[3] = np.concatenate(
        [s.firsts + np.uint32(start) for s, start in zip(segments, starts, strict=True)]
    )
    return Segment(*columns)


def _restored(saved: dict[str, npt.NDArray[Any]]) -> Segment:
    try:
        columns = [np.asarray(saved[name], kind) for name, kind in zip(_FIELDS, _TYPES, strict=True)]
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError("not a segment of predictions") from error
    heads, rows = {len(column) for column in columns[:5]}, {len(column) for column in columns[5:]}
    ends = columns[3].astype(np.int64) + columns[4]
    if len(heads) != 1 or len(rows) != 1 or 0 in heads or int(ends.max()) > rows.pop():
        raise ValueError("a segment of predictions whose columns do not fit")
    return Segment(*columns)
