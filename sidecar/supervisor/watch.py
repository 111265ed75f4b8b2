"""When the supervisor ends the observer to start it anew: too much memory, or no sign of life.

Where control groups of version 2 are in use, one out-of-memory kill usually takes the whole container, relay
included. So the observer is restarted by us, well before the limit. Decides only; `anonymous_bytes` is the
one thing that reads. The trap: resident memory counts code that processes share and the kernel can drop;
what brings a container to its limit is anonymous memory.
"""

import os
from pathlib import Path

# Five times what it needs for one model with thirty features: more is a leak, or a way to make it grow.
LARGEST_OBSERVER_BYTES = 512 * 1024 * 1024
# Of the container's limit, for all our processes. The rest is for what their anonymous memory does not count:
# code, socket buffers, page tables, and what the observer still takes while it is told to leave.
LARGEST_SHARE_OF_LIMIT = 0.75
# Without a word for this long it will not come back by itself. Long enough for a debugger, a slow disk, and
# for every pause a small CPU quota makes.
LONGEST_SILENCE_SECONDS = 120.0
# If the supervisor itself did not run for minutes, that was not the observer's silence.
_LONGEST_STEP_SECONDS = 2.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def too_large(observer: int, others: int, limit: int | None) -> bool:
    """Whether the observer has to go. Anonymous bytes: its own, and of our processes beside it.

    `limit` is the container's memory limit, None without one.
    """
    share = LARGEST_OBSERVER_BYTES if limit is None else int(limit * LARGEST_SHARE_OF_LIMIT) - others
    return observer > min(share, LARGEST_OBSERVER_BYTES)


class Silence:
    """How long a process said nothing, once it has spoken: one that still starts is not judged."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def broken(self) -> None:
        """It said something."""
        self._seconds = 0.0

    def forget(self) -> None:
        """Another process takes its place."""
        self._seconds = None

    def lasts(self, seconds: float) -> bool:
        """These many more seconds have passed; whether that is too many by now."""
        if self._seconds is not None:
            self._seconds += min(seconds, _LONGEST_STEP_SECONDS)
        return self._seconds is not None and self._seconds > LONGEST_SILENCE_SECONDS


def anonymous_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """The resident memory of a process that belongs to it alone; 0 when it is gone or this is not Linux."""
    try:
        _, resident, shared, *_ = (proc / str(pid) / "statm").read_text().split()
        return (int(resident) - int(shared)) * _PAGE_BYTES
    except (OSError, ValueError):
        return 0
