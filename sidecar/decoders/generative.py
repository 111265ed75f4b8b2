"""Generative endpoints: claimed, so that they are counted as inference; of their payload only the model
name and an error inside a successful answer are read. Texts are never looked at.

One member per protocol label, all of them this class with other paths.
"""

import re
from typing import Any

from sidecar.decoders import body, stream
from sidecar.decoders.decoder import Claim, Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Inference, ModelRef, Operation

Paths = tuple[tuple[re.Pattern[str], Operation], ...]


class Generative:
    """A generative protocol, told by its paths."""

    def __init__(self, name: str, paths: Paths) -> None:
        self.name = name
        self._paths = paths

    def claim(self, method: str, path: str, media: str) -> Claim | None:
        """POST on one of the paths. A group `model` in the pattern is the model's name."""
        if method != "POST":
            return None
        for pattern, operation in self._paths:
            found = pattern.search(path)
            if found is not None:
                name = (found.groupdict().get("model") or "").replace("%2F", "/")
                return Claim(self.name, operation, ModelRef(name), f"the path is one of {self.name}'s")
        return None

    def read_request(self, exchange: Exchange, inference: Inference) -> None:
        """The model's name, if the body is JSON and says one."""
        if not inference.model.name:
            inference.model = ModelRef(_model_in(_lenient(exchange, answer=False)))

    def read_answer(self, exchange: Exchange, inference: Inference) -> None:
        """An error object inside the answer or among the events; the model's name if still unknown."""
        if exchange.streamed:
            inference.error = stream.error_in(exchange.events)
            return
        document = _lenient(exchange, answer=True)
        inference.error = body.error_of(document, "choices", "content", "data", "results", "output")
        if not inference.model.name:
            inference.model = ModelRef(_model_in(document))


def adopt(inference: Inference, document: dict[str, Any]) -> bool:
    """Make `inference` generative if the body, found on a path of no protocol, is of such a kind."""
    for key, protocol, operation in _BODIES:
        if key in document:
            inference.protocol, inference.operation = protocol, operation
            inference.model = ModelRef(_model_in(document) or inference.model.name)
            inference.evidence += f"; its body has {key}"
            return True
    return False


_BODIES = (
    ("messages", "openai", Operation.CHAT),
    ("prompt", "openai", Operation.GENERATE),
    ("input", "openai", Operation.OTHER),
    ("inputs", "tgi", Operation.GENERATE),
)


def _lenient(exchange: Exchange, *, answer: bool) -> Any:
    """The document of a body or None: a text nobody reads is not undecodable."""
    side = exchange.response if answer else exchange.request
    headers = exchange.response_headers if answer else exchange.request_headers
    try:
        return body.document_of(side, headers)
    except Undecodable:
        return None


def _model_in(document: Any) -> str:
    return body.text_of(document.get("model")) if type(document) is dict else ""


def _path(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/){pattern}/?$")


_DEPLOYMENT = r"(?:deployments/(?P<model>[^/]+)/)?"
# Ollama before OpenAI: /api/embeddings would do for both.
ALL = (
    Generative("anthropic", ((_path("v1/messages"), Operation.CHAT),)),
    Generative(
        "ollama",
        (
            (_path("api/chat"), Operation.CHAT),
            (_path("api/generate"), Operation.GENERATE),
            (_path("api/embed(?:dings)?"), Operation.EMBED),
        ),
    ),
    Generative(
        "openai",
        (
            (_path(_DEPLOYMENT + "chat/completions"), Operation.CHAT),
            (_path(_DEPLOYMENT + "completions"), Operation.GENERATE),
            (_path(_DEPLOYMENT + "embeddings"), Operation.EMBED),
            (_path("(?:openai|v1)/responses"), Operation.GENERATE),
            (_path("pooling"), Operation.EMBED),
            (_path("v1/(?:moderations|images/generations|audio/[a-z]+)"), Operation.OTHER),
        ),
    ),
    Generative("rerank", ((_path("rerank"), Operation.RERANK), (_path("v1/score"), Operation.RERANK))),
    Generative(
        "tgi",
        (
            (_path("generate(?:_stream)?"), Operation.GENERATE),
            (_path("embed(?:_sparse|_all)?"), Operation.EMBED),
        ),
    ),
)
