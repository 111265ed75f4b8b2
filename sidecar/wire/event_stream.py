"""Events of a streamed response, each with the time at which its last byte came.

Server-sent events as the WHATWG parser reads them (HTML standard, 9.2.6), and newline-delimited JSON.
An HTTP chunk is not an event: chunks cut events, and characters, anywhere. And `text/event-stream` does
not prove events: some servers send bare text under it, then every piece is an event of its own.
"""

from sidecar.exchange import NOTHING_LEFT_OUT, StreamEvent
from sidecar.wire.coding import Inflater
from sidecar.wire.events import EVENT_BYTES, Events
from sidecar.wire.limits import Budget, Limits

# What a line past the limit is taken for: a comment in one format, nothing that could be in the other.
_DROPPED_LINE = b": a line past the limit"
_BOM = b"\xef\xbb\xbf"


class _Lines:
    """Cuts a stream into lines. A line past the limit is dropped as if it had been empty of content."""

    __slots__ = ("_after_cr", "_budget", "_limit", "_rest", "_too_long")

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._budget = budget
        self._rest = bytearray()
        self._after_cr = False
        self._too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines completed by `data`. CRLF, CR and LF end a line, also when a cut parts CR from LF."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        # bytes, unlike str, split at CR, LF and CRLF only.
        lines = data.splitlines()
        rest = b"" if data[-1] in b"\r\n" else lines.pop()
        if lines and (self._rest or self._too_long):
            lines[0] = self._complete(lines[0])
        self._keep(rest)
        return [line if len(line) <= self._limit else _DROPPED_LINE for line in lines]

    def rest(self) -> bytes:
        """The line that has not ended; it is forgotten here."""
        return self._complete(b"")

    def _complete(self, end: bytes) -> bytes:
        line = _DROPPED_LINE if self._too_long else bytes(self._rest) + end
        self._budget.give_back(len(self._rest))
        self._rest = bytearray()
        self._too_long = False
        return line

    def _keep(self, data: bytes) -> None:
        if self._too_long or not data:
            return
        if len(self._rest) + len(data) <= self._limit and self._budget.take(len(data)):
            self._rest += data
        else:
            self._budget.give_back(len(self._rest))
            self._rest = bytearray()
            self._too_long = True


class SseReader:
    """text/event-stream."""

    __slots__ = (
        "_budget", "_data", "_data_bytes", "_events", "_limit", "_lines", "_name", "_oversized",
        "_seen_data", "_start",
    )  # fmt: skip

    def __init__(self, events: Events, limits: Limits, budget: Budget) -> None:
        self._events = events
        self._limit = limits.event_bytes
        self._budget = budget
        self._lines = _Lines(limits.event_bytes, budget)
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._oversized = False
        self._seen_data = False
        self._start = True

    def feed(self, data: bytes, time: float) -> None:
        """Read the next bytes of the decoded stream."""
        # Until a data field proves that these are events, every piece is kept as text.
        text = not self._seen_data
        for line in self._lines.feed(data):
            if self._start:
                self._start = False
                line = line.removeprefix(_BOM)
            self._take(line, time)
        if text and not self._seen_data:
            self._events.add(time, data)

    def finish(self, time: float, whole: bool) -> None:
        """The stream ended. A last event without its blank line counts if the body was whole."""
        line = self._lines.rest()
        if whole:
            self._take(line.removeprefix(_BOM) if self._start else line, time)
            self._dispatch(time)
        self._forget()

    def _take(self, line: bytes, time: float) -> None:
        if not line:
            self._dispatch(time)
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._take_data(value.removeprefix(b" "))
        elif field == b"event":
            self._name = str(value.removeprefix(b" ")[:64], "utf-8", "replace")
        elif line == _DROPPED_LINE:
            self._oversized = True

    def _take_data(self, value: bytes) -> None:
        if not self._seen_data:
            self._seen_data = True
            self._events.drop()
        cost = len(value) + EVENT_BYTES
        if self._data_bytes + cost <= self._limit and self._budget.take(cost):
            self._data_bytes += cost
            self._data.append(value)
        else:
            self._oversized = True

    def _dispatch(self, time: float) -> None:
        if self._oversized:
            self._events.miss(time)
        elif self._data:
            self._events.add(time, b"\n".join(self._data), self._name)
        self._forget()

    def _forget(self) -> None:
        self._budget.give_back(self._data_bytes)
        self._data_bytes = 0
        self._data = []
        self._name = ""
        self._oversized = False


class NdjsonReader:
    """One JSON value per line."""

    __slots__ = ("_events", "_lines")

    def __init__(self, events: Events, limits: Limits, budget: Budget) -> None:
        self._events = events
        self._lines = _Lines(limits.event_bytes, budget)

    def feed(self, data: bytes, time: float) -> None:
        """Read the next bytes of the decoded stream."""
        for line in self._lines.feed(data):
            self._take(line, time)

    def finish(self, time: float, whole: bool) -> None:
        """The stream ended. A last line without its end counts if the body was whole."""
        line = self._lines.rest()
        if whole:
            self._take(line, time)

    def _take(self, line: bytes, time: float) -> None:
        if line == _DROPPED_LINE:
            self._events.miss(time)
        elif line.strip():
            self._events.add(time, line)


_READERS: dict[str, type[SseReader] | type[NdjsonReader]] = {
    "text/event-stream": SseReader,
    "application/x-ndjson": NdjsonReader,
    "application/ndjson": NdjsonReader,
    "application/stream+json": NdjsonReader,
    "application/jsonl": NdjsonReader,
}


class EventStream:
    """The events of one response body."""

    __slots__ = ("_events", "_inflater", "_reader", "_stopped", "left_out")

    def __init__(
        self, reader: type[SseReader] | type[NdjsonReader], coding: str | None, limits: Limits, budget: Budget
    ) -> None:
        self._events = Events(limits, budget)
        self._reader = reader(self._events, limits, budget)
        self._inflater = Inflater(coding, limits)
        self._stopped = False
        self.left_out = NOTHING_LEFT_OUT
        """Once finished: what is known of the events that `finish` did not give."""
        if self._inflater.failed:
            self.stop()

    def feed(self, data: bytes, time: float) -> None:
        """Take the next piece of the body as transferred."""
        if self._stopped:
            return
        text = self._inflater.feed(data)
        if text:
            self._reader.feed(text, time)
        if self._inflater.failed:
            self.stop()

    def stop(self) -> None:
        """Read no further: bytes are missing, or cannot be decoded. Events so far are kept."""
        if not self._stopped:
            self._stopped = True
            self._reader.finish(0.0, whole=False)
            self._events.stop()

    @property
    def stopped(self) -> bool:
        """Whether no further events are read."""
        return self._stopped

    def finish(self, time: float, whole: bool) -> list[StreamEvent]:
        """The events; the memory is no longer ours. `whole`: the body ended as it promised."""
        if not self._stopped:
            self._stopped = True
            self._reader.finish(time, whole)
        events = self._events.all()
        self.left_out = self._events.left_out()
        self._events.drop()
        return events


def open_stream(content_type: str, coding: str | None, limits: Limits, budget: Budget) -> EventStream | None:
    """A reader of the events of a body of this type; None if it is no stream by nature."""
    reader = _READERS.get(content_type.partition(";")[0].strip(" \t").lower())
    return None if reader is None else EventStream(reader, coding, limits, budget)
