"""How high the model's numbers are, and how far apart: mean and spread of numeric outputs.

What it is not: drift, which compares with a reference. This is what rules compare with yesterday, before
there is a reference, and what a chart of scores shows.
"""

import math

from sidecar import catalog
from sidecar.batch import Batch
from sidecar.monitors.recent import Recent
from sidecar.monitors.window import RollingWindow
from sidecar.registry import Registry

# The gauges hold as many series; a window without its series would be of no use.
WINDOWS_LIMIT = catalog.PREDICTION_MEAN.limit


class Scores:
    """A RowMonitor: mean and standard deviation of each numeric output over the last minute or so."""

    def __init__(self, registry: Registry) -> None:
        self._mean = registry.gauge(catalog.PREDICTION_MEAN)
        self._stddev = registry.gauge(catalog.PREDICTION_STDDEV)
        self._windows: Recent[tuple[str, str, str], RollingWindow] = Recent(
            WINDOWS_LIMIT, lambda key: RollingWindow()
        )

    def fold(self, batch: Batch) -> None:
        """Take the batch's numeric outputs into account."""
        for name, column in batch.outputs.items():
            if column.numbers is not None:
                self._windows[(batch.model, batch.version, name)].add(column.numbers, batch.last)

    def tick(self, now: float) -> None:
        """Bring the summaries up to date; those with nothing recent disappear."""
        for key, window in self._windows.items():
            recent = window.read(now)
            if not recent.count:
                self._windows.discard(key)
                self._mean.discard(*key)
                self._stddev.discard(*key)
            elif math.isfinite(recent.squares):
                self._mean.set(recent.mean, *key)
                self._stddev.set(recent.stddev, *key)
