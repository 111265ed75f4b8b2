"""How many inferences could not be read, and why. What this counts is missing from every row metric."""

from sidecar import catalog
from sidecar.exchange import Exchange
from sidecar.inference import Inference, Undecoded
from sidecar.registry import Registry

# The last to be introduced.
_LAST = Undecoded.INTERNAL.value


class UndecodedExchanges:
    """Counts payloads that no decoder could read, by protocol and by a closed set of reasons."""

    def __init__(self, registry: Registry) -> None:
        self._undecoded = registry.counter(catalog.UNDECODED)

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Count the reason, if there is one; every reason is at zero once a protocol is known."""
        if (_LAST, inference.protocol) not in self._undecoded.values:
            for reason in Undecoded:
                self._undecoded.add(0, reason.value, inference.protocol)
        if inference.undecoded is not None:
            self._undecoded.add(1, inference.undecoded.value, inference.protocol)

    def tick(self, now: float) -> None:
        """Nothing to do."""
