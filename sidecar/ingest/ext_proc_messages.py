"""The messages of Envoy's external processing, as far as they are read: eight of them, by field number.

Source: envoyproxy/envoy, api/envoy/service/ext_proc/v3/external_processor.proto. The trap: values of header
fields are in `raw_value` since Envoy 1.27, and `value` is empty; which one it is depends on Envoy's settings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sidecar.decoders.protobuf import Message, Reader
from sidecar.wire.head import keep
from sidecar.wire.http2_headers import Fields

_OBSERVABILITY_MODE = 10
# Header fields of one message. Envoy itself refuses more than 100 by default.
_MAX_FIELDS = 1_000


class Part(IntEnum):
    """What a ProcessingRequest brings: the number of its field."""

    REQUEST_HEADERS = 2
    RESPONSE_HEADERS = 3
    REQUEST_BODY = 4
    RESPONSE_BODY = 5
    REQUEST_TRAILERS = 6
    RESPONSE_TRAILERS = 7


_PARTS = tuple(Part)
_BODIES = (Part.REQUEST_BODY, Part.RESPONSE_BODY)
_TRAILERS = (Part.REQUEST_TRAILERS, Part.RESPONSE_TRAILERS)
_NO_FIELDS = Fields("", "", None, {}, "", "")


@dataclass(slots=True)
class Said:
    """One message. `waits` means that Envoy holds the exchange up until it is answered."""

    part: Part
    waits: bool
    ends: bool
    fields: Fields = _NO_FIELDS
    data: bytes = b""


def read(message: bytes) -> Said | None:
    """What a serialized ProcessingRequest says; None if nothing that is known, or if it is malformed."""
    reader = Reader(_MAX_FIELDS * 4)
    request = reader.read(message)
    part = next((part for part in _PARTS if request.has(part)), None)
    if part is None:
        return None
    said = _part(part, request.message(part), waits=not request.integer(_OBSERVABILITY_MODE))
    return None if reader.problem is not None else said


def _part(part: Part, inner: Message, *, waits: bool) -> Said:
    if part in _BODIES:
        return Said(part, waits, bool(inner.integer(2)), data=bytes(inner.span(1)))
    # Trailers are a map of fields, headers have one.
    fields = _fields(inner.message(1))
    return Said(part, waits, part in _TRAILERS or bool(inner.integer(3)), fields)


def _fields(headers: Message) -> Fields:
    kept: dict[str, str] = {}
    special: dict[str, str] = {}
    for name, value in _pairs(headers):
        if name in _SPECIAL:
            special.setdefault(name, value.decode("latin-1"))
        else:
            keep(kept, name, value)
    status = special.get(":status", "")
    return Fields(
        special.get(":method", ""),
        special.get(":path", ""),
        int(status) if len(status) == 3 and status.isascii() and status.isdigit() else None,
        kept,
        special.get("grpc-status", ""),
        special.get("grpc-timeout", ""),
    )


_SPECIAL = frozenset((":method", ":path", ":status", "grpc-status", "grpc-timeout"))


def _pairs(headers: Message) -> Iterator[tuple[str, bytes]]:
    for field in headers.messages(1)[:_MAX_FIELDS]:
        yield field.text(1).lower(), bytes(field.span(3)) or bytes(field.span(2))
