"""Header fields and bodies that come whole, held to the same rules as those read from the wire.

Not a reader of streams: a body is here at once. The trap: fields outside the allow-list of `wire` may be
credentials and must never be kept, also when somebody else recorded them.
"""

from collections.abc import Iterable

from sidecar.exchange import CapturedBody, LeftOut, StreamEvent
from sidecar.wire.body import Capture
from sidecar.wire.event_stream import open_stream
from sidecar.wire.head import keep
from sidecar.wire.limits import Budget, Limits

__all__ = ["Limits", "captured", "events_in", "kept"]


def kept(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The fields that decoders may see, names in lower case."""
    found: dict[str, str] = {}
    for name, value in fields:
        keep(found, name.lower(), value.encode("latin-1", "replace"))
    return found


def captured(data: bytes, coding: str, limits: Limits) -> CapturedBody:
    """A body as decoders see it: freed of its content coding, or with the reason why it is not."""
    capture = Capture(limits.capture_bytes, Budget(limits.capture_bytes))
    capture.add(data)
    return capture.finish(coding or None, limits)


def events_in(
    response: CapturedBody, content_type: str, time: float, limits: Limits
) -> tuple[list[StreamEvent], LeftOut] | None:
    """The events of a body that is a stream by nature, all at one `time`; None if it is none."""
    stream = open_stream(content_type, None, limits, Budget(limits.total_bytes))
    if stream is None:
        return None
    stream.feed(response.data, time)
    return stream.finish(time, whole=response.problem is None), stream.left_out
