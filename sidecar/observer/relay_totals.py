"""The totals of relay workers, added up into a registry.

Workers report absolute totals, each for its slot: whoever takes the place of a worker that died goes on
where that one stopped. So the newest report of each slot is all there is to know.
"""

from collections import Counter
from typing import Any

from sidecar import catalog
from sidecar.registry import Registry

_DIRECTIONS = ("request", "response")


class RelayTotals:
    """Sums worker reports (see relay/counters.py for their shape) into the registry."""

    def __init__(self, registry: Registry) -> None:
        self._bytes = registry.counter(catalog.RELAY_BYTES)
        self._dropped_bytes = registry.counter(catalog.TEE_DROPPED_BYTES)
        self._dropped_chunks = registry.counter(catalog.CHUNKS_DROPPED)
        self._failures = registry.counter(catalog.UPSTREAM_CONNECT_FAILURES)
        self._lag = registry.histogram(catalog.RELAY_LOOP_LAG)
        self._cpu = registry.counter(catalog.CPU_SECONDS)
        self._memory = registry.gauge(catalog.MEMORY_BYTES)
        self._reports: dict[int, dict[str, Any]] = {}
        self.publish()

    def report(self, report: dict[str, Any]) -> bool:
        """Take a worker's newest totals. True if it dropped chunks since the last: we were behind.

        The same report may come over two ways, and the later one may be the older: it is passed over.
        Processor time tells, which never stands still nor runs backwards.
        """
        before = self._reports.get(report["slot"])
        if before is not None and report["cpu"] < before["cpu"]:
            return False
        self._reports[report["slot"]] = report
        self.publish()
        return before is not None and _behind(report) > _behind(before)

    def of(self, slot: int) -> dict[str, Any] | None:
        """The newest report of a slot, if there is one: what a successor goes on from."""
        return self._reports.get(slot)

    def newest(self) -> list[dict[str, Any]]:
        """The newest report of every slot: what another observer begins with."""
        return list(self._reports.values())

    def publish(self) -> None:
        """Put the sums into the registry, whatever stands there: zero of those that never reported."""
        totals: Counter[tuple[str, str]] = Counter()
        lag, lag_sum, memory = [0] * (len(catalog.RELAY_LOOP_LAG.buckets) + 1), 0.0, 0
        for report in self._reports.values():
            totals.update(_flat(report))
            lag = _added(lag, report["lag"]["counts"])
            lag_sum += report["lag"]["sum"]
            memory += report["memory"]
        for direction in _DIRECTIONS:
            self._bytes.set_total(totals["bytes", direction], direction)
        for family, key, label in (
            (self._dropped_bytes, "dropped_bytes", catalog.TEE_DROPPED_BYTES),
            (self._dropped_chunks, "dropped_chunks", catalog.CHUNKS_DROPPED),
            (self._failures, "connect_failures", catalog.UPSTREAM_CONNECT_FAILURES),
        ):
            for reason in label.closed["reason"]:
                family.set_total(totals[key, reason], reason)
        self._lag.set_total(lag, lag_sum)
        self._cpu.set_total(totals["cpu", ""], "relay")
        self._memory.set(memory, "relay")


def _behind(report: dict[str, Any]) -> int:
    return int(report["dropped_chunks"]["observer_behind"])


def _flat(report: dict[str, Any]) -> Counter[tuple[str, str]]:
    flat: Counter[tuple[str, str]] = Counter()
    for key in ("dropped_bytes", "dropped_chunks", "connect_failures"):
        flat.update({(key, reason): count for reason, count in report[key].items()})
    for direction, count in zip(_DIRECTIONS, report["bytes"], strict=True):
        flat["bytes", direction] = count
    flat["cpu", ""] = report["cpu"]
    return flat


def _added(left: list[int], right: list[int]) -> list[int]:
    return [a + b for a, b in zip(left, right, strict=True)]
