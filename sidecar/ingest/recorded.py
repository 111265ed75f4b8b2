"""One recorded exchange: from a JSON object to an Exchange, or to what is wrong with it.

No I/O. The trap: `time` is what the recorder's clock said, in seconds since the epoch; the times of an
Exchange are on that clock then, not on the monotonic one.
"""

import math
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from sidecar.exchange import (
    GRPC_CODES,
    NOTHING_LEFT_OUT,
    CapturedBody,
    Exchange,
    Outcome,
    StreamEvent,
    Timings,
    grpc_code,
    outcome_of_grpc,
    outcome_of_status,
)
from sidecar.ingest.bodies import Limits, captured, events_in, kept
from sidecar.wire.grpc_messages import Messages
from sidecar.wire.http2_streams import is_grpc

_KEYS = frozenset((
    "time", "method", "target", "request_headers", "request", "status", "response_headers", "response",
    "duration", "first_byte", "events", "outcome", "grpc_status",
))  # fmt: skip
# Two hours of tokens; a line could hold a million events of nothing.
MAX_EVENTS = 100_000
_BODY = 'text or {"base64": "…"}'
_DAY = 86_400.0


class Wrong(ValueError):
    """What is wrong with an object, as the rest of a sentence."""


def exchange_of(said: dict[str, Any], time: float, number: int, limits: Limits) -> Exchange:
    """The exchange an object describes. Raises Wrong.

    `time` is for one that has none of its own; `number` stands for the connection.
    """
    said = _known(said)
    headers = _headers(said, "request_headers")
    answer_headers = _headers(said, "response_headers")
    timings = _timings(said, time)
    status = _status(said)
    grpc = is_grpc(headers.get("content-type", ""))
    grpc_status = _grpc_status(said) if grpc else ""
    request = _body(said, "request", headers, limits)
    response = _body(said, "response", answer_headers, limits)
    events, left_out = _events(said, timings), NOTHING_LEFT_OUT
    if events is None and not grpc:
        found = events_in(response, answer_headers.get("content-type", ""), timings.last, limits)
        events, left_out = found or (None, NOTHING_LEFT_OUT)
    return Exchange(
        connection=number,
        transport="http2" if grpc else "http1",
        method=_text(said, "method", "POST"),
        target=_target(said),
        timings=timings,
        outcome=_outcome(said, status, grpc_status),
        status=status,
        request_headers=headers,
        response_headers=answer_headers,
        request=request,
        response=response,
        streamed=_talks(request, response) if grpc else events is not None,
        events=events or [],
        grpc_status=grpc_status,
        left_out=left_out,
    )


def _known(said: dict[str, Any]) -> dict[str, Any]:
    """The keys that are set. A null is not."""
    for key in said:
        if key not in _KEYS:
            raise Wrong(f"{key[:60]!a} is no key of an exchange; there are {', '.join(sorted(_KEYS))}")
    return {key: value for key, value in said.items() if value is not None}


def _text(said: dict[str, Any], key: str, default: str) -> str:
    value = said.get(key, default)
    if not isinstance(value, str) or not value:
        raise Wrong(f"{key}: {kind_of(value)} is not allowed; give text such as {default}")
    return value


def _target(said: dict[str, Any]) -> str:
    if "target" not in said:
        raise Wrong("target: missing; give the path that was asked, such as /v2/models/churn/infer")
    return _text(said, "target", "/v2/models/churn/infer")


def _number(said: dict[str, Any], key: str, low: float, high: float) -> float | None:
    """A number of seconds, None when there is none."""
    value = said.get(key)
    if value is None:
        return None
    number = not isinstance(value, bool) and isinstance(value, int | float)
    if not number or not math.isfinite(value) or not low <= value <= high:
        shown = value if number else kind_of(value)
        raise Wrong(f"{key}: {shown} is not allowed; give seconds from {low:g} to {high:g}")
    return float(value)


def _timings(said: dict[str, Any], before: float) -> Timings:
    """`time` is when the request was there in full. What was not recorded is not known."""
    time = _number(said, "time", 0.0, 1e11)
    time = before if time is None else time
    duration = _number(said, "duration", 0.0, _DAY)
    first = _number(said, "first_byte", 0.0, _DAY)
    return Timings(
        time, time, None if first is None else time + first, None if duration is None else time + duration
    )


