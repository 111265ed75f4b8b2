"""The Seldon Core v1 protocol over REST: SeldonMessage in, SeldonMessage out.

Source: seldon-core, proto/prediction.proto, and its Python wrapper. The same message comes as a JSON body, as
the form field `json`, as the query `?json=`, or as the fields of a form. Feedback is no inference: its labels
belong to an answer given before. The trap: an error is a `status` object, also under a 200, and its `info`
quotes the payload.
"""

import re
from typing import Any

from sidecar.decoders import body, columns, forms, generic_answer, habits, seldon_data, stream
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

_PATH = re.compile(
    r"(?:^|/)(?:seldon/[^/]+/([^/]+)/)?api/v(?:0\.1|1\.0)/(predictions|explanations)/?$", re.IGNORECASE
)
# Steps of an inference graph. /route and /predict are Seldon's too, but not Seldon's alone.
_STEP = re.compile(r"(?:^|/)(?:transform-input|transform-output|aggregate)/?$")
_OTHER_DATA = ("jsonData", "strData", "binData", "customData")
_MEMBERS = frozenset(_OTHER_DATA)
_FAILED = frozenset({1, "1", "FAILURE"})


class Seldon:
    """Reads `data`, `jsonData` and `strData` of a SeldonMessage; `data.names` name features and classes."""

    name = "seldon"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST, or GET with a query, on /api/v1.0/predictions and its kin; the deployment is the model."""
        if method != "POST" and not (method == "GET" and media == forms.URLENCODED):
            return None
        found = _PATH.search(path)
        if found is not None:
            operation = Operation.PREDICT if found[2].lower() == "predictions" else Operation.EXPLAIN
            model = ModelRef((found[1] or "").replace("%2F", "/"))
            return Claim(self.name, operation, model, f"the path is /api/…/{found[2].lower()}")
        if method == "POST" and _STEP.search(path):
            return Claim(self.name, Operation.OTHER, evidence="the path is a step of an inference graph")
        return None

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from the message, wherever in the request it is."""
        document = forms.document_of(exchange)
        if document is None:
            document = body.document_of(exchange.request, exchange.request_headers)
        fill_features(inference, document)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from the message that came back, one for each class if it names them."""
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        headers = exchange.response_headers
        inference.request_id = inference.request_id or headers.get("seldon-puid", "")
        fill_outputs(inference, body.document_of(exchange.response, headers))


def is_message(document: Any) -> bool:
    """Whether a body is a SeldonMessage, whatever its path."""
    if type(document) is not dict:
        return False
    data = document.get("data")
    return (type(data) is dict and seldon_data.is_data(data)) or not _MEMBERS.isdisjoint(document)


def adopt(inference: Inference, document: Any) -> None:
    """Read a SeldonMessage found on a path of no protocol."""
    inference.protocol = Seldon.name
    inference.evidence += "; its body is a SeldonMessage"
    fill_features(inference, document)


def fill_features(inference: Inference, document: Any) -> None:
    """Read a SeldonMessage that asks. Bytes are one row without columns."""
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the body is not an object")
    inference.request_id = _puid(document) or inference.request_id
    if inference.operation is Operation.OTHER:
        return
    if "data" in document:
        inference.rows, inference.features = seldon_data.read(document["data"], "input")
    elif "jsonData" in document:
        inference.rows, inference.features, _ = habits.find_rows(document["jsonData"])
    elif "strData" in document:
        inference.rows, inference.features = 1, [Column("strData", [document["strData"]])]
    elif any(key.partition(".")[0] in _MEMBERS for key in document):
        inference.rows = 1
    else:
        raise Undecodable(Undecoded.SHAPE, "there is no data of any kind")


def fill_outputs(inference: Inference, document: Any) -> None:
    """Read a SeldonMessage that answers: error, model, predictions."""
    if type(document) is not dict:
        raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
    inference.request_id = inference.request_id or _puid(document)
    inference.error = _error(document.get("status"))
    if inference.error:
        return
    _name_model(inference, document)
    if inference.operation is not Operation.PREDICT:
        return
    if "data" in document:
        outputs = seldon_data.read(document["data"], "prediction", "prediction")[1]
        inference.outputs = outputs[: columns.MAX_COLUMNS]
    elif "jsonData" in document:
        generic_answer.fill(inference, document["jsonData"])
    elif "strData" in document:
        inference.outputs = [Column("prediction", [document["strData"]])]
    elif _MEMBERS.isdisjoint(document):
        raise Undecodable(Undecoded.SHAPE, "there is no data of any kind in the answer")


def _puid(document: dict[str, Any]) -> str:
    meta = document.get("meta")
    return body.text_of(meta.get("puid"))[: body.LONGEST_ID] if type(meta) is dict else ""


def _error(status: Any) -> str:
    """The reason of a failure, "" if there is none. A closed set of the wrappers', never their `info`."""
    if type(status) is not dict:
        return ""
    failed = status.get("status")
    if type(failed) not in (int, str) or failed not in _FAILED:
        return ""
    reason = body.text_of(status.get("reason"))[:64]
    return reason if reason and reason.isascii() and reason.isprintable() else "error"


def _name_model(inference: Inference, document: dict[str, Any]) -> None:
    """`meta.requestPath` maps each step to its image: of a graph of one, that is name and version."""
    meta = document.get("meta")
    path = meta.get("requestPath") if type(meta) is dict else None
    if type(path) is not dict or len(path) != 1:
        return
    ((unit, image),) = path.items()
    _, colon, tag = body.text_of(image).rpartition("/")[2].partition(":")
    model = inference.model
    inference.model = ModelRef(model.name or unit, model.version or (tag if colon else ""))
