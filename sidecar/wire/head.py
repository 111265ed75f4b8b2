"""Heads of HTTP/1 messages: the start line, the fields we keep, and how long the body is.

Not a validator of HTTP: what only a server has to judge (Host, duplicate fields) passes. But where two
readers could disagree on where the message ends, this one says `Unreadable` instead of choosing.
The trap: a field outside the allow-list must never be kept, not even for a moment in a cache, because
credentials travel in fields whose names we do not know.
"""

import re
from typing import NamedTuple

# Lengths of bodies that no number says.
CHUNKED = -1
UNTIL_CLOSE = -2

MAX_VALUE_CHARS = 1024
# The kept fields of the most talkative server seen are eleven.
MAX_KEPT_FIELDS = 32

_KEPT_NAMES = frozenset(
    [
        "content-type",
        "content-encoding",
        "content-length",
        "transfer-encoding",
        "accept",
        "inference-header-content-length",
        "x-request-id",
        "request-id",
        "traceparent",
        "seldon-puid",
        "served-model-name",
        "x-bentoml-request-id",
        "openai-processing-ms",
        "openai-model",
        "openai-version",
        "x-ms-client-request-id",
        "apim-request-id",
        "serve_multiplexed_model_id",
        "x-amzn-invoked-production-variant",
    ]
)
_KEPT_PREFIXES = ("ce-", "x-amzn-sagemaker-")
# Free text of the caller, and a handle to somebody's session.
_NEVER_KEPT = frozenset(("x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-session-id"))
_FRAMING = frozenset(("content-length", "transfer-encoding"))

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(rb"(%s{1,64}) ([^\x00-\x20\x7f]+) HTTP/1\.([01])" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\x00]*)?")
_FIELD_NAME = re.compile(rb"%s+" % _TOKEN)
_DIGITS = re.compile(r"[0-9]{1,19}")
_PREFACE = b"PRI * HTTP/2.0"
_MAX_LENGTH = 2**63 - 1


class Unreadable(Exception):
    """These bytes cannot be read with certainty as HTTP/1. `http2` if they are HTTP/2's preface."""

    def __init__(self, http2: bool = False) -> None:
        super().__init__()
        self.http2 = http2


class RequestHead(NamedTuple):
    """What the head of a request says. `length`: bytes of body, or CHUNKED."""

    method: str
    target: str
    headers: dict[str, str]
    length: int


class ResponseHead(NamedTuple):
    """What the head of a response says. `length`: bytes of body, CHUNKED or UNTIL_CLOSE, as its fields
    have it; HEAD, 1xx, 204 and 304 have no body whatever it is."""

    status: int
    headers: dict[str, str]
    length: int


def find_end(data: bytes | bytearray, start: int) -> int:
    """Where the head that is being read at `start` ends, past its empty line; -1 if it does not yet.

    Lines end with CRLF, or all of them with a bare LF.
    """
    crlf = data.find(b"\r\n\r\n", start)
    bare = data.find(b"\n\n", start, crlf) if crlf >= 0 else data.find(b"\n\n", start)
    if bare >= 0:
        return bare + 2
    return crlf + 4 if crlf >= 0 else -1


def begins_request(data: bytes) -> bool:
    """Whether the first line of `data` is a complete request line."""
    match = _REQUEST_LINE.match(data)
    return match is not None and data[match.end() : match.end() + 1] in (b"\r", b"\n")


def parse_request(head: bytes) -> RequestHead:
    """Read the head of a request, with its empty line. Raises Unreadable."""
    lines = _lines(head)
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise Unreadable(http2=lines[0] == _PREFACE)
    method, target, minor = match.groups()
    headers = _fields(lines)
    return RequestHead(str(method, "ascii"), str(target, "latin-1"), headers, _request_length(headers, minor))


def parse_response(head: bytes) -> ResponseHead:
    """Read the head of a response, with its empty line. Raises Unreadable."""
    lines = _lines(head)
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise Unreadable
    minor, status = match.groups()
    headers = _fields(lines)
    return ResponseHead(int(status), headers, _response_length(headers, minor))


def _lines(head: bytes) -> list[bytes]:
    """The lines of a head; a CR or LF that is not part of every line's end makes it unreadable."""
    if head.endswith(b"\r\n"):
        lines = head[:-4].split(b"\r\n")
        ends = len(lines) + 1
        if head.count(b"\n") != ends or head.count(b"\r") != ends:
            raise Unreadable
        return lines
    if b"\r" in head:
        raise Unreadable
    return head[:-2].split(b"\n")


# Names as they were sent -> the name we keep them under, or "" for those we do not. Saves checking
# and folding the same dozen names in every head. Names only, never values.
_names: dict[bytes, str] = {}
_MAX_NAMES = 2_048
_MAX_NAME_BYTES = 64


def _fields(lines: list[bytes]) -> dict[str, str]:
    """The fields we keep, from the lines after the first."""
    kept: dict[str, str] = {}
    for index in range(1, len(lines)):
        name, colon, value = lines[index].partition(b":")
        key = _names.get(name)
        if key is None:
            key = _learn(name)
        if not colon:
            raise Unreadable
        if key:
            _keep(kept, key, str(value.strip(b" \t"), "latin-1"))
    return kept


def _keep(kept: dict[str, str], key: str, value: str) -> None:
    if key in kept:
        value = f"{kept[key]}, {value}"
    elif len(kept) >= MAX_KEPT_FIELDS and key not in _FRAMING:
        return
    kept[key] = value[:MAX_VALUE_CHARS]


def _learn(name: bytes) -> str:
    if _FIELD_NAME.fullmatch(name) is None:
        raise Unreadable
    folded = str(name, "ascii").lower()
    wanted = folded in _KEPT_NAMES or (folded.startswith(_KEPT_PREFIXES) and folded not in _NEVER_KEPT)
    key = folded if wanted and len(folded) <= _MAX_NAME_BYTES else ""
    if len(_names) < _MAX_NAMES and len(name) <= _MAX_NAME_BYTES:
        _names[name] = key
    return key


def _request_length(headers: dict[str, str], minor: bytes) -> int:
    """RFC 9112, 6.3. Two claims about the length are the tool of request smuggling: whose would hold?"""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is None:
        return 0 if length is None else _content_length(length)
    if length is not None or minor == b"0" or coding.lower() != "chunked":
        raise Unreadable
    return CHUNKED


def _response_length(headers: dict[str, str], minor: bytes) -> int:
    """RFC 9112, 6.3. Transfer-Encoding overrides Content-Length, as every client reads it; the chunk
    syntax that must then follow shows at once if that was wrong."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is None:
        return UNTIL_CLOSE if length is None else _content_length(length)
    codings = [item.strip(" \t") for item in coding.lower().split(",")]
    if minor == b"0" or len(coding) >= MAX_VALUE_CHARS or "chunked" in codings[:-1]:
        raise Unreadable
    if codings[-1] == "chunked":
        return CHUNKED
    if length is not None:
        raise Unreadable
    return UNTIL_CLOSE


def _content_length(value: str) -> int:
    """One number, or the same number several times (RFC 9110, 8.6). Raises Unreadable."""
    if _DIGITS.fullmatch(value) is None:
        first, *others = (item.strip(" \t") for item in value.split(","))
        if (
            _DIGITS.fullmatch(first) is None
            or len(value) >= MAX_VALUE_CHARS
            or others.count(first) != len(others)
        ):
            raise Unreadable
        value = first
    number = int(value)
    if number > _MAX_LENGTH:
        raise Unreadable
    return number
