"""The relay's own loop: one epoll, timers, and what is to be done once the present events are.

Nothing general: what a general loop adds to each event (handles, contexts, a second layer of buffers) is
more than moving the bytes costs. Two traps: the kernel reports a cut of a socket even when nothing was
asked for, again and again; so a socket of which nothing is wanted is not watched at all. And a wait that
may last so long and no longer has the kernel set a timer and take it back for every event, which on a
virtual machine doubles what we add to a request; so the wait has no end, and one timer wakes it.
"""

import contextlib
import ctypes
import heapq
import os
import select
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Protocol

from sidecar import clock

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
# In one turn, so that timers and the tee have theirs: some milliseconds' work.
_MOST_EVENTS = 256

# sys/timerfd.h, for the interpreter's own name for it comes with Python 3.13.
_CLOCK_MONOTONIC, _NON_BLOCKING = 1, os.O_NONBLOCK | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)

Handler = Callable[[int], None]


class _Alarm:
    """A descriptor that can be read from one moment on."""

    def __init__(self) -> None:
        self.descriptor = _libc.timerfd_create(_CLOCK_MONOTONIC, _NON_BLOCKING)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "no timer to be had")

    def set(self, seconds: float) -> None:
        """From now; at least a microsecond, because nothing means never."""
        nanoseconds = max(int(seconds * 1e9), 1000)
        spec = (ctypes.c_long * 4)(0, 0, *divmod(nanoseconds, 1_000_000_000))
        _libc.timerfd_settime(self.descriptor, 0, spec, None)

    def heard(self) -> None:
        """It rang; until it is set again it will not."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, 8)


class Cancellable(Protocol):
    """Something that will happen, unless it is told not to."""

    def cancel(self) -> None:
        """It will not; harmless when it has."""


class Timer:
    """What happens at one moment."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Keeps its place until then, but holds nothing."""
        self.callback = None


class Loop:
    """Calls `handler(events)` for each watched socket that is ready; errors are events, too.

    What a handler raises is a fault of ours: it is told to `on_fault`, and the others have their turn.
    """

    def __init__(self, on_fault: Callable[[Exception], None]) -> None:
        self._on_fault = on_fault
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._soon: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._serial = count()
        self._alarm = _Alarm()
        self._running = False
        self.watch(self._alarm.descriptor, READABLE, self._ring)

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        """From now on these events, READABLE or WRITABLE or both; 0 is none."""
        known = descriptor in self._handlers
        if not events:
            if known:
                del self._handlers[descriptor]
                self._epoll.unregister(descriptor)
        elif known:
            self._handlers[descriptor] = handler
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
            self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        """It is closed before anything else is waited for, and the kernel's watch ends with it."""
        self._handlers.pop(descriptor, None)

    def soon(self, callback: Callable[[], object]) -> None:
        """Not now, in the middle of something, but before anything else is waited for."""
        self._soon.append(callback)

    def later(self, seconds: float, callback: Callable[[], object]) -> Cancellable:
        """After so many seconds."""
        timer = Timer(callback)
        moment = clock.monotonic() + seconds
        if not self._timers or moment < self._timers[0][0]:
            self._alarm.set(seconds)
        heapq.heappush(self._timers, (moment, next(self._serial), timer))
        return timer

    def run(self) -> None:
        """Until `stop`."""
        self._running = True
        while self._running:
            self.turn(0 if self._soon else None)

    def stop(self) -> None:
        """Leave `run` after this turn."""
        self._running = False

    def turn(self, patience: float | None) -> None:
        """Wait so many seconds for something to happen (None: as long as it takes), and see to it."""
        for descriptor, events in self._epoll.poll(patience, _MOST_EVENTS):
            # One that was ready may be gone by now, by what another one said.
            if (handler := self._handlers.get(descriptor)) is not None:
                try:
                    handler(events)
                except Exception as fault:
                    self._on_fault(fault)
        for _ in range(len(self._soon)):
            self.attempt(self._soon.popleft())

    def _ring(self, _events: int) -> None:
        self._alarm.heard()
        now = clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                self.attempt(timer.callback)
        if self._timers:
            self._alarm.set(self._timers[0][0] - clock.monotonic())

    def attempt(self, callback: Callable[[], object]) -> None:
        """Do it; a fault in it is told."""
        try:
            callback()
        except Exception as fault:
            self._on_fault(fault)
