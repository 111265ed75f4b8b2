"""The generative protocols, and how a body of theirs is recognised on a path that is not theirs."""

from typing import Any

from sidecar.decoders.anthropic import Anthropic
from sidecar.decoders.decoder import Decoder
from sidecar.decoders.generation import Generative, model_in
from sidecar.decoders.ollama import Ollama
from sidecar.decoders.openai import OpenAI
from sidecar.decoders.rerank import Rerank
from sidecar.decoders.tgi import Tgi
from sidecar.inference import Generation, Inference, ModelRef, Operation

# Ollama before OpenAI: /api/embeddings would do for both.
ALL: tuple[Generative, ...] = (Anthropic(), Ollama(), OpenAI(), Rerank(), Tgi())

_BODIES = (
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


_ELSEWHERE: dict[str, Decoder] = {"openai": _OpenAIElsewhere(), "tgi": _TgiElsewhere()}


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


def reader_of(inference: Inference, decoder: Decoder) -> Decoder:
    """Who reads the answer: the decoder that claimed the request, unless its body was adopted."""
    if inference.generation is None or isinstance(decoder, Generative):
        return decoder
    return _ELSEWHERE.get(inference.protocol, decoder)
