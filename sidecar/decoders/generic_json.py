"""Any JSON, table or form that is POSTed: FastAPI, Flask, BentoML, Ray Serve, Vertex AI's containers.

There is no protocol here, only habits: where rows usually are, what predictions are usually called. So
it comes after every decoder that knows, and says in `evidence` which habit it followed. What shares its
paths is told by the body and handed over: Seldon's protocol, conversations, generated texts.
"""

import re

from sidecar.decoders import body, forms, generative, generic_answer, habits, paths, seldon, stream, tables
from sidecar.decoders.decoder import Claim
from sidecar.exchange import Exchange
from sidecar.inference import Column, Inference, ModelRef, Operation

_BENTOML = "x-bentoml-request-id"
_RAY_MODEL = "serve_multiplexed_model_id"
_HINTS = frozenset({"", "text/plain"}) | tables.MEDIA
# A GET is inference only where its path ends in what one does with a model, and its query has something to
# do it with. `/predictions`, `/score` and `/scores` may as well list those of yesterday.
_ASKED_BY_QUERY = re.compile(r"(?:^|/)(?:predict|infer|classify)/?$", re.IGNORECASE)

find_rows = habits.find_rows


class GenericJson:
    """Finds rows and predictions in a body of no known protocol."""

    name = "json"

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST or PUT of JSON, a table, a form or an unstated type, unless the path is for something else.

        Of forms only those on a path that names an inference verb; a GET with a query only on a few.
        """
        if method == "GET":
            if media != forms.URLENCODED or not _ASKED_BY_QUERY.search(path):
                return None
            return Claim(self.name, Operation.PREDICT, evidence="a query on a path that asks a model")
        if method not in ("POST", "PUT") or not _is_read(path, media):
            return None
        if paths.kind_of(method, path) != "other":
            return None
        return Claim(self.name, Operation.PREDICT, evidence="a JSON body on a path of no known protocol")

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from wherever the rows are."""
        headers = exchange.request_headers
        if _RAY_MODEL in headers and not inference.model.name:
            inference.model = ModelRef(headers[_RAY_MODEL])
        document = None
        if headers.get("content-type") != "application/json" or exchange.method == "GET":
            document = forms.document_of(exchange)
            if document is None:
                data = body.data_of(exchange.request)
                table = tables.of_request(data, headers.get("content-type", ""))
                if table is not None:
                    inference.rows, inference.features = table
                    return
        if document is None:
            document = body.document_of(exchange.request, headers)
        fill_features(inference, document)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Columns from whatever the answer calls its predictions."""
        if exchange.streamed:
            stream.read_events(exchange, inference)
            return
        headers = exchange.response_headers
        content_type = headers.get("content-type", "")
        if content_type != "application/json":
            data = body.data_of(exchange.response)
            table = tables.of_answer(data, content_type)
            if table is not None:
                inference.outputs = table[1]
                return
            # BentoML sends a str as it is; of others a word may be no more than "OK".
            label = generic_answer.label_of(data) if _BENTOML in headers else None
            if label is not None:
                inference.outputs = [Column("prediction", [label])]
                return
        document = body.document_of(exchange.response, headers)
        if inference.protocol == seldon.Seldon.name:
            seldon.fill_outputs(inference, document)
        elif generative.is_generated(document):
            generative.adopt_answer(exchange, inference)
        else:
            generic_answer.fill(inference, document)


def fill_features(inference: Inference, document: object) -> None:
    """Read a request in JSON, or a form as one."""
    if seldon.is_message(document):
        seldon.adopt(inference, document)
        return
    if generative.is_ours(document) and generative.adopt(inference, document):
        return
    inference.rows, inference.features, habit = habits.find_rows(document)
    inference.evidence += "; " + habit
    inference.request_id = body.id_in(document) or inference.request_id


def _is_read(path: str, media: str) -> bool:
    if media in _HINTS or "json" in media:
        return True
    # What curl -d calls everything, and what browsers upload; without a verb in the path likelier a form.
    return forms.is_form(media) and paths.smells_of_inference(path)
