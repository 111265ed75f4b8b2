"""What a decoder is: it claims an exchange by evidence, then reads what it meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation, Undecoded


class Undecodable(Exception):
    """The payload cannot be read. `reason` is a metric label; the message is for `explain` and logs."""

    def __init__(self, reason: Undecoded, detail: str = "") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """Why an exchange is inference of a protocol, from what is known before any body is read."""

    protocol: str
    operation: Operation
    model: ModelRef = ModelRef()
    evidence: str = ""


class Decoder(Protocol):
    """One protocol. Stateless; every method is pure."""

    name: str
    """The value of the `protocol` label."""

    def claim(self, method: str, path: str, headers: Mapping[str, str]) -> Claim | None:
        """Claim an exchange by its request head (path percent-decoded, header names lower case)."""

    def decode(self, exchange: Exchange, claim: Claim) -> Inference:
        """Read a claimed exchange. Raises Undecodable; nothing else may escape for any input."""
