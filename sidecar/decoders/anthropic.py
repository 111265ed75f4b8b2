"""Anthropic's Messages API, which vLLM and Ollama speak, too.

Source: docs.anthropic.com/en/api/messages and …/messages-streaming. The trap: a stream says the input's
tokens in its first event and the output's, cumulative, in its last but one; `input_tokens` does not include
what was read from the cache.
"""

from typing import Any

from sidecar.decoders import body
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.generation import Generative, member, model_in, objects, path
from sidecar.decoders.tally import Tally
from sidecar.inference import Inference, Operation, Undecoded

_CONTENT = ("text", "partial_json", "thinking")


class Anthropic(Generative):
    """Messages."""

    name = "anthropic"
    paths = ((path("v1/messages"), Operation.CHAT),)

    def on_answer(self, document: Any, inference: Inference, told: Tally) -> None:
        """A message, whole."""
        if type(document) is not dict:
            raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
        told.fail(body.error_of(document, "content"))
        for n, block in enumerate(objects(document.get("content"))):
            _open(n, block, told)
        _use(document.get("usage"), told)
        told.end(0, document.get("stop_reason"))

    def on_event(self, document: dict[str, Any], name: str, told: Tally) -> None:
        """Told by `type`; pings, and what we do not know, say nothing."""
        kind = document.get("type")
        if kind == "content_block_delta":
            delta = document.get("delta")
            if type(delta) is dict and any(delta.get(key) for key in _CONTENT):
                told.part()
        elif kind == "content_block_start":
            _open(document.get("index"), document.get("content_block"), told)
        elif kind == "message_start":
            message = document.get("message")
            told.model, told.id = model_in(message), body.id_in(message)
            told.choice(0)
            # Its count of the output is where that begins.
            usage = member(message, "usage")
            told.use(member(usage, "input_tokens"), None, member(usage, "cache_read_input_tokens"))
        elif kind == "message_delta":
            _use(document.get("usage"), told)
            told.end(0, member(document, "delta", "stop_reason"))
        elif kind == "message_stop":
            told.ended = True
        else:
            told.fail(body.error_of(document))


def _open(index: Any, block: Any, told: Tally) -> None:
    """A block of content: text that may still be empty, or a call of a tool, whose name is content."""
    if type(block) is not dict:
        return
    kind = block.get("type")
    if type(kind) is str and kind.endswith("tool_use"):
        told.tool(0, index if type(index) is int else 0)
        told.part()
    elif block.get("text") or block.get("thinking"):
        told.part()


def _use(usage: Any, told: Tally) -> None:
    if type(usage) is dict:
        cached = usage.get("cache_read_input_tokens")
        told.use(usage.get("input_tokens"), usage.get("output_tokens"), cached)
