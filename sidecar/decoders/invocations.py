"""What is POSTed to `/invocations`: MLflow's scoring server and SageMaker's containers share the path.

The path does not say which of them is behind it. Headers of SageMaker's do, and so do bodies: MLflow wraps
data frames, SageMaker's algorithms wrap features, Open Inference and chat bodies are handed to their own
decoders. What fits both (`instances`, CSV with a header) stays what the path was claimed as.
"""

from collections.abc import Mapping
from typing import Any

from sidecar.decoders import (
    binary_tensors,
    body,
    columns,
    delimited,
    generative,
    kserve_v1,
    open_inference,
    stream,
    tables,
)
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import CapturedBody, Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

MLFLOW, SAGEMAKER = "mlflow", "sagemaker"
_V2 = open_inference.OpenInference.name
_PREFIX = "x-amzn-sagemaker-"
_MODEL = (_PREFIX + "target-model", _PREFIX + "inference-component")
_VARIANT = _PREFIX + "target-variant"
_ANSWERING_VARIANT = "x-amzn-invoked-production-variant"
# Those that reach a container, or an endpoint.
_HEADERS = frozenset(
    (*_MODEL, _VARIANT, _PREFIX + "inference-id", _PREFIX + "target-container-hostname",
     _PREFIX + "enable-explanations")
)  # fmt: skip
_BEGINS_NUMBER = frozenset(bytes([byte]) for byte in b"0123456789.+-")
_WRAPPED = ("features", "data")


def read_request(exchange: Exchange, inference: Inference) -> None:
    """Columns from whichever of the forms the body has. Raises Undecodable."""
    headers = exchange.request_headers
    if not _HEADERS.isdisjoint(headers):
        _claim_for_sagemaker(inference, "its headers are SageMaker's")
        name = next((headers[key] for key in _MODEL if key in headers), inference.model.name)
        inference.model = ModelRef(name, headers.get(_VARIANT, inference.model.version))
    content_type = headers.get("content-type", "")
    if content_type != "application/json":
        if binary_tensors.is_announced(headers):
            _hand_to_open_inference(inference, "raw tensors follow its JSON")
            open_inference.read_request(exchange, inference)
            return
        data = body.data_of(exchange.request)
        table = tables.of_request(data, content_type, headerless=inference.protocol == SAGEMAKER)
        if table is not None:
            inference.rows, inference.features = table
            return
        if not _readable(body.media_of(content_type), data):
            raise Undecodable(Undecoded.CONTENT_TYPE, "neither JSON nor a table we read")
    fill_features(inference, body.document_of(exchange.request, headers))


def read_answer(exchange: Exchange, inference: Inference) -> None:
    """Columns from predictions, in the form the answer has them. Raises Undecodable."""
    headers = exchange.response_headers
    _name_model(inference, headers)
    if exchange.streamed:
        stream.read_events(exchange, inference)
        return
    if inference.protocol == _V2 or binary_tensors.is_announced(headers):
        open_inference.read_answer(exchange, inference)
        return
    content_type = headers.get("content-type", "")
    if content_type != "application/json" or inference.protocol == SAGEMAKER:
        table = _table(exchange.response, content_type, inference)
        if table is not None:
            inference.outputs = table if inference.operation is Operation.PREDICT else []
            return
    fill_outputs(inference, body.document_of(exchange.response, headers))


def fill_features(inference: Inference, document: Any) -> None:
    """Read a request in JSON."""
    if type(document) is list:
        # JSON lines, or a bare list: each item is an instance.
        _claim_for_sagemaker(inference, "its body is a list, or lines")
        kserve_v1.fill_features(inference, {"instances": document})
    elif type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the body is not an object")
    elif open_inference.is_request(document):
        _hand_to_open_inference(inference, "its inputs are Open Inference tensors")
        open_inference.fill_features(inference, document)
    elif "dataframe_split" in document:
        _say_mlflow(inference)
        _fill_split(inference, document["dataframe_split"])
    elif "dataframe_records" in document:
        _say_mlflow(inference)
        kserve_v1.fill_features(inference, {"instances": document["dataframe_records"]})
    elif "instances" in document or type(document.get("inputs")) in (list, dict):
        if _wraps_features(document.get("instances")):
            _claim_for_sagemaker(inference, "its instances wrap features")
        kserve_v1.fill_features(inference, document)
    elif inference.protocol == SAGEMAKER and "features" in document:
        kserve_v1.fill_features(inference, {"instances": [document]})
    elif not generative.adopt(inference, document):
        raise Undecodable(Undecoded.SHAPE, "none of the forms a scoring server takes")


