"""Inference by its path alone: images, audio, multipart, protobuf. Counted and timed, never read."""

from sidecar.decoders import body, paths
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import UNKNOWN, Inference, Operation, Undecoded


class Opaque:
    """The last to be asked: claims what smells of inference and nobody reads."""

    name = UNKNOWN

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST or PUT on a path that names an inference verb."""
        if method not in ("POST", "PUT"):
            return None
        # A gRPC path names a service, often "…Inference…", before the method: only that counts.
        named = path.rsplit("/", 1)[-1] if media.startswith("application/grpc") else path
        if paths.kind_of(method, path) != "other" or not paths.smells_of_inference(named):
            return None
        return Claim(self.name, Operation.PREDICT, evidence="the path names an inference verb")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Nothing is read."""
        raise Undecodable(Undecoded.CONTENT_TYPE, "not a content type we read")

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Nothing but an error object, if the answer happens to be JSON."""
        try:
            document = body.document_of(exchange.response, exchange.response_headers)
        except Undecodable:
            return
        inference.error = body.error_of(document)
