"""Any JSON or CSV that is POSTed: FastAPI, Flask, BentoML, Ray Serve, TorchServe, Vertex containers.

There is no protocol here, only habits: where rows usually are, what predictions are usually called. So
it comes after every decoder that knows, and says in `evidence` which habit it followed.
"""

import re
from collections.abc import Collection
from typing import Any

from sidecar.decoders import (
    body,
    columns,
    delimited,
    generic_answer,
    kserve_v1,
    open_inference,
    paths,
    stream,
)
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

_TORCHSERVE = re.compile(r"/(predictions|explanations)/([^/]+)(?:/([^/]+))?/?$")
_RAY_MODEL = "serve_multiplexed_model_id"
_HINTS = frozenset({"", "text/plain", "text/csv"})
# Members that hold the features when their neighbours are options, ids and thresholds.
_CONTAINERS = (
    "features", "instance", "input", "inputs", "data", "row", "rows", "record", "records", "samples",
    "sample", "X", "payload", "df", "dataframe",
)  # fmt: skip
# Names and rows apart: pandas' split orientation, Seldon's ndarray, and what people make up.
_SPLITS = (
    ("columns", "data"), ("columns", "rows"), ("columns", "values"), ("names", "ndarray"),
    ("feature_names", "data"), ("feature_names", "values"),
)  # fmt: skip
# `{"data": {"df": {…}}}` is the deepest wrapping seen in the wild.
_DEEPEST = 3

Found = tuple[int, list[Column], str]


class GenericJson:
    """Finds rows and predictions in a body of no known protocol."""

    name = "json"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST or PUT of JSON, CSV or an unstated type, unless the path is known for something else."""
        if method not in ("POST", "PUT") or not _may_be_json(path, media):
            return None
        if paths.kind_of(method, path) != "other":
            return None
        found = _TORCHSERVE.search(path)
        if found is None:
            return Claim(self.name, Operation.PREDICT, evidence="a JSON body on a path of no known protocol")
        operation = Operation.PREDICT if found[1] == "predictions" else Operation.EXPLAIN
        model = ModelRef(found[2].replace("%2F", "/"), (found[3] or "").replace("%2F", "/"))
        return Claim(self.name, operation, model, f"the path is /{found[1]}/{{model}}")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from wherever the rows are."""
        headers = exchange.request_headers
        if _RAY_MODEL in headers and not inference.model.name:
            inference.model = ModelRef(headers[_RAY_MODEL])
        content_type = headers.get("content-type", "")
        if body.media_of(content_type) == "text/csv":
            data = body.data_of(exchange.request)
            inference.rows, inference.features = delimited.read(data, content_type, "input")
            return
        document = body.document_of(exchange.request, headers)
        inference.rows, inference.features, habit = find_rows(document)
        inference.evidence += "; " + habit
        inference.request_id = body.id_in(document) or inference.request_id

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from whatever the answer calls its predictions."""
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        headers = exchange.response_headers
        if body.media_of(headers.get("content-type", "")) == "text/csv":
            data, kind = body.data_of(exchange.response), headers["content-type"]
            inference.outputs = delimited.read(data, kind, "prediction", "prediction")[1]
            return
        generic_answer.fill(inference, body.document_of(exchange.response, headers))


def find_rows(document: Any, name: str = "input", depth: int = 0) -> Found:
    """Rows, columns and the habit they were found by. Raises Undecodable."""
    if type(document) is list:
        return _of_list(document, name)
    if type(document) is not dict:
        return 1, [Column(f"{name}[0]", [document])], "it is one value"
    for names, data in _SPLITS:
        if type(document.get(names)) is list and type(document.get(data)) is list:
            rows = document[data]
            return len(rows), columns.of_table(document[names], rows), "names and rows apart"
    if open_inference.is_request(document) or "instances" in document:
        return _of_protocol(document)
    return _of_object(document, depth)


def _of_protocol(document: dict[str, Any]) -> Found:
    """A body of a known protocol on a path that is not its own (Vertex AI lets one choose the path)."""
    inference = Inference("")
    if open_inference.is_request(document):
        open_inference.fill_features(inference, document)
        return inference.rows, inference.features, "its inputs are Open Inference tensors"
    kserve_v1.fill_features(inference, document)
    return inference.rows, inference.features, "it has instances"


def _of_list(values: list[Any], name: str) -> Found:
    """A list of objects, lists or texts is a row each; any other list is one row."""
    columns.check_rows(len(values))
    kinds = set(map(type, values))
    if dict in kinds or list in kinds or kinds == {str}:
        lone = "" if name == "input" else name
        return len(values), columns.of_rows(values, name, lone), "a list of rows"
    return 1, columns.of_lists([values], name), "a list is one row"


def _of_object(document: dict[str, Any], depth: int) -> Found:
    """The first list of objects or lists is rows; else columns; else what a container holds; else a row."""
    if not document:
        raise Undecodable(Undecoded.NO_ROWS, "the body is an empty object")
    for key, value in document.items():
        if type(value) is list and set(map(type, value)) in ({dict}, {list}):
            return _of_list(value, key)
    if len(document) > 1 and _are_columns(document.values()):
        return *columns.of_columns(document), "an object of columns"
    inner = _container(document)
    if inner is not None and depth < _DEEPEST:
        return find_rows(document[inner], inner, depth + 1)
    return 1, columns.of_records([document]), "the object is one row"


def _are_columns(values: Collection[Any]) -> bool:
    return all(type(value) is list for value in values) and len(set(map(len, values))) == 1


def _container(document: dict[str, Any]) -> str | None:
    """The member that holds the features rather than being one."""
    for key in document if len(document) == 1 else _CONTAINERS:
        if type(document.get(key)) in (dict, list) and document[key]:
            return key
    return None


def _may_be_json(path: str, media: str) -> bool:
    if media in _HINTS or "json" in media or "ndjson" in media:
        return True
    # What curl -d calls everything; without a verb in the path it is likelier a form.
    return media == "application/x-www-form-urlencoded" and paths.smells_of_inference(path)
