"""Streamed answers: which model, whether an error came inside, and the outputs where a protocol has some in
every part. The parts are no predictions per row: there is any number of them.
"""

from collections.abc import Callable
from typing import Any

from sidecar.decoders import body, json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.stack import Table, stacked
from sidecar.exchange import Exchange, StreamEvent
from sidecar.inference import Column, Inference, ModelRef, Operation, Undecoded

# Error events of this size are no error events; reading them would only cost time.
_LARGEST_ERROR_BYTES = 64 * 1024


def read_events(exchange: Exchange, inference: Inference) -> None:
    """Fill in model and error. Raises Undecodable(stream) where a prediction was expected instead."""
    read_names(exchange, inference)
    if inference.operation is Operation.PREDICT and not inference.error:
        raise Undecodable(Undecoded.STREAM, "the answer is a stream: its parts are not read as predictions")


def read_names(exchange: Exchange, inference: Inference) -> None:
    """Fill in model and error."""
    _name_model(exchange, inference)
    inference.error = error_in(exchange.events)


def outputs_of(exchange: Exchange, read: Callable[[dict[str, Any]], Table]) -> list[Column]:
    """The outputs of all events that were kept, rows below one another; `read` reads one of them.

    Events that hold no outputs are left out: the end of a stream, say. Raises Undecodable(stream) if none
    does, and what stacking them raises.
    """
    tables = []
    for event in exchange.events:
        try:
            document = json_text.read(event.data)
            if type(document) is dict and document.get("outputs"):
                tables.append(read(document))
        except Undecodable:
            continue
    if not tables:
        raise Undecodable(Undecoded.STREAM, "no part of the stream holds outputs that can be read")
    return stacked(tables)[1]


def error_in(events: list[StreamEvent]) -> str:
    """The kind of the first error object among the events, "" if there is none."""
    for event in events:
        named = event.name == "error"
        if (named or b'"error' in event.data) and len(event.data) <= _LARGEST_ERROR_BYTES:
            found = body.error_of(_document(event.data), "choices", "outputs")
            if found or named:
                return found or "error"
    return ""


def _name_model(exchange: Exchange, inference: Inference) -> None:
    if (inference.model.name and inference.model.version) or not exchange.events:
        return
    first = _document(exchange.events[0].data)
    if type(first) is dict:
        name = inference.model.name or body.text_of(first.get("model_name"))
        version = inference.model.version or body.text_of(first.get("model_version"))
        inference.model = ModelRef(name, version)


def _document(data: bytes) -> object:
    try:
        return json_text.read(data)
    except Undecodable:
        return None
