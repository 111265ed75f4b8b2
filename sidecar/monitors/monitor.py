"""What a monitor is: one question about the traffic."""

from typing import Protocol

from sidecar.exchange import Exchange
from sidecar.inference import Inference


class Monitor(Protocol):
    """Owns bounded state and writes to the registry. Called in arrival order, from one thread."""

    def observe(self, exchange: Exchange, inference: Inference) -> None:
        """Fold one exchange that is inference. Must not keep a reference to either argument.

        `inference.undecoded` is set when the payload could not be read; traffic is still counted.
        """

    def tick(self, now: float) -> None:
        """Time has passed (about once a second); `now` is monotonic."""
