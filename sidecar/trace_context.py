"""The `traceparent` header of W3C Trace Context: which trace a request belongs to. Pure.

Source: www.w3.org/TR/trace-context/, "Traceparent Header". The trap: a header that is almost right is not
there at all; a part of it must never be taken for an id.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

TRACEPARENT = "traceparent"

# Later versions may append fields; version ff, and ids of zeros alone, are forbidden.
_PARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


class TraceContext(NamedTuple):
    """The caller's trace: 32 and 16 lower-case hexadecimal digits, and whether the caller records it."""

    trace_id: str
    span_id: str
    sampled: bool


def trace_context(headers: Mapping[str, str]) -> TraceContext | None:
    """What the headers of a request say, or None."""
    header = headers.get(TRACEPARENT)
    if header is None:
        return None
    match = _PARENT.fullmatch(header.strip())
    if match is None or (match[1] == "00" and match[5]):
        return None
    return TraceContext(match[2], match[3], bool(int(match[4], 16) & 1))
