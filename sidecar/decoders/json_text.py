"""JSON as model servers and their clients really write it.

orjson reads nearly everything. What it rejects and servers accept (bare NaN and Infinity, a byte order
mark, UTF-16, lone surrogates, numbers past a double) is read again by the standard library, bounded.
Duplicate keys: the last one wins, as in the servers' own parsers. The trap: stdlib reports depth as a
RecursionError, which is not a ValueError.
"""

import json
from typing import Any

import orjson

from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded

# The second reading costs about 15 ms per MiB; larger bodies that orjson rejects are left alone.
SECOND_READING_LIMIT_BYTES = 1024 * 1024
# Python's integer parser is quadratic; past the digits of 2**64 a float says all that can be binned.
_LONGEST_INTEGER = 20
_CHARSETS = frozenset({"utf-16", "utf-16le", "utf-16be", "utf-32", "iso-8859-1", "latin-1", "windows-1252"})


def read(data: bytes, content_type: str = "") -> Any:
    """The document in `data`. Raises Undecodable with not_json or too_deep."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        first = str(error)
    if "limit" in first:
        raise Undecodable(Undecoded.TOO_DEEP, first)
    if len(data) > SECOND_READING_LIMIT_BYTES:
        raise Undecodable(Undecoded.NOT_JSON, first)
    return _read_again(data, content_type)


def read_lines(data: bytes) -> list[Any]:
    """The documents of JSON lines (ndjson), empty lines left out."""
    lines = [line for line in data.splitlines() if line.strip()]
    documents: list[Any] = read(b"[" + b",".join(lines) + b"]")
    return documents


def charset_of(content_type: str) -> str:
    """The charset a content type names, if it is one we read; "utf-8" otherwise."""
    _, found, value = content_type.lower().partition("charset=")
    name = value.split(";")[0].strip(" \"'")
    return name if found and name in _CHARSETS else "utf-8"


def _read_again(data: bytes, content_type: str) -> Any:
    charset = charset_of(content_type)
    if charset == "utf-8":
        charset = json.detect_encoding(data)
    try:
        document = json.loads(data.decode(charset), parse_int=_integer)
        return _without_lone_surrogates(document) if b"\\" in data else document
    except RecursionError as error:
        raise Undecodable(Undecoded.TOO_DEEP, "nested too deeply") from error
    except ValueError as error:
        raise Undecodable(Undecoded.NOT_JSON, _where(error)) from error


def _where(error: ValueError) -> str:
    # The parser's own message has a position; that of a codec quotes the payload.
    return str(error) if isinstance(error, json.JSONDecodeError) else "not text in the charset it claims"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _without_lone_surrogates(document: Any) -> Any:
    """The same document with `?` for code points that no encoder takes: they would fail in every exporter."""
    text = json.dumps(document, ensure_ascii=False)
    if text.isascii():
        return document
    return json.loads(text.encode("utf-8", "replace"), parse_int=_integer)
