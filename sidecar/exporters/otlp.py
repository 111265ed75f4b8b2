"""OTLP in a thread of its own, so that a collector that is away, slow or silent costs nobody anything.

The observer offers a snapshot at each interval and moves on. There is room for one: a newer one takes its
place. At most one export is in flight. Totals are cumulative, so nothing is lost with a snapshot that was
skipped or refused; for delta the next one reaches back to the last that arrived.

The trap: a collector that hangs must not keep a pod from leaving. `close` is bounded, last export included.
"""

import threading
from collections.abc import Callable

from sidecar import catalog
from sidecar.exporters.otlp_health import Health
from sidecar.exporters.otlp_sender import MetricsSender, Sender
from sidecar.exporters.otlp_settings import OtlpSettings
from sidecar.exporters.otlp_transport import reason
from sidecar.registry import Registry, Snapshot

# Shutting down may take this much longer because of us (a pod's whole grace period is 30 s by default).
CLOSE_SECONDS = 2.0


class OtlpExporter:
    """Exports snapshots to a collector. Methods may be called from any thread; only `close` waits."""

    def __init__(
        self, settings: OtlpSettings, connect: Callable[[OtlpSettings], Sender] = MetricsSender
    ) -> None:
        self.settings = settings
        self._connect = connect
        self._sender: Sender | None = None
        self._slot: Snapshot | None = None
        self._arrived: Snapshot | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._health = Health(settings)
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._thread.start()

    @property
    def failures(self) -> int:
        """Exports the collector did not take; a snapshot replaced while it was busy is one, too."""
        return self._health.failures

    def count_into(self, registry: Registry) -> None:
        """Keep `sidecar_otlp_export_failures_total` up to date, from zero, at each snapshot."""
        counter = registry.counter(catalog.OTLP_EXPORT_FAILURES)
        counted = 0

        def fold() -> None:
            nonlocal counted
            failures = self._health.failures
            counter.add(failures - counted, self.settings.signal)
            counted = failures

        registry.before_snapshot(fold)

    def goes_on_from(self, snapshot: Snapshot) -> None:
        """What was counted before this process began: somebody exported it then. Before the first `offer`.

        A delta would hold it twice; a cumulative total is as it should be.
        """
        self._arrived = snapshot if self.settings.delta else None

    def offer(self, snapshot: Snapshot) -> None:
        """Export this snapshot as soon as the one in flight is done, unless a newer one comes first."""
        with self._changed:
            if self._closing:
                return
            if self._slot is not None:
                self._health.failures += 1
            self._slot = snapshot
            self._changed.notify()

    def close(self, last: Snapshot | None = None, seconds: float = CLOSE_SECONDS) -> None:
        """Export `last` if that can be done in `seconds`, and stop. Blocks no longer than that.

        Calling it again does nothing.
        """
        with self._changed:
            already, self._closing = self._closing, True
            if last is not None and not already:
                self._slot = last
            self._changed.notify()
        if already:
            return
        self._thread.join(seconds)
        if self._sender is not None:
            self._sender.close()

    def _run(self) -> None:
        while (snapshot := self._take()) is not None:
            why = self._send(snapshot)
            if why:
                self._health.failed(why)
            else:
                self._arrived = snapshot if self.settings.delta else None
                self._health.succeeded()

    def _take(self) -> Snapshot | None:
        """The next snapshot to export; None when there will be no more."""
        with self._changed:
            while self._slot is None and not self._closing:
                self._changed.wait()
            snapshot, self._slot = self._slot, None
            return snapshot

    def _send(self, snapshot: Snapshot) -> str:
        try:
            if self._sender is None:
                self._sender = self._connect(self.settings)
            return self._sender.send(snapshot, self._arrived)
        except Exception as error:  # whatever it is, it is not worth this thread
            return f"{reason(str(error))} ({type(error).__name__})"
