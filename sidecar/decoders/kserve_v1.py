"""The KServe V1 protocol, and TensorFlow Serving's REST interface, which is on the same paths.

Sources: kserve.github.io (V1 data plane), tensorflow/serving g3doc/api_rest.md (row form `instances`,
column form `inputs` → `outputs`; classify and regress take `examples`): see `tensorflow_rest`. The trap:
`inputs` is columns for TensorFlow Serving only when it is an object; KServe takes a list of rows under the
same key. A CloudEvent around the body, in its headers or in JSON, changes nothing but the request id.
"""

import re
from typing import Any

from sidecar.decoders import body, columns, predictions, stream, tensorflow_rest
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

# Case does not matter to TensorFlow Serving. A label ("canary") stands for a version and is kept as one.
_PATH = re.compile(
    r"(?:^|/)v1/models/([^/:]+)(?:/(?:versions/(\d+)|labels/([^/:]+)))?:(predict|explain|classify|regress)/?$",
    re.IGNORECASE,
)
_ANSWERS = ("predictions", "outputs", "results", "result", "explanations")


class KServeV1:
    """Reads `instances`, `inputs` and `examples`; `predictions`, `outputs` and `results`."""

    name = "v1"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST /v1/models/{model}[/versions/{n}|/labels/{label}]:predict and its kin."""
        found = _PATH.search(path) if method == "POST" else None
        if found is None:
            return None
        verb = found[4].lower()
        operation = Operation.EXPLAIN if verb == "explain" else Operation.PREDICT
        model = ModelRef(found[1].replace("%2F", "/"), found[2] or found[3] or "")
        return Claim(self.name, operation, model, f"the path is /v1/models/…:{verb}")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from rows or columns."""
        headers = exchange.request_headers
        document = body.document_of(exchange.request, headers)
        if headers.get("content-type") != "application/json":
            inference.request_id = inference.request_id or body.event_id_of(exchange)
        if type(document) is dict and "instances" not in document and type(document.get("inputs")) is dict:
            inference.rows, inference.features = tensorflow_rest.of_inputs(document["inputs"])
        else:
            fill_features(inference, document)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from predictions; an explanation is free in form and gives none."""
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        document = body.document_of(exchange.response, exchange.response_headers)
        inference.error = body.error_of(document, *_ANSWERS)
        if not inference.error and inference.operation is Operation.PREDICT:
            fill_outputs(inference, document)


def fill_features(inference: Inference, document: Any) -> None:
    """Read `instances` (rows), `inputs` (rows, or an object of columns) or `examples`."""
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the body is not an object")
    if "instances" in document:
        _fill_rows(inference, document["instances"])
    elif type(document.get("inputs")) is dict:
        inference.rows, inference.features = columns.of_columns(document["inputs"])
    elif "inputs" in document:
        _fill_rows(inference, document["inputs"])
    elif "examples" in document:
        _fill_rows(inference, tensorflow_rest.joined(document))
    else:
        raise Undecodable(Undecoded.SHAPE, "there is neither instances nor inputs")


def fill_outputs(inference: Inference, document: Any) -> None:
    """Read `predictions` (per row), `outputs` (per column), `results`, or a bare list of predictions."""
    if type(document) is list:
        inference.outputs = predictions.of_values(document)
    elif type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the answer is neither an object nor a list")
    elif "predictions" in document:
        inference.outputs = _predictions(document["predictions"])
    elif "outputs" in document:
        outputs = document["outputs"]
        by_column = type(outputs) is dict
        inference.outputs = tensorflow_rest.of_outputs(outputs) if by_column else _predictions(outputs)
    elif "results" in document or "result" in document:
        inference.outputs = tensorflow_rest.of_results(document.get("results", document.get("result")))
    else:
        raise Undecodable(Undecoded.SHAPE, "there are no predictions")


def _fill_rows(inference: Inference, rows: Any) -> None:
    rows = rows if type(rows) is list else [rows]
    inference.rows = columns.check_rows(len(rows))
    if tensorflow_rest.is_b64(rows[0]) and all(map(tensorflow_rest.is_b64, rows)):
        return
    inference.features = columns.of_rows(*_unwrapped(rows))


def _predictions(values: Any) -> list[Column]:
    found = predictions.of_values(values)
    first = values[0] if type(values) is list else values
    return [] if tensorflow_rest.is_b64(first) else found


def _unwrapped(rows: list[Any]) -> tuple[list[Any], str]:
    """Rows out of objects that hold nothing but them, and the name they had.

    `{"features": […]}` and `{"data": {"features": {"values": […]}}}` are
    what SageMaker's own algorithms take. `{"b64": …}` is a value, not a wrapping.
    """
    name, first = "input", rows[0]
    while type(first) is dict and len(first) == 1:
        ((key, inner),) = first.items()
        if type(inner) not in (list, dict) or tensorflow_rest.is_b64(inner):
            break
        if any(type(row) is not dict or row.keys() != first.keys() for row in rows):
            break
        rows, first = [row[key] for row in rows], inner
        name = name if key == "values" else key
    return rows, name
