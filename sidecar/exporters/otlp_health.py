"""Whether the exports of one signal arrive: counted each time, logged when it changes.

Used by the thread that sends; `failures` and `dropped` may be read from any. The trap: a collector that is
away for a night must leave two lines in the log, not a thousand.
"""

import logging

from sidecar.exporters.otlp_settings import OtlpSettings

_log = logging.getLogger("sidecar.exporters.otlp")


class Health:
    """Failures of one signal, and what its destination is called in the log."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self.signal = settings.signal
        self._failing: bool | None = None
        self.failures = 0
        """Requests the collector did not take."""
        self.dropped = 0
        """Records that will never arrive."""
        for problem in settings.problems:
            _log.warning("%s; ignored", problem)

    def failed(self, why: str) -> None:
        """An export did not arrive."""
        self.failures += 1
        if self._failing is not True:
            signal, where = self._settings.signal, self._settings.destination
            _log.warning("cannot export %s to %s: %s; traffic is not affected", signal, where, why)
        self._failing = True

    def succeeded(self) -> None:
        """An export arrived."""
        if self._failing is not False:
            settings = self._settings
            _log.info("exporting %s to %s (%s)", settings.signal, settings.destination, settings.protocol)
        self._failing = False
