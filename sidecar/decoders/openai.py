"""OpenAI's API, as OpenAI, Azure, vLLM, KServe, TGI, Ollama and llama.cpp speak it.

Source: platform.openai.com/docs/api-reference; captures of vLLM. Chat, completions and embeddings here, the
Responses API in `responses`. The traps: usage comes in a stream only if the client asked for it, once at the
end or (vLLM) on every chunk, always cumulative; the first chunk holds a role and no content, or nothing
at all (Azure). Servers that only resemble OpenAI's may never send `[DONE]`.
"""

from typing import Any

from sidecar.decoders import body, responses, vectors
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.generation import Generative, member, model_in, objects, path, rows_of
from sidecar.decoders.tally import Tally
from sidecar.inference import Inference, Operation, Undecoded

_DEPLOYMENT = r"(?:deployments/(?P<model>[^/]+)/)?"
# What a delta or a message may hold that the model has generated. `reasoning` is newer vLLM's name.
_THOUGHTS = ("reasoning_content", "reasoning")
_CONTENT = ("content", "refusal", "audio")


class OpenAI(Generative):
    """Chat, completions, responses, embeddings, pooling; the rest is claimed and not read."""

    name = "openai"
    reasons_do = True
    paths = (
        (path(_DEPLOYMENT + "chat/completions"), Operation.CHAT),
        (path(_DEPLOYMENT + "completions"), Operation.GENERATE),
        (path(_DEPLOYMENT + "embeddings"), Operation.EMBED),
        (path("(?:openai|v1)/responses"), Operation.GENERATE),
        (path("pooling"), Operation.EMBED),
        (path("v1/(?:moderations|images/generations|audio/[a-z]+)"), Operation.OTHER),
    )

    def on_request(self, document: dict[str, Any], inference: Inference) -> None:
        """How many texts are to be embedded."""
        if inference.operation is Operation.EMBED:
            # vLLM embeds a conversation, too.
            asked = document.get("input")
            inference.rows = int("messages" in document) if asked is None else rows_of(asked)

    def on_answer(self, document: Any, inference: Inference, told: Tally) -> None:
        """Choices and usage, or vectors."""
        if type(document) is not dict:
            raise Undecodable(Undecoded.SHAPE, "the answer is not an object")
        told.fail(body.error_of(document, "choices", "data", "output"))
        _use(document.get("usage"), told)
        if inference.operation is Operation.EMBED:
            vectors.fill_outputs(inference, vectors.of_answer(document))
        elif responses.is_response(document):
            responses.read(document, told)
        for choice in objects(document.get("choices")):
            _take(choice, choice.get("message"), told)

    def on_event(self, document: dict[str, Any], name: str, told: Tally) -> None:
        """A chunk, or an event of the Responses API."""
        if responses.is_event(document):
            responses.read_event(document, told)
            return
        told.fail(body.error_of(document, "choices"))
        told.model = told.model or model_in(document)
        told.id = told.id or body.id_in(document)
        _use(document.get("usage"), told)
        for choice in objects(document.get("choices")):
            _take(choice, choice.get("delta"), told)


def _take(choice: dict[str, Any], said: Any, told: Tally) -> None:
    """A choice: `said` is its message or delta, and of completions `text` beside it."""
    index = choice.get("index")
    index = index if type(index) is int else 0
    content = bool(choice.get("text"))
    if type(said) is dict:
        if any(said.get(key) for key in _THOUGHTS):
            content = told.reasoned = True
        content = _call(index, said, told) or content or any(said.get(key) for key in _CONTENT)
    if content:
        told.part(index)
    told.end(index, choice.get("finish_reason"))


def _call(index: int, said: dict[str, Any], told: Tally) -> bool:
    """Tool calls, of which a delta may hold a fragment each; True if there are any."""
    calls = objects(said.get("tool_calls"))
    for n, call in enumerate(calls):
        number = call.get("index")
        told.tool(index, number if type(number) is int else n)
    if type(said.get("function_call")) is dict:  # before there were several
        told.tool(index, 0)
        return True
    return bool(calls)


def _use(usage: Any, told: Tally) -> None:
    if type(usage) is not dict:
        return
    cached = member(usage, "prompt_tokens_details", "cached_tokens")
    told.use(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
    hidden = member(usage, "completion_tokens_details", "reasoning_tokens")
    told.hidden = hidden if type(hidden) is int else 0
