"""JSON with raw tensors behind it: the binary tensor data extension of the Open Inference Protocol over REST.

Source: Triton's extension_binary_data.md. The length of the JSON is in a header, or in the content type
(SageMaker, Vertex), or nowhere (loggers leave the header out). It counts decoded bytes. The trap: a reply is
binary whatever the request was, and a tensor with its data in the JSON may stand among binary ones.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from sidecar.decoders import body, columns, json_text, raw_tensors, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.exchange import CapturedBody
from sidecar.inference import Undecoded

_LENGTH = "inference-header-content-length"
_IN_TYPE = "json-header-size"
_LENGTH_IN_TYPE = re.compile(r";\s*json-header-size\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_SIZE = "binary_data_size"
# More digits are no length, and Python is slow to read thousands of them.
_MOST_DIGITS = 12


def document_of(captured: CapturedBody, headers: Mapping[str, str], member: str) -> Any:
    """The JSON document in a body; the tensors of its `member` have raw data as their `data`, as arrays.

    None if there is no JSON: only raw tensors, whose names and shapes are not on the wire. Raises
    Undecodable: shape where sizes do not add up, and whatever is wrong with the JSON.
    """
    if _LENGTH not in headers and _IN_TYPE not in headers.get("content-type", ""):
        try:
            return body.document_of(captured, headers)
        except Undecodable as error:
            length = _end_of_json(captured.data) if error.reason is Undecoded.NOT_JSON else None
            if length is None:
                raise
    else:
        length = json_length(headers)
    data = body.data_of(captured)
    if length > len(data):
        raise Undecodable(Undecoded.SHAPE, f"a body of {len(data)} bytes should hold {length} of JSON")
    if length == 0:
        return None
    document = json_text.read(data[:length])
    if type(document) is dict and type(document.get(member)) is list:
        _attach(document[member], memoryview(data)[length:])
    return document


def json_length(headers: Mapping[str, str]) -> int:
    """How many bytes of JSON come before raw tensors, as announced. Raises Undecodable(shape)."""
    digits = headers.get(_LENGTH)
    if digits is None:
        found = _LENGTH_IN_TYPE.search(headers.get("content-type", ""))
        digits = found[1] if found else ""
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS:
        raise Undecodable(Undecoded.SHAPE, "the length of the JSON is no number")
    return int(digits)


def is_announced(headers: Mapping[str, str]) -> bool:
    """Whether headers say that raw tensors follow the JSON of a body."""
    return _LENGTH in headers or _IN_TYPE in headers.get("content-type", "")


def _end_of_json(data: bytes) -> int | None:
    """Where the JSON ends in a body whose length of it got lost; None if it is not such a body.

    Sizes in the JSON are the proof: two documents in one body must not be read as one and some junk.
    """
    if _SIZE.encode() not in data or not data.startswith(b"{"):
        return None
    try:
        # Latin-1 keeps a character for each byte. The document is thrown away: bytes are read again.
        return json.JSONDecoder().raw_decode(data.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return None


def _attach(found: list[Any], raw: memoryview) -> None:
    """Give the tensors their raw data, in order. What is left over belongs to nobody, and is left."""
    columns.check_width(len(found))
    at = 0
    for tensor in found:
        parameters = tensor.get("parameters") if type(tensor) is dict else None
        size = parameters.get(_SIZE) if type(parameters) is dict else None
        if size is None:
            continue
        if type(size) is not int or not 0 <= size <= len(raw) - at:
            raise Undecodable(Undecoded.SHAPE, "a tensor's size is more than the body holds, or none")
        count = tensors.extent_of(tensor.get("shape"))[1]
        tensor["data"] = raw_tensors.read(body.text_of(tensor.get("datatype")), count, raw[at : at + size])
        at += size
