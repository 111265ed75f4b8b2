"""Bodies of an exchange as documents: what was captured, in which media type, wrapped in what.

Says why a body cannot be read; knows nothing of any inference protocol.
"""

import base64
from collections.abc import Mapping
from typing import Any

from sidecar.decoders import json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import BodyProblem, CapturedBody, Exchange
from sidecar.inference import Undecoded

_REASONS = {
    BodyProblem.GAP: Undecoded.BODY_GAP,
    BodyProblem.TOO_LARGE: Undecoded.BODY_TOO_LARGE,
    BodyProblem.BAD_ENCODING: Undecoded.BODY_ENCODING,
    BodyProblem.UNKNOWN_ENCODING: Undecoded.BODY_ENCODING,
    BodyProblem.EXPANDS_TOO_MUCH: Undecoded.BODY_ENCODING,
    BodyProblem.CUT: Undecoded.BODY_CUT,
}
_LINES = frozenset(
    f"application/{name}" for name in ("x-ndjson", "ndjson", "jsonlines", "x-jsonlines", "jsonl", "x-jsonl")
)
_EVENT = "application/cloudevents+json"
# An id longer than this is no id; it would only cost memory in whatever remembers it.
LONGEST_ID = 256
_ID_HEADERS = ("x-request-id", "ce-id", "ce-requestid", "x-amzn-sagemaker-inference-id",
               "x-bentoml-request-id")  # fmt: skip
_NAMES_OF_IDS = frozenset(_ID_HEADERS)


def media_of(content_type: str) -> str:
    """The media type in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def data_of(body: CapturedBody) -> bytes:
    """The bytes of a body that was captured whole. Raises Undecodable."""
    if body.problem is not None:
        raise Undecodable(_REASONS[body.problem], f"the body is not whole: {body.problem}")
    if not body.data or body.data.isspace():
        raise Undecodable(Undecoded.EMPTY_BODY, "the body is empty")
    return body.data


def document_of(body: CapturedBody, headers: Mapping[str, str]) -> Any:
    """The JSON document in a body: lines as a list, a structured CloudEvent as its data."""
    data, content_type = data_of(body), headers.get("content-type", "")
    if content_type == "application/json":
        return json_text.read(data)
    media = media_of(content_type)
    if media in _LINES:
        return json_text.read_lines(data)
    document = json_text.read(data, content_type)
    if media == _EVENT and isinstance(document, dict):
        return _data_of_event(document)
    return document


def _data_of_event(event: dict[str, Any]) -> Any:
    """What a structured CloudEvent carries: JSON in place, or as base64 (CloudEvents JSON format, 3.1)."""
    encoded = event.get("data_base64")
    if "data" in event or type(encoded) is not str:
        return event.get("data", event)
    try:
        return json_text.read(base64.b64decode(encoded))
    except ValueError as error:
        raise Undecodable(Undecoded.NOT_JSON, "data_base64 is not base64") from error


def event_id_of(exchange: Exchange) -> str:
    """The id of a structured CloudEvent in the request, "" if it is none."""
    if not exchange.request_headers.get("content-type", "").startswith(_EVENT):
        return ""
    return id_in(json_text.read(exchange.request.data))


def id_in(document: Any) -> str:
    """The `id` of a document, "" if it has none."""
    return text_of(document.get("id"))[:LONGEST_ID] if type(document) is dict else ""


def id_in_headers(exchange: Exchange) -> str:
    """The id of an exchange by the usual headers of the request, else of the answer, else ""."""
    for headers in (exchange.request_headers, exchange.response_headers):
        if _NAMES_OF_IDS.isdisjoint(headers):  # nearly always
            continue
        name = next(name for name in _ID_HEADERS if name in headers)
        return headers[name][:LONGEST_ID]
    return ""


def text_of(value: Any) -> str:
    """A name, version or id as text; "" for null and for anything that is none of these."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def error_of(document: Any, *expected: str) -> str:
    """The error object inside an answer that has none of the `expected` keys; "" if there is none.

    Only its kind is kept: messages of model servers quote their input.
    """
    if type(document) is not dict or any(key in document for key in expected):
        return ""
    error = document.get("error")
    if type(error) is str and error:
        return "error"
    if type(error) is dict and error:
        kind = text_of(error.get("type")) or text_of(error.get("code"))
        return kind[:64] if kind.isascii() and kind.isprintable() and kind else "error"
    return ""
