"""Recorded exchanges from a file: one JSON object per line, also gzipped, one in memory at a time.

Not the rows of a training set: `profiles.read` does those. What is read is held to the limits of live
traffic, so that a recording gives what the traffic gave.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from sidecar.errors import UsageError
from sidecar.exchange import Exchange
from sidecar.ingest.bodies import Limits
from sidecar.ingest.recorded import Wrong, exchange_of, kind_of

# Two bodies of the capture limit, one with every byte escaped as \u0000, and the events once more.
MAX_LINE_BYTES = 16 * 1024 * 1024


def read_exchanges(path: str | Path, limits: Limits = Limits()) -> Iterator[Exchange]:  # noqa: B008 - frozen
    """Yield each exchange of a file of JSON lines (`.gz` is unpacked). Raises UsageError, one sentence.

    Keys: time (seconds), method (POST), target, request_headers, request, status, response_headers,
    response, duration (seconds from the whole request to the whole answer), first_byte (seconds to the
    answer's first byte), events ({"offset", "data", "name"}, offset in seconds like first_byte), outcome,
    grpc_status. All but target may be missing: a time is then that of the line before. A body is text,
    already free of its content coding, or {"base64": bytes as transferred}, which are decoded by
    Content-Encoding. Empty lines are passed over.
    """
    path = Path(path)
    number = 0
    time = 0.0
    try:
        with open(path, "rb") as file:
            lines = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            for number, line in enumerate(_lines(lines), 1):
                if line.strip():
                    exchange = exchange_of(_said(line), time, number, limits)
                    time = exchange.timings.request_first
                    yield exchange
    except Wrong as error:
        raise UsageError(f"{path}:{number}: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path}:{number + 1}: the gzip data ends early or is damaged") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error


def _lines(file: "BinaryIO | gzip.GzipFile") -> Iterator[bytes]:
    """Each line; one that is too long is cut just past the limit, which `_said` notices."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line


def _said(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise Wrong(f"a line of more than {MAX_LINE_BYTES // 1024**2} MiB; is this a file of JSON lines?")
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Wrong(f"not JSON: {error.msg}, at character {error.pos + 1}") from error
    if not isinstance(said, dict):
        raise Wrong(f"{kind_of(said)} is not an exchange; give an object with target, request, response…")
    return said
