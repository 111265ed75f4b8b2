"""The events that are kept of one stream: the first, the last, and when those between came.

What an answer was decides at its ends: when content began to come, and how much of it there was. So memory
is bounded whatever the length. The trap: events are left out in one run, never here and there.
"""

from array import array
from collections import deque

from sidecar.exchange import NOTHING_LEFT_OUT, LeftOut, StreamEvent
from sidecar.wire.limits import Budget, Limits

# Memory of an event besides its data: two objects and a place in a list, measured 140 bytes.
EVENT_BYTES = 144
_TIME_BYTES = 8


class Events:
    """The first and the last events, within bounds. Whoever adds drops."""

    __slots__ = (
        "_budget",
        "_first",
        "_full",
        "_held",
        "_last",
        "_last_bytes",
        "_limits",
        "_missed",
        "_size",
        "_times",
        "_to_the_end",
    )

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self._limits = limits
        self._budget = budget
        self._held = 0
        self._full = False
        self.drop()

    def add(self, time: float, data: bytes, name: str = "") -> None:
        """Keep an event: among the first while there is room, then among the last."""
        cost = len(data) + EVENT_BYTES
        self._to_the_end = True
        if not self._full:
            fits = len(self._first) < self._limits.first_events
            if fits and self._size + len(data) <= self._limits.capture_bytes and self._take(cost):
                self._size += len(data)
                self._first.append(StreamEvent(time, data, name))
                return
            self._full = True
        self._add_last(StreamEvent(time, data, name), cost)

    def miss(self, time: float) -> None:
        """Count an event that was too large to be read."""
        self._full = True
        while self._last:
            self._forget_one()
        self._leave_out(time)
        self._to_the_end = False

    def stop(self) -> None:
        """What comes from here on will not be read."""
        self._to_the_end = False

    def all(self) -> list[StreamEvent]:
        """Every event that was kept."""
        return [*self._first, *self._last]

    def left_out(self) -> LeftOut:
        """What is known of the others."""
        if not self._missed and self._to_the_end:
            return NOTHING_LEFT_OUT
        return LeftOut(len(self._first), self._missed, self._times, self._to_the_end)

    def drop(self) -> None:
        """Give the memory back and forget."""
        self._budget.give_back(self._held)
        self._held = self._size = self._last_bytes = self._missed = 0
        self._full = False
        self._first: list[StreamEvent] = []
        self._last: deque[StreamEvent] = deque()
        self._times = array("d")
        self._to_the_end = True

    def _add_last(self, event: StreamEvent, cost: int) -> None:
        while self._last and (
            len(self._last) >= self._limits.last_events or self._last_bytes + cost > self._limits.event_bytes
        ):
            self._forget_one()
        while not self._take(cost):
            if not self._last:
                self.miss(event.time)
                return
            self._forget_one()
        self._last_bytes += cost
        self._last.append(event)

    def _forget_one(self) -> None:
        event = self._last.popleft()
        cost = len(event.data) + EVENT_BYTES
        self._last_bytes -= cost
        self._held -= cost
        self._budget.give_back(cost)
        self._leave_out(event.time)

    def _leave_out(self, time: float) -> None:
        self._missed += 1
        if len(self._times) < self._limits.event_times and self._take(_TIME_BYTES):
            self._times.append(time)

    def _take(self, cost: int) -> bool:
        if not self._budget.take(cost):
            return False
        self._held += cost
        return True
