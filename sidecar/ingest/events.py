"""CloudEvents as KServe's and Seldon's request loggers send them: from one HTTP message to what it logged.

No I/O. Not a validator of CloudEvents: what is needed to join request and answer must be there, the rest may
be missing. The trap: the two loggers mean different things by an id. KServe gives request and answer the
same `id`; Seldon gives each its own, and the same `requestid`.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

# Longer ids and names are nobody's, and every pending half keeps its own.
_LONGEST_ATTRIBUTE = 256
# A logger sends one event a request; batches are made by brokers, and theirs are tens.
MAX_BATCH = 1_000
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_SOURCES = (("org.kubeflow.", "kserve"), ("org.kserve.", "kserve"), ("io.seldon.", "seldon"))
_ROLE = re.compile(r"inference\.(request|response)$|(feedback)$")
_ANY_JSON = re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json\b")


class Role(StrEnum):
    """Which part of an exchange an event holds."""

    REQUEST = "request"
    RESPONSE = "response"
    FEEDBACK = "feedback"
    OTHER = "other"


class Malformed(ValueError):
    """An HTTP message that is no event."""


@dataclass(slots=True)
class Event:
    """One event. `id` joins; `service` is the InferenceService or deployment, `model` the node in it."""

    source: str
    role: Role
    id: str
    namespace: str
    service: str
    endpoint: str
    component: str
    model: str
    protocol: str
    content_type: str
    coding: str
    data: bytes

    @property
    def key(self) -> tuple[str, ...]:
        """What request and answer have in common: a graph's nodes all log under one id."""
        return self.source, self.namespace, self.service, self.endpoint, self.component, self.model, self.id


def read(headers: Mapping[str, str], body: bytes) -> list[Event | None]:
    """The events in an HTTP message; None for each of a batch that is none. Raises Malformed.

    `headers` have lower-case names. Binary mode: attributes are `ce-*` fields, the body is the data.
    Structured mode: one JSON object, or a list of them.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == _STRUCTURED:
        return [_structured(_document(body))]
    if media == _BATCH:
        return _batch(_document(body))
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    content_type = headers.get("content-type", "")
    return [_event(attributes, content_type, headers.get("content-encoding", ""), body)]


def _batch(documents: Any) -> list[Event | None]:
    if not isinstance(documents, list) or len(documents) > MAX_BATCH:
        raise Malformed(f"a batch is a list of {MAX_BATCH} events at most")
    events: list[Event | None] = []
    for document in documents:
        try:
            events.append(_structured(document))
        except Malformed:
            events.append(None)
    return events


def _structured(document: Any) -> Event:
    if not isinstance(document, dict):
        raise Malformed("an event is a JSON object")
    content_type = document.get("datacontenttype")
    content_type = content_type if isinstance(content_type, str) else "application/json"
    return _event(document, content_type, "", _data(document, content_type))


def _data(document: dict[str, Any], content_type: str) -> bytes:
    if isinstance(document.get("data_base64"), str):
        try:
            return b64decode(document["data_base64"], validate=True)
        except ValueError as error:
            raise Malformed("data_base64 is not base64") from error
    data = document.get("data")
    if data is None:
        return b""
    if isinstance(data, str) and (not _ANY_JSON.match(content_type) or data.lstrip()[:1] in ("{", "[")):
        # Text; or JSON that its producer has put into text, as many do.
        return data.encode("utf-8", "replace")
    try:
        return json.dumps(data, separators=(",", ":")).encode()
    except RecursionError as error:
        raise Malformed("the data is nested too deep") from error


def _event(attributes: Mapping[str, Any], content_type: str, coding: str, data: bytes) -> Event:
    kind, id = _text(attributes, "type"), _text(attributes, "id")
    if not kind or not id:
        raise Malformed("an event has a type and an id")
    role = _ROLE.search(kind)
    source = next((name for prefix, name in _SOURCES if kind.startswith(prefix)), "other")
    return Event(
        source=source,
        role=Role.OTHER if role is None else Role(role[1] or role[2]),
        id=_text(attributes, "requestid") or id,
        namespace=_text(attributes, "namespace"),
        service=_text(attributes, "inferenceservicename"),
        endpoint=_text(attributes, "endpoint"),
        component=_text(attributes, "component"),
        model=_text(attributes, "modelid"),
        protocol=_text(attributes, "protocol"),
        content_type=content_type[:_LONGEST_ATTRIBUTE],
        coding=coding[:_LONGEST_ATTRIBUTE],
        data=data,
    )


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value[:_LONGEST_ATTRIBUTE] if isinstance(value, str) else ""


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)  # which reads the NaN that model servers really send
    except (ValueError, RecursionError) as error:
        raise Malformed("the body is not JSON") from error
