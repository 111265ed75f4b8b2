"""What a relay worker knows of itself: plain totals since its start, reported once a second.

They live here, not in the observer, so that they survive it and are right while it is down.
"""

import os
import resource
from bisect import bisect_left
from collections import Counter
from typing import Any

# Keep equal to the buckets of sidecar_relay_loop_lag_seconds (tests/relay/test_counters.py holds it);
# not imported, because the relay imports nothing but its own words.
LAG_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
# Keep equal to the reasons of sidecar_upstream_connect_failures_total.
CONNECT_FAILURES = ("refused", "timeout", "unreachable", "tls", "loop", "other")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Counters:
    """Totals of one worker and of those whose place it took. Bytes are indexed by direction (client, server).

    `slot` is that place; `before` is the last report of whoever had it, so that totals never run backwards
    because a worker was replaced, and whoever reads them needs to know only the living.
    """

    def __init__(self, slot: int = 0, before: dict[str, Any] | None = None) -> None:
        self._slot = slot
        self._cpu_before = 0.0
        self.connections = 0
        self.bytes = [0, 0]
        self.dropped_bytes: Counter[str] = Counter(skipped=0, observer_behind=0, observer_down=0)
        self.dropped_chunks: Counter[str] = Counter(observer_behind=0, observer_down=0)
        self.connect_failures: Counter[str] = Counter(
            refused=0, timeout=0, unreachable=0, tls=0, loop=0, other=0
        )
        self._lag_counts = [0] * (len(LAG_BUCKETS) + 1)
        self._lag_sum = 0.0
        if before is not None:
            self._continue(before)

    def _continue(self, before: dict[str, Any]) -> None:
        self.bytes = list(before["bytes"])
        self.dropped_bytes.update(before["dropped_bytes"])
        self.dropped_chunks.update(before["dropped_chunks"])
        self.connect_failures.update(before["connect_failures"])
        self._lag_counts, self._lag_sum = list(before["lag"]["counts"]), before["lag"]["sum"]
        self._cpu_before = before["cpu"]

    def lag(self, seconds: float) -> None:
        """The loop ran this much later than asked."""
        self._lag_counts[bisect_left(LAG_BUCKETS, seconds)] += 1
        self._lag_sum += seconds

    def report(self) -> dict[str, Any]:
        """Everything, as JSON-able values."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "slot": self._slot,
            "connections": self.connections,
            "bytes": list(self.bytes),
            "dropped_bytes": dict(self.dropped_bytes),
            "dropped_chunks": dict(self.dropped_chunks),
            "connect_failures": dict(self.connect_failures),
            "lag": {"counts": list(self._lag_counts), "sum": self._lag_sum},
            "cpu": self._cpu_before + usage.ru_utime + usage.ru_stime,
            "memory": resident_bytes(),
        }


def resident_bytes() -> int:
    """Resident memory of this process."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):  # not Linux: the peak is the best there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
