"""Heads of HTTP/1 messages: the start line, the fields we keep, and how long the body is.

Not a validator of HTTP: what only a server has to judge (Host, duplicate fields) passes. But where two
readers could disagree on where the message ends, this one says `Unreadable` instead of choosing; so a line
ends with CRLF and with nothing else.
The trap: a field outside the allow-list must never be kept, not even for a moment in a cache, because
credentials travel in fields whose names we do not know.
"""

import re
from collections.abc import Iterable
from typing import TypeVar

# Lengths of bodies that no number says.
CHUNKED = -1
UNTIL_CLOSE = -2

MAX_VALUE_CHARS = 1024
# The kept fields of the most talkative server seen are eleven.
MAX_KEPT_FIELDS = 32

_KEPT_NAMES = frozenset((
    "content-type", "content-encoding", "content-length", "transfer-encoding", "accept", "request-id",
    "x-request-id", "traceparent", "inference-header-content-length", "seldon-puid", "served-model-name",
    "x-bentoml-request-id", "openai-processing-ms", "openai-model", "openai-version", "apim-request-id",
    "x-ms-client-request-id", "serve_multiplexed_model_id", "x-amzn-invoked-production-variant",
    "x-vertex-ai-deployed-model-id", "grpc-encoding",
))  # fmt: skip
_KEPT_PREFIXES = ("ce-", "x-amzn-sagemaker-")
# Free text of the caller, and a handle to somebody's session.
_NEVER_KEPT = frozenset(("x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-session-id"))
# What the operator divides traffic by, beside the names above.
_kept_too: frozenset[str] = frozenset()
_FRAMING = frozenset(("content-length", "transfer-encoding"))

_T = TypeVar("_T")

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(rb"(%s{1,64}) ([^\x00-\x20\x7f]+) HTTP/1\.([01])" % _TOKEN)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\x00\r\n]*)?")
_FIELD_NAME = re.compile(rb"%s+" % _TOKEN)
_PREFACE = b"PRI * HTTP/2.0"
_UPGRADE_TO_HTTP2 = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?:\r\n|\Z)", re.IGNORECASE)
# Enough for an exabyte, and below 2**63.
_MAX_LENGTH_DIGITS = 18


class Unreadable(Exception):
    """These bytes cannot be read with certainty as HTTP/1. `http2` if they are HTTP/2's preface."""

    def __init__(self, http2: bool = False) -> None:
        super().__init__()
        self.http2 = http2


def begins_request(data: bytes) -> bool:
    """Whether the first line of `data` is a complete request line."""
    match = _REQUEST_LINE.match(data)
    return match is not None and data[match.end() : match.end() + 2] == b"\r\n"


def upgrades_to_http2(head: bytes) -> bool:
    """Whether the head of a 101 says that HTTP/2 follows, in the clear (RFC 7540, 3.2)."""
    return _UPGRADE_TO_HTTP2.search(head) is not None


def parse_request(head: bytes) -> tuple[str, str, dict[str, str], int]:
    """Read the head of a request, without the empty line that ends it. Raises Unreadable.

    Returns method, target, kept fields, and the bytes of body, or CHUNKED.
    """
    lines = head.split(b"\r\n")
    method, target, minor = _request_lines.get(lines[0]) or _request_line(lines[0])
    headers = _fields(lines)
    return method, target, headers, _request_length(headers, minor)


def parse_response(head: bytes) -> tuple[int, dict[str, str], int]:
    """Read the head of a response, without the empty line that ends it. Raises Unreadable.

    Returns status, kept fields, and the bytes of body, CHUNKED or UNTIL_CLOSE, as the fields have it; a
    response to HEAD, a 1xx, 204 or 304 has no body whatever they say.
    """
    lines = head.split(b"\r\n")
    status, minor = _status_lines.get(lines[0]) or _status_line(lines[0])
    headers = _fields(lines)
    return status, headers, _response_length(headers, minor)


# Lines read before: the same dozen lines make up most heads, and a look-up is five times faster than
# reading. Only lines that hold no secret and no identity are remembered; when full, start again.
_MAX_REMEMBERED = 1_024
_MAX_REMEMBERED_BYTES = 256
_REMEMBERED = frozenset((
    "content-type", "content-encoding", "content-length", "transfer-encoding", "accept", "accept-encoding",
    "connection", "host", "user-agent", "keep-alive", "date", "server",
))  # fmt: skip
_request_lines: dict[bytes, tuple[str, str, bytes]] = {}
_status_lines: dict[bytes, tuple[int, bytes]] = {}
_field_lines: dict[bytes, tuple[str, str]] = {}
# Names as they were sent -> lower case. Names only, never values.
_names: dict[bytes, str] = {}


