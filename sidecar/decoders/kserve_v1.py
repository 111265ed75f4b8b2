"""The KServe V1 protocol, and TensorFlow Serving's REST interface, which is on the same paths.

Sources: kserve.github.io (V1 data plane), tensorflow/serving g3doc/api_rest.md (row form `instances`,
column form `inputs` → `outputs`; classify and regress take `examples`). The trap: `inputs` is columns
for TensorFlow Serving only when it is an object; KServe takes a list of rows under the same key.
"""

import re
from typing import Any

from sidecar.decoders import body, columns, predictions, stream
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
        fill_features(inference, body.document_of(exchange.request, exchange.request_headers))

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
        _fill_rows(inference, _examples(document))
    else:
        raise Undecodable(Undecoded.SHAPE, "there is neither instances nor inputs")


def fill_outputs(inference: Inference, document: Any) -> None:
    """Read `predictions` (per row), `outputs` (per column), `results`, or a bare list of predictions."""
    if type(document) is list:
        inference.outputs = predictions.of_values(document)
    elif type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the answer is neither an object nor a list")
    elif "predictions" in document:
        inference.outputs = predictions.of_values(document["predictions"])
    elif "outputs" in document:
        outputs = document["outputs"]
        by_column = type(outputs) is dict
        inference.outputs = predictions.of_columns(outputs) if by_column else predictions.of_values(outputs)
    elif "results" in document or "result" in document:
        inference.outputs = _results(document.get("results", document.get("result")))
    else:
        raise Undecodable(Undecoded.SHAPE, "there are no predictions")


def _fill_rows(inference: Inference, rows: Any) -> None:
    rows = rows if type(rows) is list else [rows]
    inference.rows = columns.check_rows(len(rows))
    inference.features = columns.of_rows(*_unwrapped(rows))


def _unwrapped(rows: list[Any]) -> tuple[list[Any], str]:
    """Rows out of objects that hold nothing but them, and the name they had.

    `{"features": […]}` and `{"data": {"features": {"values": […]}}}` are
    what SageMaker's own algorithms take. `{"b64": …}` is a value, not a wrapping.
    """
    name, first = "input", rows[0]
    while type(first) is dict and len(first) == 1:
        ((key, inner),) = first.items()
        if type(inner) not in (list, dict) or "b64" in inner:
            break
        if any(type(row) is not dict or row.keys() != first.keys() for row in rows):
            break
        rows, first = [row[key] for row in rows], inner
        name = name if key == "values" else key
    return rows, name


def _examples(document: dict[str, Any]) -> list[Any]:
    """Examples of classify and regress, each joined with the features all have in common."""
    examples, context = document["examples"], document.get("context") or {}
    if type(examples) is not list or type(context) is not dict:
        raise Undecodable(Undecoded.SHAPE, "examples are not a list, or their context no object")
    if any(type(example) is not dict for example in examples):
        raise Undecodable(Undecoded.SHAPE, "an example is not an object")
    columns.check_cells(len(examples) * len(context))
    return [{**context, **example} for example in examples] if context else examples


def _results(results: Any) -> list[Column]:
    """A number per example (regress), or its [label, score] pairs (classify): the best of them."""
    if type(results) is not list or not all(_are_pairs(pairs) for pairs in results):
        return predictions.of_values(results)
    best = [max(range(len(pairs)), key=lambda i, p=pairs: p[i][1]) for pairs in results]  # type: ignore[misc]
    # A label may be empty: then the position is the class.
    labels = [pairs[i][0] or str(i) for i, pairs in zip(best, results, strict=True)]
    scores = [pairs[i][1] for i, pairs in zip(best, results, strict=True)]
    return [Column("label", labels), Column("score", scores)]


def _are_pairs(pairs: Any) -> bool:
    return (
        type(pairs) is list
        and bool(pairs)
        and all(type(p) is list and len(p) == 2 and type(p[1]) in (int, float) for p in pairs)
    )
