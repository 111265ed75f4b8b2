"""What the decoders of generative protocols have in common: claimed by path, read in two steps.

Texts are counted, never kept. The trap: a request of which nothing can be read (a picture past the capture
limit) is still answered with everything we measure, so only an answer can be undecodable.
"""

import re
from typing import Any

from sidecar.decoders import body, stream, tally
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.decoders.tally import Tally
from sidecar.exchange import Exchange
from sidecar.inference import Generation, Inference, ModelRef, Operation

# Only these are streamed by anybody.
_WRITES = (Operation.CHAT, Operation.GENERATE)

Paths = tuple[tuple[re.Pattern[str], Operation], ...]


def path(pattern: str) -> re.Pattern[str]:
    """The end of a path: gateways put prefixes of their own in front."""
    return re.compile(rf"(?:^|/){pattern}/?$")


class Generative:
    """A generative protocol, told by its paths. A subclass says how its documents are read."""

    name = ""
    paths: Paths = ()
    judged = True
    """Whether the protocol promises a mark at the end of its streams."""
    reasons_do = False
    """Whether some servers never send that mark, and what choices say of their ends must do."""

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST on one of the paths. A group `model` in the pattern is the model's name."""
        if method != "POST":
            return None
        for pattern, operation in self.paths:
            found = pattern.search(path)
            if found is not None:
                name = (found.groupdict().get("model") or "").replace("%2F", "/")
                return Claim(self.name, operation, ModelRef(name), f"the path is one of {self.name}'s")
        return None

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """The model's name, and how many rows there are to embed or to rank."""
        if inference.operation is not Operation.OTHER:
            inference.generation = Generation()
        document = _lenient(exchange)
        if type(document) is dict:
            if not inference.model.name:
                inference.model = ModelRef(model_in(document))
            self.on_request(document, inference)

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """Usage, ends and times; vectors and scores as outputs. Raises Undecodable."""
        if inference.generation is None:
            _read_other(exchange, inference)
            return
        if exchange.streamed:
            judged = self.judged and inference.operation in _WRITES
            told = tally.read_stream(
                exchange, inference, self.on_event, judged=judged, reasons_do=self.reasons_do
            )
        else:
            told = Tally()
            document = body.document_of(exchange.response, exchange.response_headers)
            if type(document) is dict:
                told.model, told.id = model_in(document), body.id_in(document)
            self.on_answer(document, inference, told)
            tally.complete(exchange, inference, told)
        if not inference.model.name:
            inference.model = ModelRef(told.model)

    def on_request(self, document: dict[str, Any], inference: Inference) -> None:
        """What a request says besides the model."""

    def on_answer(self, document: Any, inference: Inference, told: Tally) -> None:
        """An answer that came in one piece. Raises Undecodable."""
        raise NotImplementedError

    def on_event(self, document: dict[str, Any], name: str, told: Tally) -> None:
        """One event of a stream; `name` is "" where it has none."""
        told.fail(body.error_of(document))


def rows_of(value: Any) -> int:
    """How many inputs a member holds: a text or a list of tokens is one, a list of these is many."""
    if type(value) is not list:
        return 0 if value is None else 1
    return 1 if value and set(map(type, value)) == {int} else len(value)


def model_in(document: Any) -> str:
    """The model that a body names, "" if it names none."""
    return body.text_of(document.get("model")) if type(document) is dict else ""


def member(document: Any, *keys: str) -> Any:
    """What is found going down `keys`; None where there is no object to go down into."""
    for key in keys:
        document = document.get(key) if type(document) is dict else None
    return document


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none if it is no list."""
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _lenient(exchange: Exchange) -> Any:
    try:
        return body.document_of(exchange.request, exchange.request_headers)
    except Undecodable:
        return None


def _read_other(exchange: Exchange, inference: Inference) -> None:
    """Of what is neither generated, embedded nor ranked, the model and an error inside."""
    if exchange.streamed:
        inference.error = stream.error_in(exchange.events)
        return
    try:
        document = body.document_of(exchange.response, exchange.response_headers)
    except Undecodable:
        return
    inference.error = body.error_of(document, "choices", "content", "data", "results", "output")
    if not inference.model.name:
        inference.model = ModelRef(model_in(document))
