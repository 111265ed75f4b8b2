"""Requests that are fields rather than a document: a query, a form, a form with files.

What is found is a document all the same, an object of the fields; Seldon's `json=` is the document inside.
"""

from typing import Any
from urllib.parse import parse_qsl

from sidecar.decoders import body, columns, multipart
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import Exchange
from sidecar.inference import Undecoded

# A query is a form without a body: whoever claims a GET claims it as this.
URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


def is_form(media: str) -> bool:
    """Whether a media type is that of a form."""
    return media in (URLENCODED, _MULTIPART)


def document_of(exchange: Exchange) -> Any:
    """The document that a query or a form is, None if the request has neither. Raises Undecodable."""
    if exchange.method == "GET":
        return _inner(_urlencoded(exchange.target.partition("?")[2]))
    content_type = exchange.request_headers.get("content-type", "")
    media = body.media_of(content_type)
    if not is_form(media):
        return None
    data = body.data_of(exchange.request)
    if media == _MULTIPART:
        return _inner(multipart.read(data, content_type))
    # curl -d calls everything a form.
    if data.lstrip()[:1] in (b"{", b"[") or b"=" not in data:
        return None
    return _inner(_urlencoded(str(data, "utf-8", "replace")))


def _urlencoded(text: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=columns.MAX_COLUMNS)
    except ValueError as error:
        raise Undecodable(Undecoded.TOO_WIDE, "more fields than anybody looks at") from error
    fields: dict[str, list[Any]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(multipart.of_text(value))
    if not fields:
        raise Undecodable(Undecoded.NO_ROWS, "there are no fields")
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _inner(fields: dict[str, Any]) -> Any:
    return fields["json"] if type(fields.get("json")) is dict else fields
