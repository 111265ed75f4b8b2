"""Exchanges to explain, from a file: recorded as JSON lines, or the raw bytes of HTTP/1.1.

Raw bytes are `X.request`, with the answer in `X.response` beside it if there is one; both go through the
reader of live traffic. The trap: without an answer there is no exchange, so an empty one is made up, and
`answered` says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.errors import UsageError
from sidecar.exchange import Exchange
from sidecar.ingest.files import read_exchanges
from sidecar.wire.connection import Wire

# What one request and its answer may hold and still be read, many times over.
MAX_RAW_BYTES = 64 * 1024 * 1024
_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} \S+ HTTP/1\.[01]\r?\n")
_PIECE_BYTES = 64 * 1024
_NO_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_OPEN = {"peer": "file", "route": "", "upstream": "", "offsets": [0, 0], "new": True}


@dataclass(frozen=True, slots=True)
class Capture:
    """An exchange; `answered` is False when the file had no answer to it."""

    exchange: Exchange
    answered: bool = True


def read_captures(path: str | Path) -> Iterator[Capture]:
    """Every exchange of a file. Raises UsageError with one sentence."""
    path = Path(path)
    if path.suffix == ".response":
        path = path.with_suffix(".request")
    if path.suffix != ".request" and not _REQUEST_LINE.match(_bytes(path, 4096)):
        yield from map(Capture, read_exchanges(path))
        return
    answer = path.with_suffix(".response")
    answered = answer != path and answer.is_file()
    sent, came = _bytes(path), _bytes(answer) if answered else b""
    found = exchanges_of(sent, came or _NO_ANSWER)
    if not found:
        raise UsageError(f"{path}: no HTTP/1.1 request begins here; give a request line, fields and a body")
    yield from (Capture(exchange, answered) for exchange in found)


def exchanges_of(sent: bytes, came: bytes) -> list[Exchange]:
    """The exchanges of one connection, given all bytes of both directions."""
    wire, found = Wire(), []
    found += wire.feed(Chunk(Kind.OPEN, 1, time=0.0, meta=_OPEN))
    for direction, data in ((FROM_CLIENT, sent), (FROM_SERVER, came)):
        for at in range(0, len(data), _PIECE_BYTES):
            piece = data[at : at + _PIECE_BYTES]
            found += wire.feed(Chunk(Kind.DATA, 1, direction, float(direction), at, piece))
    found += wire.feed(Chunk(Kind.END, 1, FROM_SERVER, 2.0, len(came)))
    found += wire.feed(Chunk(Kind.CLOSE, 1, time=3.0))
    return found


def _bytes(path: Path, limit: int = MAX_RAW_BYTES) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(data) > limit == MAX_RAW_BYTES:
        raise UsageError(f"{path}: more than {limit // 1024**2} MiB is no single exchange")
    return data
