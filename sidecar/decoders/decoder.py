"""What a decoder is: it claims an exchange by its request head, then reads what was asked and answered.

Reading is two steps, so that a broken answer never costs the features: `choose.decode` calls
`read_request`, then, if the upstream answered, `read_answer` on what came of it.
"""

from dataclasses import dataclass
from typing import Protocol

from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation, Undecoded


class Undecodable(Exception):
    """The payload cannot be read: `reason` is a metric label, the message is for `explain` only."""

    def __init__(self, reason: Undecoded, detail: str = "") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """Why an exchange is inference of a protocol, from what is known before any body is read.

    `protocol` is the `name` of the decoder that made the claim. What the bodies say may change it.
    """

    protocol: str
    operation: Operation
    model: ModelRef = ModelRef()
    evidence: str = ""


class Decoder(Protocol):
    """One protocol. Stateless; pure, but for the inference it is given to complete."""

    name: str
    """The value of the `protocol` label."""

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """Claim an exchange by its request head, or leave it to the next decoder.

        `path` is without query and percent-decoded, except that an encoded slash stays `%2F`. `media` is
        the content type in lower case without its parameters, "" when there is none.
        """

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Complete `inference`, which holds what the claim said, by the request. Raises Undecodable."""

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Complete `inference` by the answer: outputs, version, error inside a 200. Raises Undecodable.

        Called only for answers of status 200, also when the request could not be read: `rows` is 0 then.
        """