def fill_outputs(inference: Inference, document: Any) -> None:
    """Read an answer in JSON."""
    if _has_tensors(document):
        open_inference.fill_outputs(inference, document)
        return
    inference.error = body.error_of(document, "predictions", "outputs", "choices")
    if inference.error or inference.operation is not Operation.PREDICT:
        return
    if type(document) is dict and ("score" in document or "predicted_label" in document):
        # A line of JSON lines, alone.
        document = [document]
    kserve_v1.fill_outputs(inference, document)


def _name_model(inference: Inference, headers: Mapping[str, str]) -> None:
    """What the answer's headers say of the model, where the request said nothing."""
    if "served-model-name" in headers or _ANSWERING_VARIANT in headers:
        model = inference.model
        name = model.name or headers.get("served-model-name", "")
        inference.model = ModelRef(name, model.version or headers.get(_ANSWERING_VARIANT, ""))


def _hand_to_open_inference(inference: Inference, why: str) -> None:
    inference.protocol = _V2
    inference.evidence += "; " + why


def _claim_for_sagemaker(inference: Inference, why: str) -> None:
    if inference.protocol != SAGEMAKER:
        inference.protocol = SAGEMAKER
        inference.evidence += "; " + why


def _say_mlflow(inference: Inference) -> None:
    """Only MLflow wraps data frames, also where SageMaker runs it."""
    if inference.protocol != MLFLOW:
        inference.protocol = MLFLOW
        inference.evidence += "; its body is a data frame"


def _wraps_features(instances: Any) -> bool:
    """Whether instances are `{"features": …}` or `{"data": {"features": …}}`, SageMaker's own forms."""
    first = instances[0] if type(instances) is list and instances else None
    if type(first) is not dict or not first.keys() <= {"features", "data", "configuration"}:
        return False
    return any(type(first.get(key)) in (list, dict) for key in _WRAPPED)


def _table(response: CapturedBody, content_type: str, inference: Inference) -> list[Column] | None:
    """Outputs of an answer in a tabular format, whatever it calls itself; None for JSON."""
    data = body.data_of(response)
    table = tables.of_answer(data, content_type, headerless=inference.protocol == SAGEMAKER)
    if table is None and inference.protocol == SAGEMAKER and _is_number_table(data):
        table = delimited.read(data, "", "prediction", "prediction", headerless=True)
    if table is None:
        return None
    rows, outputs = table
    if rows == 1 and len(outputs) == inference.rows > 1:
        # XGBoost's container answers all rows in one line.
        return [Column("prediction", [column.values[0] for column in outputs])]
    return outputs[: columns.MAX_COLUMNS]


def _is_number_table(data: bytes) -> bool:
    """Whether an answer is rows of numbers: containers call CSV text/html, or what the client accepts."""
    return data.lstrip()[:1] in _BEGINS_NUMBER and not data.translate(None, b"0123456789.,+-eE\r\n\t ")


def _readable(media: str, data: bytes) -> bool:
    # Content types are hints: curl says form-urlencoded, many clients say nothing.
    if not media or "json" in media or media in ("application/x-www-form-urlencoded", "text/plain"):
        return True
    return media == "text/csv" and data.lstrip()[:1] in (b"{", b"[")


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


def _has_tensors(document: Any) -> bool:
    outputs = document.get("outputs") if type(document) is dict else None
    return type(outputs) is list and bool(outputs) and type(outputs[0]) is dict and "datatype" in outputs[0]
