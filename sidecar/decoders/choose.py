"""Which decoder reads an exchange, and the promise that none of them ever raises.

The head of the request decides: `claim` asks each member of `ALL` in order. To add a protocol, add a
file and a line here.
"""

from collections.abc import Mapping
from functools import lru_cache

from sidecar.decoders import body, forms, generative, grpc, paths
from sidecar.decoders.decoder import Claim, Decoder, Undecodable
from sidecar.decoders.generic_json import GenericJson
from sidecar.decoders.kserve_v1 import KServeV1
from sidecar.decoders.mlflow import MLflow
from sidecar.decoders.opaque import Opaque
from sidecar.decoders.open_inference import OpenInference
from sidecar.decoders.sagemaker import SageMaker
from sidecar.decoders.seldon import Seldon
from sidecar.decoders.torchserve import TorchServe
from sidecar.decoders.vertex import Vertex
from sidecar.exchange import Exchange, Outcome
from sidecar.inference import Inference, ModelRef, Undecoded

# gRPC by its media type, those with paths of their own, then what bodies are like, then what nobody reads.
ALL: tuple[Decoder, ...] = (
    *grpc.ALL,
    OpenInference(),
    KServeV1(),
    Seldon(),
    SageMaker(),
    MLflow(),
    TorchServe(),
    Vertex(),
    *generative.ALL,
    GenericJson(),
    Opaque(),
)
_BY_NAME = {decoder.name: decoder for decoder in ALL}
# A server has a handful of routes; the rest is scanners. About 1 MB when full.
_REMEMBERED_CLAIMS = 2048
_LONGEST_REMEMBERED = 512

other_kind = paths.other_kind


def claim(method: str, target: str, headers: Mapping[str, str]) -> Claim | None:
    """Whether an exchange is inference, by its request head alone: None if it is not."""
    content_type = headers.get("content-type", "")
    if method == "GET":
        # What a GET asks is its query: a form without a body.
        content_type = forms.URLENCODED if "=" in target.partition("?")[2] else ""
    if len(target) + len(content_type) > _LONGEST_REMEMBERED or "?" in target:
        target = target.partition("?")[0]
        if len(target) + len(content_type) > _LONGEST_REMEMBERED:
            return _claim.__wrapped__(method, target, content_type)
    return _claim(method, target, content_type.partition(";")[0])


@lru_cache(maxsize=_REMEMBERED_CLAIMS)
def _claim(method: str, target: str, content_type: str) -> Claim | None:
    path, media = paths.normal(target), body.media_of(content_type)
    for decoder in ALL:
        found = decoder.claim(method, path, media)
        if found is not None:
            return found
    return None


def decode(exchange: Exchange, claim: Claim, decoder: Decoder | None = None) -> Inference:
    """What a claimed exchange meant. Never raises.

    `decoder` reads it where the one that claimed it is not of `ALL`.
    `undecoded` is set when the upstream answered successfully and the request, or an answer of status
    200, could not be read; what could be read of the other side is there all the same.
    """
    return read(exchange, claim, decoder)[0]


def unread(exchange: Exchange, claim: Claim) -> Inference:
    """What a claimed exchange is without a look into its bodies: for when there is no time for one."""
    inference = _begun(exchange, claim)
    _name_by_attributes(exchange, inference)
    if exchange.outcome is Outcome.OK:
        inference.undecoded = Undecoded.OVERLOAD
    return inference


def _begun(exchange: Exchange, claim: Claim) -> Inference:
    inference = Inference(claim.protocol, claim.operation, claim.model, evidence=claim.evidence)
    inference.request_id = body.id_in_headers(exchange)
    return inference


def read(exchange: Exchange, claim: Claim, decoder: Decoder | None = None) -> tuple[Inference, list[str]]:
    """The inference, and what went wrong in sentences."""
    decoder = decoder or _BY_NAME.get(claim.protocol, ALL[-1])
    inference = _begun(exchange, claim)
    problems: list[str] = []
    succeeded = exchange.outcome is Outcome.OK
    try:
        decoder.read_request(exchange, inference)
    except Undecodable as error:
        problems.append(f"request: {error}")
        inference.rows, inference.features = 0, []
        inference.undecoded = error.reason if succeeded else None
    except Exception as error:
        inference.rows, inference.features = 0, []
        _failed(inference, problems, error)
    decoder = generative.reader_of(inference, decoder)
    if succeeded and exchange.status == 200:
        _read_answer(decoder, exchange, inference, problems)
    elif _generated(exchange, inference):
        _read_answer(decoder, exchange, inference, problems)
        if inference.undecoded is not Undecoded.INTERNAL:
            inference.undecoded = None
    _name_by_attributes(exchange, inference)
    return inference, problems


def _generated(exchange: Exchange, inference: Inference) -> bool:
    """Whether a stream that was cut is worth reading: what had come of it was generated all the same."""
    if inference.generation is None or exchange.outcome is Outcome.UNOBSERVED:
        return False
    return exchange.streamed and exchange.status == 200


def _read_answer(decoder: Decoder, exchange: Exchange, inference: Inference, problems: list[str]) -> None:
    try:
        decoder.read_answer(exchange, inference)
    except Undecodable as error:
        problems.append(f"answer: {error}")
        inference.outputs = []
        inference.undecoded = inference.undecoded or error.reason
    except Exception as error:
        inference.outputs = []
        _failed(inference, problems, error)


def _name_by_attributes(exchange: Exchange, inference: Inference) -> None:
    """Complete the model by the CloudEvents attributes beside the answer: loggers and MLServer give them.

    Never by those of a request: anybody may put a name there, and a server that ignores it answers 200.
    """
    said, model = exchange.response_headers, inference.model
    if model.name and model.version:
        return
    endpoint = said.get("ce-endpoint", "")
    name = model.name or said.get("ce-modelid") or said.get("ce-inferenceservicename") or ""
    inference.model = ModelRef(name, model.version or ("" if endpoint == "default" else endpoint))


def _failed(inference: Inference, problems: list[str], error: Exception) -> None:
    """A fault of ours. Its type is told, its message is not: it may quote the payload."""
    problems.append(f"internal: {type(error).__name__}")
    inference.undecoded = Undecoded.INTERNAL
