"""Vertex AI endpoints: `…/endpoints/{id}:predict`, instances in, predictions out.

Source: Vertex AI REST reference, projects.locations.endpoints. What a container behind one gets is the same
body on a path of its own choosing, and is read there as JSON that has instances. The trap: an endpoint is no
model, it may split its traffic: the answer says which model it was.
"""

import re
from typing import Any

from sidecar.decoders import body, generic_answer, habits, kserve_v1, stream, tables
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation, Undecoded

_PATH = re.compile(
    r"/endpoints/[^/:]+(?:/deployedModels/[^/:]+)?"
    r":(predict|rawPredict|streamRawPredict|directPredict|serverStreamingPredict|explain)/?$"
)
_MODEL_HEADER = "x-vertex-ai-deployed-model-id"


class Vertex:
    """Reads `instances` and `predictions`; a raw prediction by habit."""

    name = "vertex"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST …/endpoints/{id}:predict and its kin."""
        found = _PATH.search(path) if method == "POST" else None
        if found is None:
            return None
        operation = Operation.EXPLAIN if found[1] == "explain" else Operation.PREDICT
        return Claim(self.name, operation, evidence=f"the path is /endpoints/…:{found[1]}")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from `instances`, or from wherever a raw body has rows."""
        headers = exchange.request_headers
        content_type = headers.get("content-type", "")
        table = tables.of_request(body.data_of(exchange.request), content_type)
        if table is not None:
            inference.rows, inference.features = table
            return
        if content_type and "json" not in content_type and "text" not in content_type:
            raise Undecodable(Undecoded.CONTENT_TYPE, "neither JSON nor a table")
        inference.rows, inference.features, habit = habits.find_rows(
            body.document_of(exchange.request, headers)
        )
        inference.evidence += "; " + habit

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from `predictions`; the model that was deployed, and its version."""
        headers = exchange.response_headers
        inference.model = ModelRef(headers.get(_MODEL_HEADER, ""))
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        document = body.document_of(exchange.response, headers)
        if type(document) is dict:
            name_model(inference, document)
        inference.error = body.error_of(document, "predictions", "explanations")
        if inference.error or inference.operation is not Operation.PREDICT:
            return
        if type(document) is dict and "predictions" in document:
            kserve_v1.fill_outputs(inference, document)
        else:
            generic_answer.fill(inference, document)


def name_model(inference: Inference, document: dict[str, Any]) -> None:
    """The model by the name people gave it, else by its id; its version by `modelVersionId`."""
    model = body.text_of(document.get("model")).rpartition("/")[2]
    name = body.text_of(document.get("modelDisplayName")) or model.partition("@")[0]
    name = name or body.text_of(document.get("deployedModelId")) or inference.model.name
    version = body.text_of(document.get("modelVersionId")) or inference.model.version
    inference.model = ModelRef(name, version)
