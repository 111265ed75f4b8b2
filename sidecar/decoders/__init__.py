"""Exchanges to inferences: one file per protocol, chosen by evidence. No I/O."""

from sidecar.decoders.choose import ALL, claim, decode, other_kind, unread
from sidecar.decoders.configured import Decoders
from sidecar.decoders.decoder import Claim, Decoder, Undecodable
from sidecar.decoders.explanation import explain

__all__ = [
    "ALL",
    "Claim",
    "Decoder",
    "Decoders",
    "Undecodable",
    "claim",
    "decode",
    "explain",
    "other_kind",
    "unread",
]
