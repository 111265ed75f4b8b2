"""How many inferences are open, by model.

Not a counter that goes up and down: it is recomputed from the exchanges that are open, so that neither
a gap nor a lost connection can leave a request in flight for ever.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from sidecar import catalog
from sidecar.exchange import Exchange
from sidecar.inference import Inference
from sidecar.registry import Registry


class InFlight:
    """`open_models` gives the label-safe model name of every inference exchange now open."""

    def __init__(self, registry: Registry, open_models: Callable[[], Iterable[str]]) -> None:
        self._gauge = registry.gauge(catalog.IN_FLIGHT)
        self._open_models = open_models

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Make the model's series exist; what is open is read in `refresh`."""
        if (inference.model.name,) not in self._gauge.values:
            self._gauge.set(0, inference.model.name)

    def tick(self, now: float) -> None:
        """The same as `refresh`."""
        self.refresh()

    def refresh(self) -> None:
        """Count what is open now. Cheap: also meant for `Registry.before_snapshot`."""
        open_now = Counter(self._open_models())
        for (model,) in list(self._gauge.values):
            self._gauge.set(open_now.pop(model, 0), model)
        for model, count in open_now.items():
            self._gauge.set(count, model)
