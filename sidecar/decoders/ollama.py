"""Ollama's own API: one JSON object, or by default a stream of them, one a line.

Source: github.com/ollama/ollama, docs/api.md. The trap: a request without `stream` is streamed, and an
empty prompt only loads the model.
"""

from typing import Any

from sidecar.decoders import body, vectors
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.generation import Generative, member, model_in, objects, path, rows_of
from sidecar.decoders.tally import Tally
from sidecar.inference import Inference, Operation, Undecoded

_HOUSEKEEPING = frozenset(("load", "unload"))


class Ollama(Generative):
    """Chat, generate, embed."""

    name = "ollama"
    paths = (
        (path("api/chat"), Operation.CHAT),
        (path("api/generate"), Operation.GENERATE),
        (path("api/embed(?:dings)?"), Operation.EMBED),
    )

    def on_request(self, document: dict[str, Any], inference: Inference) -> None:
        """How many texts are to be embedded."""
        if inference.operation is Operation.EMBED:
            inference.rows = rows_of(document.get("input", document.get("prompt")))

    def on_answer(self, document: Any, inference: Inference, told: Tally) -> None:
        """The only object, or vectors."""
        if type(document) is not dict:
            raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
        self.on_event(document, "", told)
        if inference.operation is Operation.EMBED:
            vectors.fill_outputs(inference, vectors.of_answer(document))

    def on_event(self, document: dict[str, Any], name: str, told: Tally) -> None:
        """One line: some more of the answer, or with `done` its end and what it took."""
        told.fail(body.error_of(document))
        told.model = told.model or model_in(document)
        message = document.get("message")
        calls = objects(member(message, "tool_calls"))
        for _ in calls:
            # They come whole, and nothing numbers them.
            told.tool(0, len(told.tools))
        said = (document.get("response"), document.get("thinking"), member(message, "content"))
        if calls or any(said) or member(message, "thinking"):
            told.part()
        told.use(document.get("prompt_eval_count"), document.get("eval_count"))
        if document.get("done") is True:
            told.ended = True
            reason = document.get("done_reason")
            if reason in _HOUSEKEEPING:
                told.filled.add(0)
            told.end(0, "tool_calls" if told.tools and reason == "stop" else reason)
