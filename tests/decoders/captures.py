"""Captured exchanges from tests/cases/wire, taken apart just enough for decoders.

Not an HTTP parser: the captures are well-formed, and the reader of real traffic has its own tests.
"""

import gzip
import json
from pathlib import Path
from typing import Any

from sidecar.exchange import CapturedBody, Exchange, StreamEvent, Timings, outcome_of_status

WIRE = Path(__file__).parent.parent / "cases" / "wire"
EXPECTED: dict[str, Any] = json.loads((WIRE / "EXPECTED.json").read_text())
# The captures of gRPC are HTTP/2.
CASES = sorted(
    str(path.relative_to(WIRE))[: -len(".request")]
    for path in WIRE.glob("*/*.request")
    if not path.parent.name.endswith("-grpc")
)

Message = tuple[str, dict[str, str], bytes]


def exchange(case: str, number: int = 0) -> Exchange:
    """The exchange of a capture; `number` picks one of several on the same connection."""
    start, headers, data = messages((WIRE / f"{case}.request").read_bytes())[number]
    status_line, answer_headers, answer = messages((WIRE / f"{case}.response").read_bytes())[number]
    method, target, _ = start.split(" ")
    status = int(status_line.split(" ")[1])
    streamed = "event-stream" in answer_headers.get("content-type", "")
    return Exchange(
        connection=1,
        transport="http1",
        method=method,
        target=target,
        timings=Timings(1.0, 1.0, 2.0, 2.0),
        outcome=outcome_of_status(status),
        status=status,
        request_headers=headers,
        response_headers=answer_headers,
        request=CapturedBody(data, len(data)),
        response=CapturedBody(answer, len(answer)),
        streamed=streamed,
        events=_events(answer) if streamed else [],
    )


def messages(data: bytes) -> list[Message]:
    """First line, headers and body of each message."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body, data = _body(headers, data)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        found.append((start, headers, body))
    return found


def _body(headers: dict[str, str], data: bytes) -> tuple[bytes, bytes]:
    if headers.get("transfer-encoding") == "chunked":
        return _unchunked(data)
    length = int(headers.get("content-length", 0))
    return data[:length], data[length:]


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    parts = []
    while True:
        size, _, data = data.partition(b"\r\n")
        # Some captures end before the last chunk: the server died, or the client left.
        length = int(size, 16) if size else 0
        if length == 0:
            return b"".join(parts), data.removeprefix(b"\r\n")
        parts.append(data[:length])
        data = data[length + 2 :]


def _events(data: bytes) -> list[StreamEvent]:
    events = []
    for block in data.decode().replace("\r\n", "\n").split("\n\n"):
        fields = [line.partition(":") for line in block.split("\n")]
        text = "\n".join(value.removeprefix(" ") for name, _, value in fields if name == "data")
        named = [value.strip() for name, _, value in fields if name == "event"]
        if text:
            events.append(StreamEvent(1.5, text.encode(), named[0] if named else ""))
    return events
