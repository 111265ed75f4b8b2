"""The generative protocols, and how a body of theirs is recognised on a path that is not theirs."""

from typing import Any, TypeGuard

from sidecar.decoders.anthropic import Anthropic
from sidecar.decoders.decoder import Decoder
from sidecar.decoders.generation import Generative, model_in
from sidecar.decoders.ollama import Ollama
from sidecar.decoders.openai import OpenAI
from sidecar.decoders.rerank import Rerank
from sidecar.decoders.tgi import Tgi
from sidecar.exchange import Exchange
from sidecar.inference import Generation, Inference, ModelRef, Operation

# Ollama before OpenAI: /api/embeddings would do for both.
ALL: tuple[Generative, ...] = (Anthropic(), Ollama(), OpenAI(), Rerank(), Tgi())

_BODIES = (
    ("text_1", "rerank", Operation.RERANK),
    ("messages", "openai", Operation.CHAT),
    ("prompt", "openai", Operation.GENERATE),
    ("input", "openai", Operation.OTHER),
    ("inputs", "tgi", Operation.GENERATE),
)


class _OpenAIElsewhere(OpenAI):
    """Servers that take these bodies on a path of their own end their streams as they please."""

    judged = False


class _TgiElsewhere(Tgi):
    judged = False


_ELSEWHERE: dict[str, Decoder] = {
    "openai": _OpenAIElsewhere(),
    "rerank": Rerank(),
    "tgi": _TgiElsewhere(),
}


def adopt(inference: Inference, document: dict[str, Any]) -> bool:
    """Make `inference` generative if the body, found on a path of no protocol, is of such a kind."""
    for key, protocol, operation in _BODIES:
        if key in document:
            inference.protocol, inference.operation = protocol, operation
            inference.model = ModelRef(model_in(document) or inference.model.name)
            inference.evidence += f"; its body has {key}"
            if operation is not Operation.OTHER:
                inference.generation = Generation()
            return True
    return False


def is_ours(document: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a body can only be of such a kind, on whatever path: a conversation, or pairs to be scored."""
    if type(document) is not dict:
        return False
    if "text_1" in document and "text_2" in document:
        return True
    # A conversation is messages that all have a role.
    messages = document.get("messages")
    if type(messages) is not list or not messages:
        return False
    return all(type(message) is dict and type(message.get("role")) is str for message in messages)


def is_generated(document: Any) -> bool:
    """Whether an answer is a text that was generated: what TGI answers on the path `/`."""
    first = document[0] if type(document) is list and document else document
    return type(first) is dict and type(first.get("generated_text")) is str


def adopt_answer(exchange: Exchange, inference: Inference) -> None:
    """Make `inference` generative by its answer: what looked like a feature was a prompt."""
    inference.protocol, inference.operation = Tgi.name, Operation.GENERATE
    inference.rows, inference.features, inference.generation = 0, [], Generation()
    inference.evidence += "; its answer is a generated text"
    _ELSEWHERE[Tgi.name].read_answer(exchange, inference)


def reader_of(inference: Inference, decoder: Decoder) -> Decoder:
    """Who reads the answer: the decoder that claimed the request, unless its body was adopted."""
    if inference.generation is None or isinstance(decoder, Generative):
        return decoder
    return _ELSEWHERE.get(inference.protocol, decoder)
