"""The decoders as the configuration has them: those of everybody, and a payload mapping where one is given.

An object, not a module with state: two sidecars in one process (a replay beside a test) never share one.
"""

from collections.abc import Mapping, Sequence

from sidecar.decoders import body, choose, paths
from sidecar.decoders.decoder import Claim, Decoder
from sidecar.decoders.generic_json import GenericJson
from sidecar.decoders.opaque import Opaque
from sidecar.decoders.payload import Payload
from sidecar.exchange import Exchange
from sidecar.inference import Inference
from sidecar.policy import PayloadRule

# TorchServe's protocol names a model in the path and leaves the bodies to whoever wrote the handler.
_TORCHSERVE = "torchserve"
# Whoever claims an exchange under these names guesses at bodies; a mapping knows. Nobody else is overruled.
_GUESSES = frozenset({GenericJson.name, Opaque.name, _TORCHSERVE})


class Decoders:
    """Claims and reads exchanges as `choose` does, and by the rules of the configuration."""

    def __init__(self, rules: Sequence[PayloadRule] = ()) -> None:
        self._payload = Payload(rules) if rules else None

    def claim(self, method: str, target: str, headers: Mapping[str, str]) -> Claim | None:
        """Whether an exchange is inference, by its request head alone: None if it is not."""
        found = choose.claim(method, target, headers)
        if self._payload is None or (found is not None and found.protocol not in _GUESSES):
            return found
        media = body.media_of(headers.get("content-type", ""))
        return self._payload.claim(method, paths.normal(target), media, found) or found

    def decode(self, exchange: Exchange, claim: Claim) -> Inference:
        """What a claimed exchange meant; see `choose.decode`. Never raises."""
        return choose.decode(exchange, claim, self.reader(claim))

    def unread(self, exchange: Exchange, claim: Claim) -> Inference:
        """What a claimed exchange is without a look into its bodies."""
        return choose.unread(exchange, claim)

    def reader(self, claim: Claim) -> Decoder | None:
        """The decoder that reads what was claimed, if it is not one of `choose.ALL`."""
        return self._payload if claim.protocol == Payload.name else None
