"""Logged halves to exchanges: what path, what types, which model, as far as events say.

Loggers leave out the path, the status and the times, so decoders are given the path that the body's shape
belongs to. The trap is what must not be made up: an answer is logged only when it was a success, so one that
is there means 200; one that is not there means nothing, and no event says how long anything took.
"""

import json
import re
from urllib.parse import quote

from sidecar.exchange import NOTHING_LEFT_OUT, BodyProblem, CapturedBody, Exchange, Outcome, Timings
from sidecar.ingest.bodies import Limits, captured, events_in
from sidecar.ingest.events import Event

TRANSPORT = "cloudevents"
# The first of these members tells the shape of a body; it is near the beginning of every body there is.
_SHAPE = re.compile(rb'"(instances|inputs|examples|outputs|predictions|messages|prompt)"\s*:')
_SHAPE_BYTES = 64 * 1024
_BY_SHAPE = {
    b"messages": "/openai/v1/chat/completions",
    b"prompt": "/openai/v1/completions",
}
_BY_PROTOCOL = {"seldon": "", "tensorflow": "v1", "v2": "v2", "kfserving": "v2", "oip": "v2"}
# What a path looks like to the decoder that goes by shape alone.
_SOME_PATH = "/predict"
_SELDON_PATH = "/api/v1.0/predictions"
_EVENTS = "text/event-stream"
_GZIP = b"\x1f\x8b"
_LENGTH = "inference-header-content-length"


def exchange_of(
    request: Event | None,
    response: Event | None,
    route: str,
    now: float,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Exchange:
    """The exchange of one or two halves, at least one. `now` is monotonic and the only time there is."""
    one = request or response
    assert one is not None
    asked, answered = _body(request, limits), _body(response, limits)
    outcome = Outcome.UNOBSERVED if response is None else Outcome.OK
    stream = _EVENTS if answered.data.startswith((b"data:", b"event:")) else ""
    found = events_in(answered, stream, now, limits)
    events, left_out = found or ([], NOTHING_LEFT_OUT)
    return Exchange(
        connection=0,
        transport=TRANSPORT,
        method="POST",
        target=_target(one, asked.data if request else answered.data),
        timings=Timings(now, None if request is None else now),
        outcome=outcome,
        status=None if response is None else 200,
        route=route,
        request_headers={"ce-id": one.id} | _typed(one.content_type, asked.data),
        response_headers=_attributes(one) | _typed(stream, answered.data),
        request=asked,
        response=answered,
        streamed=found is not None,
        events=events,
        left_out=left_out,
    )


def _body(event: Event | None, limits: Limits) -> CapturedBody:
    """The data of an event, free of its coding: agents forward gzip without saying so."""
    if event is None:
        return CapturedBody(problem=BodyProblem.GAP)
    coding = event.coding or ("gzip" if event.data[:2] == _GZIP else "")
    return captured(event.data, coding, limits)


def _target(event: Event, data: bytes) -> str:
    model = quote(event.model or event.service, safe="")
    protocol = _BY_PROTOCOL.get(event.protocol.lower())
    if protocol == "":
        return _SELDON_PATH
    if protocol is None:
        shape = _SHAPE.search(data, 0, _SHAPE_BYTES)
        member = b"" if shape is None else shape[1]
        if member in _BY_SHAPE:
            return _BY_SHAPE[member]
        if member in (b"inputs", b"outputs") and b'"datatype"' in data:
            protocol = "v2"
        elif member:
            protocol = "v1"
    if not model or protocol is None:
        return _SOME_PATH
    return f"/v2/models/{model}/infer" if protocol == "v2" else f"/v1/models/{model}:predict"


def _typed(content_type: str, data: bytes) -> dict[str, str]:
    """The type of a body, and where its JSON ends if raw tensors follow: loggers leave that field out.

    What begins like JSON is JSON: KServe gives both events the type of the request.
    """
    fields = {}
    if data.lstrip()[:1] in (b"{", b"["):
        fields["content-type"] = "application/json"
        end = json_end(data)
        if end is not None:
            fields[_LENGTH] = str(end)
    elif content_type:
        fields["content-type"] = content_type
    return fields


def json_end(data: bytes) -> int | None:
    """Where the JSON before raw tensors ends, in bytes; None if none follow it."""
    if b'"binary_data_size"' not in data:
        return None
    try:
        # Latin-1 keeps one character to a byte, so that positions are those of the bytes.
        end = json.JSONDecoder().raw_decode(data.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return None
    return end if end < len(data) else None


def _attributes(event: Event) -> dict[str, str]:
    """What names the model, where the decoders look for it."""
    attributes = {
        "ce-modelid": event.model,
        "ce-inferenceservicename": event.service,
        "ce-endpoint": event.endpoint,
    }
    return {name: value for name, value in attributes.items() if value}
