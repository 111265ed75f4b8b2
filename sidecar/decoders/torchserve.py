"""TorchServe's inference interface: `/predictions/{model}`, one instance per request, answers of any kind.

Source: pytorch/serve, docs/inference_api.md. The handler decides what bodies mean, so JSON is read by habit
as on any other path; what the protocol adds is model and version, that anything else (an image, a text) is
one row, and how errors look. The trap: good answers have no content type, and a bare word may be a label.
"""

import re
from typing import Any

from sidecar.decoders import body, forms, generic_answer, habits, multipart, stream, tables
from sidecar.decoders.decoder import Claim
from sidecar.exchange import Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation

_PATH = re.compile(r"(?:^|/)(predictions|explanations)/([^/]+)(?:/([^/]+))?/?$")
_ERROR = {"code", "type", "message"}
# Rounded probabilities of all classes may add up to a little more than one.
_WHOLE = 1.001


class TorchServe:
    """Reads JSON, forms and bytes; answers that are JSON, a label, or scores by label."""

    name = "torchserve"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST or PUT on /predictions/{model}[/{version}], and /explanations."""
        found = _PATH.search(path) if method in ("POST", "PUT") else None
        if found is None:
            return None
        operation = Operation.PREDICT if found[1] == "predictions" else Operation.EXPLAIN
        model = ModelRef(found[2].replace("%2F", "/"), (found[3] or "").replace("%2F", "/"))
        return Claim(self.name, operation, model, f"the path is /{found[1]}/{{model}}")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns of JSON or a form; of other bytes one row and their number, `input.size`."""
        content_type = exchange.request_headers.get("content-type", "")
        document = forms.document_of(exchange)
        if document is None:
            data = body.data_of(exchange.request)
            table = tables.of_request(data, content_type)
            if table is not None:
                inference.rows, inference.features = table
                return
            if not _may_be_json(data, content_type):
                inference.rows, inference.features = 1, [_other(data, content_type)]
                return
            document = body.document_of(exchange.request, exchange.request_headers)
        inference.rows, inference.features, habit = habits.find_rows(document)
        inference.evidence += "; " + habit

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from JSON by habit, or the label that a bare text is."""
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        data = body.data_of(exchange.response)
        label = generic_answer.label_of(data) if inference.operation is Operation.PREDICT else None
        if label is not None:
            inference.outputs = [Column("prediction", [label])]
            return
        fill_outputs(inference, body.document_of(exchange.response, exchange.response_headers))


def fill_outputs(inference: Inference, document: Any) -> None:
    """Read an answer in JSON."""
    if type(document) is dict and document.keys() == _ERROR:
        inference.error = body.error_of({"error": document})
    elif inference.operation is Operation.PREDICT and _are_top_scores(document):
        best = next(iter(document))
        inference.outputs = [Column("label", [best]), Column("score", [document[best]])]
    else:
        generic_answer.fill(inference, document)


def _may_be_json(data: bytes, content_type: str) -> bool:
    if "json" in content_type.lower():
        return True
    return data.lstrip()[:1] in (b"{", b"[", b'"')


def _other(data: bytes, content_type: str) -> Column:
    """A text as such, or how many bytes of something else there are."""
    if body.media_of(content_type) == "text/plain":
        return Column("input[0]", [multipart.of_text(str(data, "utf-8", "replace"))])
    return Column("input.size", [len(data)])


def _are_top_scores(document: Any) -> bool:
    """Whether an object has scores by label, best first: what the image and text classifiers answer."""
    if type(document) is not dict or len(document) < 2:
        return False
    scores = list(document.values())
    if any(type(score) is not float or not 0 <= score <= 1 for score in scores):
        return False
    return sum(scores) <= _WHOLE and scores == sorted(scores, reverse=True)
