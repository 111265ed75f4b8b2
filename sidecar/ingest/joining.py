"""Request and answer of one exchange, logged as two events that come in any order, late, twice or never.

Bounded in number, bytes and age. No I/O, and time is a parameter. The trap: loggers send twice, and answers
come after we gave up on them; so a key that is settled is remembered for a while, or each would become an
exchange of its own.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from sidecar.ingest.events import Event, Role
from sidecar.wire.limits import MIB

Key = tuple[str, ...]


class State(StrEnum):
    """What became of an event. A closed set: it is a metric label."""

    OBSERVED = "observed"  # both halves came
    UNANSWERED = "unanswered"  # a request whose answer did not come in time
    UNASKED = "unasked"  # an answer whose request did not come in time
    EVICTED = "evicted"  # a half that had to make room for newer ones
    DUPLICATE = "duplicate"  # came again
    LATE = "late"  # came after its other half was given up on


@dataclass(frozen=True, slots=True)
class JoinLimits:
    """Bounds of what waits."""

    # KServe's and Seldon's own time limit of a request is 60 s; half as much again for queues on the way.
    age_seconds: float = 90.0
    # A hundred requests a second that take 90 s.
    halves: int = 10_000
    # With the queue behind it as much as all bodies read from the wire may take.
    total_bytes: int = 16 * MIB
    # Ten minutes' worth of joined pairs at 100/s would be more; a duplicate follows within seconds.
    remembered: int = 20_000


# Memory of a half besides its data: the event, its place in the table, and texts of the usual length.
_HALF_BYTES = 2_000
# The most that a character takes in memory.
_CHARACTER_BYTES = 4


@dataclass(slots=True)
class Settled:
    """Events about which no more will be learnt. Duplicates and late ones make no exchange."""

    state: State
    request: Event | None = None
    response: Event | None = None

    @property
    def events(self) -> list[Event]:
        """Those that are there."""
        return [event for event in (self.request, self.response) if event is not None]


class Joiner:
    """Halves that wait for each other."""

    def __init__(self, limits: JoinLimits = JoinLimits()) -> None:
        self._limits = limits
        self._waiting: OrderedDict[Key, tuple[Event, float]] = OrderedDict()
        # By the hash of the key: a sender's long attributes would be kept by the thousand.
        self._settled: OrderedDict[int, tuple[State, float]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event, now: float) -> list[Settled]:
        """Take a request or a response; return what that settled."""
        key = event.key
        before = self._settled.get(hash(key))
        if before is not None:
            seen = State.DUPLICATE if before[0] is State.OBSERVED else State.LATE
            return [_alone(seen, event)]
        other = self._waiting.get(key)
        if other is None:
            self._waiting[key] = event, now
            self._bytes += _cost(event)
            return self._make_room(now)
        if other[0].role is event.role:
            return [_alone(State.DUPLICATE, event)]
        self._leave(key, State.OBSERVED, now)
        request, response = (other[0], event) if event.role is Role.RESPONSE else (event, other[0])
        return [Settled(State.OBSERVED, request, response)]

    def expire(self, now: float) -> list[Settled]:
        """Give up on halves that have waited too long."""
        gone = []
        while self._waiting:
            key, (event, since) = next(iter(self._waiting.items()))
            if now - since < self._limits.age_seconds:
                break
            asked = event.role is Role.REQUEST
            gone.append(_alone(State.UNANSWERED if asked else State.UNASKED, event))
            self._leave(key, gone[-1].state, now)
        while self._settled and now - next(iter(self._settled.values()))[1] >= self._limits.age_seconds:
            self._settled.popitem(last=False)
        return gone

    def _make_room(self, now: float) -> list[Settled]:
        gone = []
        limits = self._limits
        while len(self._waiting) > limits.halves or self._bytes > limits.total_bytes:
            key, (event, _) = next(iter(self._waiting.items()))
            gone.append(_alone(State.EVICTED, event))
            self._leave(key, State.EVICTED, now)
        return gone

    def _leave(self, key: Key, state: State, now: float) -> None:
        self._bytes -= _cost(self._waiting.pop(key)[0])
        self._settled[hash(key)] = state, now
        if len(self._settled) > self._limits.remembered:
            self._settled.popitem(last=False)


def _alone(state: State, event: Event) -> Settled:
    return Settled(state, event) if event.role is Role.REQUEST else Settled(state, None, event)


def _cost(event: Event) -> int:
    return len(event.data) + _CHARACTER_BYTES * sum(map(len, event.key)) + _HALF_BYTES
