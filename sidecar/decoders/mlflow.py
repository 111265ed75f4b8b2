"""`/invocations`: MLflow's scoring server, and the SageMaker containers that share its path.

Source: mlflow docs, "Deploy MLflow Model as a Local Inference Server"; AWS "Common data formats for
inference". The path alone does not say which protocol is behind it: the body does. Open Inference and
chat bodies are handed to their own decoders. Model name and version are not on the wire, but for headers.
"""

import re
from typing import Any

from sidecar.decoders import body, columns, delimited, generative, kserve_v1, open_inference, stream
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation, Undecoded

# /serving-endpoints/{name} is Databricks, /endpoints/{name} SageMaker from outside, /models/{name}/invoke
# a multi-model container.
_PATH = re.compile(r"(?:/(?:serving-)?endpoints/([^/]+))?/invocations/?$|/models/([^/]+)/invoke/?$")
_TARGET = "x-amzn-sagemaker-target-model"


class MLflow:
    """Reads dataframe_split, dataframe_records, instances, inputs and csv; predictions."""

    name = "mlflow"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST …/invocations, whatever its body."""
        found = _PATH.search(path) if method == "POST" else None
        if found is None:
            return None
        return Claim(
            self.name,
            Operation.PREDICT,
            ModelRef((found[1] or found[2] or "").replace("%2F", "/")),
            "the path is " + ("/models/…/invoke" if found[2] else "/invocations"),
        )

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from whichever of the forms the body has."""
        headers = exchange.request_headers
        if _TARGET in headers:
            inference.model = ModelRef(headers[_TARGET])
        content_type = headers.get("content-type", "")
        media = body.media_of(content_type)
        open_inference.reject_binary(headers)
        if media == "text/csv":
            data = body.data_of(exchange.request)
            inference.rows, inference.features = delimited.read(data, content_type, "input")
        elif _readable(media):
            _fill(inference, body.document_of(exchange.request, headers))
        else:
            raise Undecodable(Undecoded.CONTENT_TYPE, "neither JSON nor CSV")

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from predictions, in the form the request's protocol has them."""
        headers = exchange.response_headers
        if not inference.model.name and "served-model-name" in headers:
            inference.model = ModelRef(headers["served-model-name"], inference.model.version)
        open_inference.reject_binary(headers)
        if exchange.streamed:
            stream.read_events(exchange, inference)
        elif body.media_of(headers.get("content-type", "")) == "text/csv":
            data = body.data_of(exchange.response)
            content_type = headers["content-type"]
            inference.outputs = delimited.read(data, content_type, "prediction", "prediction")[1]
        else:
            _fill_answer(inference, body.document_of(exchange.response, headers))


def _readable(media: str) -> bool:
    # Content types are hints: curl says form-urlencoded, many clients say nothing.
    return not media or "json" in media or media in ("application/x-www-form-urlencoded", "text/plain")


def _fill(inference: Inference, document: Any) -> None:
    if type(document) is list:
        # JSON lines: each is an instance.
        kserve_v1.fill_features(inference, {"instances": document})
    elif type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the body is not an object")
    elif open_inference.is_request(document):
        inference.protocol = open_inference.OpenInference.name
        inference.evidence += "; its inputs are Open Inference tensors"
        open_inference.fill_features(inference, document)
    elif "dataframe_split" in document:
        _fill_split(inference, document["dataframe_split"])
    elif "dataframe_records" in document:
        kserve_v1.fill_features(inference, {"instances": document["dataframe_records"]})
    elif "instances" in document or type(document.get("inputs")) in (list, dict):
        kserve_v1.fill_features(inference, document)
    elif not generative.adopt(inference, document):
        raise Undecodable(Undecoded.SHAPE, "none of the forms a scoring server takes")


def _fill_split(inference: Inference, split: Any) -> None:
    """`{"columns": […], "index"?: […], "data": [[…], …]}`; without columns, `input[i]`."""
    if type(split) is not dict or type(split.get("data")) is not list:
        raise Undecodable(Undecoded.SHAPE, "dataframe_split has no list of data")
    names, rows = split.get("columns"), split["data"]
    inference.rows = columns.check_rows(len(rows))
    if type(names) is list:
        inference.features = columns.of_table(names, rows)
    else:
        inference.features = columns.of_rows(rows)


def _fill_answer(inference: Inference, document: Any) -> None:
    if inference.protocol == open_inference.OpenInference.name or _has_tensors(document):
        open_inference.fill_outputs(inference, document)
        return
    inference.error = body.error_of(document, "predictions", "outputs", "choices")
    if not inference.error and inference.operation is Operation.PREDICT:
        kserve_v1.fill_outputs(inference, document)


def _has_tensors(document: Any) -> bool:
    outputs = document.get("outputs") if type(document) is dict else None
    return type(outputs) is list and bool(outputs) and type(outputs[0]) is dict and "datatype" in outputs[0]
