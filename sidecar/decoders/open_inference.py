"""The Open Inference Protocol (KServe V2) over REST: MLServer, Triton, KServe, OpenVINO and others.

Source: github.com/open-inference/open-inference-protocol, specification/protocol/inference_rest.md.
`generate` and `generate_stream` are Triton's and MLServer's extension: claimed, their flat bodies are
not features. The trap: the answer's content type says nothing (KServe and Triton leave it out).
"""

import re
from typing import Any

from sidecar.decoders import (
    binary_tensors,
    body,
    json_tensors,
    output_tensors,
    predictions,
    stream,
    tensor_texts,
    tensors,
)
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation, Undecoded

# Any prefix: a gateway in front may have added one. The version is any text: MLServer takes "v1.2".
_PATH = re.compile(r"(?:^|/)v2/models/([^/]+)(?:/versions/([^/]+))?/(infer|generate)(?:_stream)?/?$")
_ON_VERTEX = "application/vnd.vertex-ai-triton.binary+json"
# What asks for a classification. Searching a megabyte of raw data for it costs more than reading that.
_CLASSES = b'"classification"'
_QUICKLY_SEARCHED_BYTES = 4096


class OpenInference:
    """Reads tensors in JSON, raw behind it, and in the events of a streamed answer."""

    name = "v2"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST /v2/models/{model}[/versions/{version}]/infer, and its streaming and generating kin.

        And Triton behind Vertex AI, on whatever path, by its media type.
        """
        found = _PATH.search(path) if method == "POST" else None
        if found is None:
            asked = method == "POST" and media == _ON_VERTEX
            return Claim(self.name, Operation.PREDICT, evidence="raw tensors on Vertex AI") if asked else None
        model = ModelRef(found[1].replace("%2F", "/"), (found[2] or "").replace("%2F", "/"))
        operation = Operation.PREDICT if found[3] == "infer" else Operation.GENERATE
        return Claim(self.name, operation, model, "the path is /v2/models/…/" + found[3])

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from `inputs`."""
        if inference.operation is Operation.PREDICT:
            read_request(exchange, inference)
        else:
            body.document_of(exchange.request, exchange.request_headers)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from `outputs`; name and version of the model where the path did not say."""
        if not exchange.streamed:
            read_answer(exchange, inference)
            return
        stream.read_names(exchange, inference)
        if inference.operation is Operation.PREDICT and not inference.error:
            inference.decoupled = True
            inference.outputs = stream.outputs_of(exchange, outputs_of)


def read_request(exchange: Exchange, inference: Inference) -> None:
    """Read an inference request, whatever its path; raw tensors may follow the JSON. Raises Undecodable."""
    document = binary_tensors.document_of(exchange.request, exchange.request_headers, "inputs")
    if document is not None:
        fill_features(inference, document)
        return
    # Triton's raw binary request: one input, its name and shape only in the metadata of the model.
    inference.rows, inference.elsewhere = 1, True
    inference.evidence += "; its body is one raw tensor, whose name and shape are not on the wire"


def read_answer(exchange: Exchange, inference: Inference) -> None:
    """Read an inference response; raw tensors may follow the JSON. Raises Undecodable."""
    document = binary_tensors.document_of(exchange.response, exchange.response_headers, "outputs")
    fill_outputs(inference, document, classified=_may_be_classified(document, exchange.request.data))


def is_request(document: Any) -> bool:
    """Whether a body is one of this protocol, whatever its path."""
    inputs = document.get("inputs") if type(document) is dict else None
    return type(inputs) is list and bool(inputs) and json_tensors.is_tensor(inputs[0])


def fill_features(inference: Inference, document: Any) -> None:
    """Read an inference request object."""
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the body is not an object")
    inference.request_id = body.id_in(document) or inference.request_id
    inputs = json_tensors.list_of(document.get("inputs"))
    content_type = tensor_texts.content_type_of(document) if "parameters" in document else ""
    tables = [json_tensors.read(tensor, "input", content_type) for tensor in inputs]
    inference.rows, inference.features = tensors.together(tables)
    if not inference.features or (len(tables) > 1 and [] in [found for _, found in tables]):
        # In shared memory, or of a kind that has no columns.
        inference.elsewhere = any(tensor.get("data") is None for tensor in inputs)


def fill_outputs(inference: Inference, document: Any, *, classified: bool = False) -> None:
    """Read an inference response object. `classified`: the request asked for a classification."""
    if type(document) is not dict or "outputs" not in document:
        inference.error = body.error_of(document)
        if inference.error:
            return
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
    name_model(inference, document)
    inference.request_id = inference.request_id or body.id_in(document)
    if inference.operation is Operation.PREDICT:
        inference.outputs = outputs_of(document, classified)[1]


def outputs_of(document: dict[str, Any], classified: bool = False) -> tensors.Table:
    """Rows and columns of the outputs in an inference response object. Raises Undecodable."""
    outputs = json_tensors.list_of(document.get("outputs"))
    content_type = tensor_texts.content_type_of(document) if "parameters" in document else ""
    read = output_tensors.read
    return tensors.together([read(t, predictions.UNNAMED, content_type, classified) for t in outputs])


def name_model(inference: Inference, document: dict[str, Any]) -> None:
    """Fill in what the path did not say of the model."""
    model = inference.model
    if not model.name or not model.version:
        name = model.name or body.text_of(document.get("model_name"))
        inference.model = ModelRef(name, model.version or body.text_of(document.get("model_version")))


def _may_be_classified(document: Any, request: bytes) -> bool:
    """Whether an answer holds text, and its request, in its JSON, a parameter that asks for classes."""
    if len(request) < _QUICKLY_SEARCHED_BYTES and _CLASSES not in request:
        return False
    outputs = document.get("outputs") if type(document) is dict else None
    if type(outputs) is not list or not any(
        type(t) is dict and t.get("datatype") == "BYTES" for t in outputs
    ):
        return False
    return _CLASSES in request
