"""Header fields and bodies that come whole, held to the same rules as those read from the wire.

Not a reader of streams: a body is here at once. The trap: fields outside the allow-list of `wire` may be
credentials and must never be kept, also when somebody else recorded them.
"""

from collections.abc import Iterable

from sidecar.exchange import CapturedBody
from sidecar.wire.body import Capture
from sidecar.wire.head import keep
from sidecar.wire.limits import Budget, Limits

__all__ = ["Limits", "captured", "kept"]


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