def _status(said: dict[str, Any]) -> int | None:
    status = said.get("status")
    if status is None or (type(status) is int and 100 <= status <= 999):
        return status
    raise Wrong(
        f"status: {status if type(status) is int else kind_of(status)} is not allowed; give 100 to 999"
    )


def _grpc_status(said: dict[str, Any]) -> str:
    """The name of the call's code: from its key, else from the answer's fields, where proxies show it."""
    value = said.get("grpc_status")
    if value is None:
        fields = said.get("response_headers") or {}
        value = next((v for k, v in fields.items() if k.lower() == "grpc-status"), "")
    if value == "" or value in GRPC_CODES:
        return str(value)
    if type(value) is int or (isinstance(value, str) and value.isdigit()):
        return grpc_code(str(value))
    raise Wrong(f"grpc_status: {kind_of(value)} is not allowed; give a code such as 0 or OK")


def _outcome(said: dict[str, Any], status: int | None, grpc_status: str) -> Outcome:
    """As recorded; else what the answer's code says; without an answer nobody can tell."""
    value = said.get("outcome")
    if value is not None:
        if value not in list(Outcome):
            raise Wrong(f"outcome: {kind_of(value)} is not allowed; give one of {', '.join(Outcome)}")
        return Outcome(value)
    if grpc_status:
        return outcome_of_grpc(grpc_status)
    return Outcome.UNOBSERVED if status is None else outcome_of_status(status)


def _headers(said: dict[str, Any], key: str) -> dict[str, str]:
    fields = said.get(key, {})
    if not isinstance(fields, dict):
        raise Wrong(f"{key}: {kind_of(fields)} is not allowed; give an object of names and texts")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise Wrong(f"{key}: {name[:60]!a}: {kind_of(value)} is not allowed; give text")
    return kept(fields.items())


def _body(said: dict[str, Any], key: str, headers: dict[str, str], limits: Limits) -> CapturedBody:
    value = said.get(key, "")
    data = _bytes(value, key)
    coding = "" if isinstance(value, str) else headers.get("content-encoding", "")
    return captured(data, coding, limits)


def _bytes(value: Any, key: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict) or set(value) != {"base64"} or not isinstance(value["base64"], str):
        raise Wrong(f"{key}: {kind_of(value)} is not allowed; give {_BODY}")
    try:
        return b64decode(value["base64"], validate=True)
    except (NotBase64, ValueError) as error:
        raise Wrong(f"{key}: base64: not base64; give bytes in the standard alphabet, padded") from error


def _events(said: dict[str, Any], timings: Timings) -> list[StreamEvent] | None:
    """The recorded events, None when there are none; an answer's times are theirs where it has none."""
    value = said.get("events")
    if value is None:
        return None
    if not isinstance(value, list):
        raise Wrong(f'events: {kind_of(value)} is not allowed; give a list of {{"offset", "data"}}')
    if len(value) > MAX_EVENTS:
        raise Wrong(f"events: {len(value)} are too many; give {MAX_EVENTS} at most")
    begun = timings.request_last or 0.0
    events = [_event(event, index, begun) for index, event in enumerate(value)]
    if events:
        if timings.response_first is None:
            timings.response_first = min(event.time for event in events)
        if timings.response_last is None:
            timings.response_last = max(event.time for event in events)
    return events


def _event(event: Any, index: int, begun: float) -> StreamEvent:
    where = f"events[{index}]"
    if not isinstance(event, dict) or "data" not in event or not set(event) <= {"offset", "data", "name"}:
        raise Wrong(f'{where}: {kind_of(event)} is not allowed; give {{"offset": seconds, "data": text}}')
    try:
        offset = _number(event, "offset", 0.0, _DAY) or 0.0
        name = _text(event, "name", "message") if event.get("name") else ""
    except Wrong as error:
        raise Wrong(f"{where}: {error}") from None
    return StreamEvent(begun + offset, _bytes(event["data"], f"{where}: data"), name)


def _talks(*bodies: CapturedBody) -> bool:
    """Whether a call has more than one message either way."""
    counts = []
    for body in bodies:
        messages = Messages()
        messages.feed(body.data)
        counts.append(messages.count)
    return max(counts) > 1


def kind_of(value: Any) -> str:
    """What was found, without quoting it: it may be somebody's payload."""
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "this text", list: "a list"}
    return "null" if value is None else kinds.get(type(value), "an object")
