"""How close relay workers are to having no time left: what the kernel says of each one's main thread.

/proc/PID/schedstat has the nanoseconds it ran and the nanoseconds it waited for a core. A worker of another
container is not seen here, and a kernel may not count: both are no pressure.
"""

from collections.abc import Callable, Iterable
from pathlib import Path


class RelayPressure:
    """`pids` gives the workers there are now; each call of `since` looks at the time since the one before."""

    def __init__(self, pids: Callable[[], Iterable[int]], proc: Path = Path("/proc")) -> None:
        self._pids = pids
        self._proc = proc
        self._before: dict[int, float] = {}

    def since(self, seconds: float) -> float:
        """The largest share of the last `seconds` that a worker ran or waited for a core; 0 if unknown."""
        used = {pid: time for pid in self._pids() if (time := self._used(pid)) is not None}
        shares = [(time - self._before[pid]) / seconds for pid, time in used.items() if pid in self._before]
        self._before = used
        return max(shares, default=0.0)

    def _used(self, pid: int) -> float | None:
        try:
            ran, waited, *_ = (self._proc / str(pid) / "schedstat").read_text().split()
            return (int(ran) + int(waited)) / 1e9
        except (OSError, ValueError):
            return None