def _request_line(line: bytes) -> tuple[str, str, bytes]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Unreadable(http2=line == _PREFACE)
    method, target, minor = match.groups()
    read = str(method, "ascii"), str(target, "latin-1"), minor
    # A query may hold features, or a key.
    if len(line) <= _MAX_REMEMBERED_BYTES and b"?" not in target:
        _remember(_request_lines, line, read)
    return read


def _status_line(line: bytes) -> tuple[int, bytes]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Unreadable
    minor, status = match.groups()
    read = int(status), minor
    if len(line) <= _MAX_REMEMBERED_BYTES:
        _remember(_status_lines, line, read)
    return read


def _fields(lines: list[bytes]) -> dict[str, str]:
    """The fields we keep, from the lines after the first."""
    kept: dict[str, str] = {}
    known = _field_lines.get
    for line in lines[1:]:
        key, value = known(line) or _field(line)
        if key:
            if key in kept or len(kept) >= MAX_KEPT_FIELDS:
                _keep_more(kept, key, value)
            else:
                kept[key] = value
    return kept


def keep_too(names: Iterable[str]) -> None:
    """Keep these fields (lower case) of requests read from now on, besides those always kept."""
    global _kept_too
    _kept_too = frozenset(names) - _NEVER_KEPT - _REMEMBERED


def keep(kept: dict[str, str], name: str, value: bytes) -> None:
    """Add a field to `kept` if it is one we keep. `name` is in lower case, as HTTP/2 has it."""
    if is_kept(name):
        add(kept, name, text_of(value))


def text_of(value: bytes) -> str:
    """What we keep of a value."""
    return str(value.strip(b" \t"), "latin-1")[:MAX_VALUE_CHARS]


def add(kept: dict[str, str], name: str, text: str) -> None:
    """Add a field that we keep, beside others of its name (RFC 9110, 5.3)."""
    if name in kept or len(kept) >= MAX_KEPT_FIELDS:
        _keep_more(kept, name, text)
    else:
        kept[name] = text


def is_kept(name: str) -> bool:
    """Whether a field is one we keep. `name` is in lower case."""
    return (
        name in _KEPT_NAMES
        or name in _kept_too
        or (name.startswith(_KEPT_PREFIXES) and name not in _NEVER_KEPT)
    )


def _keep_more(kept: dict[str, str], key: str, value: str) -> None:
    if key in kept:
        kept[key] = f"{kept[key]}, {value}"[:MAX_VALUE_CHARS]
    elif key in _FRAMING:
        kept[key] = value


def _field(line: bytes) -> tuple[str, str]:
    """A field we keep, as (name, value); ("", "") for one we do not. Raises Unreadable."""
    raw, colon, value = line.partition(b":")
    name = _names.get(raw)
    if name is None:
        name = _name(raw)
    if not colon or b"\r" in value or b"\n" in value:
        raise Unreadable
    read = "", ""
    if is_kept(name):
        read = name, text_of(value)
    if name in _REMEMBERED and len(line) <= _MAX_REMEMBERED_BYTES:
        _remember(_field_lines, line, read)
    return read


def _name(raw: bytes) -> str:
    if _FIELD_NAME.fullmatch(raw) is None:
        raise Unreadable
    name = str(raw, "ascii").lower()
    if len(raw) <= _MAX_REMEMBERED_BYTES:
        _remember(_names, raw, name)
    return name


def _remember(cache: dict[bytes, _T], line: bytes, read: _T) -> None:
    if len(cache) >= _MAX_REMEMBERED:
        cache.clear()
    cache[line] = read


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
    if "," in value:
        first, *others = (item.strip(" \t") for item in value.split(","))
        if len(value) >= MAX_VALUE_CHARS or any(item != first for item in others):
            raise Unreadable
        value = first
    # Of the characters of latin-1 only 0 to 9 are decimal.
    if not value.isdecimal() or len(value) > _MAX_LENGTH_DIGITS:
        raise Unreadable
    return int(value)
