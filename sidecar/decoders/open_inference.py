"""The Open Inference Protocol (KServe V2) over REST: MLServer, Triton, KServe, OpenVINO and others.

Source: github.com/open-inference/open-inference-protocol, specification/protocol/inference_rest.md.
`generate` and `generate_stream` are Triton's and MLServer's extension: claimed, their flat bodies are
not features. The trap: the answer's content type says nothing (KServe and Triton leave it out).
"""

import re
from collections.abc import Mapping
from typing import Any

from sidecar.decoders import body, predictions, stream, tensors
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

# Any prefix: a gateway in front may have added one. The version is any text: MLServer takes "v1.2".
_PATH = re.compile(r"(?:^|/)v2/models/([^/]+)(?:/versions/([^/]+))?/(infer|generate)(?:_stream)?/?$")
_BINARY = "inference-header-content-length"
_WITH_BINARY = "json-header-size="


class OpenInference:
    """Reads tensors in JSON; the binary tensor extension is recognised and counted as not read."""

    name = "v2"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST /v2/models/{model}[/versions/{version}]/infer, and its streaming and generating kin."""
        found = _PATH.search(path) if method == "POST" else None
        if found is None:
            return None
        model = ModelRef(found[1].replace("%2F", "/"), (found[2] or "").replace("%2F", "/"))
        operation = Operation.PREDICT if found[3] == "infer" else Operation.GENERATE
        return Claim(self.name, operation, model, "the path is /v2/models/…/" + found[3])

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from `inputs`."""
        reject_binary(exchange.request_headers)
        document = body.document_of(exchange.request, exchange.request_headers)
        if inference.operation is Operation.PREDICT:
            fill_features(inference, document)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from `outputs`; name and version of the model where the path did not say."""
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        reject_binary(exchange.response_headers)
        fill_outputs(inference, body.document_of(exchange.response, exchange.response_headers))


def is_request(document: Any) -> bool:
    """Whether a body is one of this protocol, whatever its path."""
    inputs = document.get("inputs") if type(document) is dict else None
    return type(inputs) is list and bool(inputs) and tensors.is_tensor(inputs[0])


def fill_features(inference: Inference, document: Any) -> None:
    """Read an inference request object."""
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the body is not an object")
    inference.request_id = body.id_in(document) or inference.request_id
    inference.rows, inference.features = tensors.columns_of(document.get("inputs"), "input")


def fill_outputs(inference: Inference, document: Any) -> None:
    """Read an inference response object."""
    inference.error = body.error_of(document, "outputs")
    if inference.error:
        return
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
    name_model(inference, document)
    inference.request_id = inference.request_id or body.id_in(document)
    if inference.operation is Operation.PREDICT:
        inference.outputs = tensors.columns_of(document.get("outputs"), predictions.UNNAMED)[1]
        _scores_as_floats(inference.outputs, document["outputs"])


def name_model(inference: Inference, document: dict[str, Any]) -> None:
    """Fill in what the path did not say of the model."""
    model = inference.model
    if not model.name or not model.version:
        name = model.name or body.text_of(document.get("model_name"))
        inference.model = ModelRef(name, model.version or body.text_of(document.get("model_version")))


def _scores_as_floats(found: list[Column], tensors_: list[dict[str, Any]]) -> None:
    """A score of 1 is written `1` by some servers: the datatype, not the digits, says it is no class."""
    scores = {t.get("name") for t in tensors_ if str(t.get("datatype")).startswith(("FP", "BF"))}
    for column in found:
        if int in set(map(type, column.values)) and column.name.partition("[")[0] in scores:
            column.values = [float(v) if type(v) is int else v for v in column.values]


def reject_binary(headers: Mapping[str, str]) -> None:
    """Raise Undecodable if raw tensors follow the JSON."""
    if _BINARY in headers or _WITH_BINARY in headers.get("content-type", ""):
        raise Undecodable(Undecoded.CONTENT_TYPE, "binary tensors are not read yet")
