"""OpenAI's Responses API: an object of items, or a stream of typed events.

Source: platform.openai.com/docs/api-reference/responses and …/responses-streaming. Usage is in the response
that the last event holds, and no [DONE] follows it. The trap: vLLM calls the last event
`response.completed` also when the response in it is incomplete; the status inside is what counts.
"""

from typing import Any

from sidecar.decoders import body
from sidecar.decoders.generation import member, model_in, objects
from sidecar.decoders.tally import Tally

_LAST = frozenset(
    ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
)  # fmt: skip
_THOUGHTS = frozenset(("response.reasoning_text.delta", "response.reasoning_summary_text.delta"))


def is_response(document: dict[str, Any]) -> bool:
    """Whether an answer is a response object."""
    return document.get("object") == "response" or type(document.get("output")) is list


def is_event(document: dict[str, Any]) -> bool:
    """Whether an event is one of this API."""
    kind = document.get("type")
    return type(kind) is str and (kind.startswith("response.") or kind == "error")


def read_event(document: dict[str, Any], told: Tally) -> None:
    """One event of the stream."""
    kind = document["type"]
    if kind == "error":
        told.fail(body.error_of(document) or "error")
    elif kind.endswith(".delta"):
        if document.get("delta"):
            told.reasoned = told.reasoned or kind in _THOUGHTS
            told.part()
    elif kind == "response.output_item.added":
        _call(document.get("item"), told)
    elif type(document.get("response")) is dict:
        response = document["response"]
        told.model = told.model or model_in(response)
        told.id = told.id or body.id_in(response)
        if kind in _LAST:
            told.ended = True
            read(response, told)


def read(response: dict[str, Any], told: Tally) -> None:
    """A response object, whole."""
    usage = response.get("usage")
    cached = member(usage, "input_tokens_details", "cached_tokens")
    told.use(member(usage, "input_tokens"), member(usage, "output_tokens"), cached)
    hidden = member(usage, "output_tokens_details", "reasoning_tokens")
    told.hidden = hidden if type(hidden) is int else 0
    items = objects(response.get("output"))
    for item in items:
        _call(item, told)
        if item.get("type") == "message" and item.get("content"):
            told.filled.add(0)
    told.end(0, _reason(response, bool(told.tools)))
    if response.get("status") == "failed":
        told.fail(body.error_of(response) or "error")


def _reason(response: dict[str, Any], tools: bool) -> Any:
    status = response.get("status")
    if status == "incomplete":
        reason = member(response, "incomplete_details", "reason")
        return reason if type(reason) is str and reason else "length"
    if status == "completed" and tools:
        return "tool_calls"
    return status


def _call(item: Any, told: Tally) -> None:
    kind = member(item, "type")
    if type(kind) is str and kind.endswith("_call"):
        told.tool(0, body.id_in(item) or body.text_of(member(item, "call_id")))
