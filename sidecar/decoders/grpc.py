"""Inference over gRPC: the services that are known, and any other.

A call of a service nobody knows is counted and timed as inference of some kind; its payload is not looked at,
and so is never undecoded.
"""

from sidecar.decoders import paths
from sidecar.decoders.decoder import Claim
from sidecar.decoders.grpc_open_inference import OpenInferenceGrpc
from sidecar.decoders.grpc_seldon import SeldonGrpc
from sidecar.decoders.grpc_service import is_grpc
from sidecar.decoders.grpc_tensorflow import TensorFlowGrpc
from sidecar.decoders.grpc_torchserve import TorchServeGrpc
from sidecar.exchange import Exchange
from sidecar.inference import Inference, Operation

# Plumbing that any gRPC server may have besides its model.
_PLUMBING = ("/grpc.", "/opentelemetry.", "/envoy.")


class UnknownGrpc:
    """Any call that is not known to be something else."""

    name = "grpc"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """A call, unless its name says that it is a probe, metadata or plumbing."""
        if method != "POST" or not is_grpc(media) or path.startswith(_PLUMBING):
            return None
        if paths.kind_of(method, path) != "other":
            return None
        return Claim(self.name, Operation.OTHER, evidence="a gRPC call of no known service")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Nothing is read."""

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Nothing is read."""


# The one that takes any call is asked last.
ALL = (OpenInferenceGrpc(), TensorFlowGrpc(), SeldonGrpc(), TorchServeGrpc(), UnknownGrpc())
