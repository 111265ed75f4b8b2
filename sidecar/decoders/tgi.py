"""Text Generation Inference's own API, and that of its sister for embeddings.

Source: github.com/huggingface/text-generation-inference, docs/openapi.json; text-embeddings-inference.
Tokens are said only if the client asked for `details`. The trap: the compatible route answers a list, and no
mark ends a stream but the event that has the whole text.
"""

from typing import Any

from sidecar.decoders import body, vectors
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.generation import Generative, member, path, rows_of
from sidecar.decoders.tally import Tally
from sidecar.inference import Inference, Operation, Undecoded


class Tgi(Generative):
    """Generate and embed."""

    name = "tgi"
    paths = (
        (path("generate(?:_stream)?"), Operation.GENERATE),
        (path("embed(?:_sparse|_all)?"), Operation.EMBED),
    )

    def on_request(self, document: dict[str, Any], inference: Inference) -> None:
        """How many texts are to be embedded. `texts` is Cohere's name, on the same path."""
        if inference.operation is Operation.EMBED:
            inference.rows = rows_of(document.get("inputs", document.get("texts")))

    def on_answer(self, document: Any, inference: Inference, told: Tally) -> None:
        """`{"generated_text", "details"?}`, alone or in a list; or vectors."""
        told.fail(body.error_of(document))
        if inference.operation is Operation.EMBED:
            vectors.fill_outputs(inference, vectors.of_answer(document))
            return
        answers = document if type(document) is list else [document]
        if not answers or type(answers[0]) is not dict:
            raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
        for n, answer in enumerate(answers):
            if type(answer) is dict and not told.error_kind:
                told.choice(n)
                _end(n, answer, told)

    def on_event(self, document: dict[str, Any], name: str, told: Tally) -> None:
        """One token; the last event has the text and how it ended."""
        told.fail(body.error_of(document))
        token = document.get("token")
        if member(token, "text") and member(token, "special") is not True:
            told.part()
        if type(document.get("generated_text")) is str:
            told.ended = True
            _end(0, document, told)


def _end(index: int, answer: dict[str, Any], told: Tally) -> None:
    if answer.get("generated_text"):
        told.filled.add(index)
    details = answer.get("details")
    if type(details) is dict:
        prefill = details.get("prefill")
        asked = details.get("input_length", len(prefill) if type(prefill) is list and prefill else None)
        told.use(asked, details.get("generated_tokens"))
        told.end(index, details.get("finish_reason"))
