"""Which plain sockets can be read or written now: an epoll of our own inside the loop's.

The loop's own `add_reader` costs seven system calls for each socket, this costs one or two; and one turn of
the loop serves all that are ready. The trap: the kernel reports a cut of a socket even when nothing was
asked for, again and again; so a socket of which nothing is wanted is not watched at all.
"""

import asyncio
import select
from collections.abc import Callable

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
# In one turn, so that timers and the tee have theirs: some milliseconds' work.
_MOST_EVENTS = 256


class Readiness:
    """Calls `handler(events)` for each watched socket that is ready; errors are events, too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._look)

    def watch(self, descriptor: int, events: int, handler: Callable[[int], None]) -> None:
        """From now on these events, READABLE or WRITABLE or both; 0 is none."""
        known = descriptor in self._handlers
        if not events:
            if known:
                del self._handlers[descriptor]
                self._epoll.unregister(descriptor)
        elif known:
            self._epoll.modify(descriptor, events)
        else:
            self._handlers[descriptor] = handler
            self._epoll.register(descriptor, events)

    def _look(self) -> None:
        for descriptor, events in self._epoll.poll(0, _MOST_EVENTS):
            # One that was ready may be gone by now, by what another one said.
            if (handler := self._handlers.get(descriptor)) is not None:
                handler(events)
