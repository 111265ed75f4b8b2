"""One exchange as Envoy tells it, message by message, each with the time at which it came.

No I/O. Bodies come in pieces as Envoy had them in hand, still content-encoded, those of gRPC with the
prefixes of its messages. The trap: not every end is told. An answer that only stops is not known to have
ended, and who cut it is not said.
"""

from sidecar.exchange import Exchange, Outcome
from sidecar.ingest.ext_proc_messages import Part, Said
from sidecar.wire.body import Capture
from sidecar.wire.event_stream import open_stream
from sidecar.wire.http2_headers import Fields
from sidecar.wire.http2_streams import Stream, Streams
from sidecar.wire.pending import Accounts

_ROUTE = "ext_proc"
_ID = 1


class ProcessedStream:
    """Builds the exchange of one stream of messages. Any order of messages is survived."""

    def __init__(self, accounts: Accounts) -> None:
        self._limits = accounts.limits
        self._accounts = accounts
        self._streams = Streams(0, _ROUTE, accounts)

    def take(self, said: Said, time: float) -> None:
        """Take the next message. Monotonic seconds."""
        if said.part is Part.REQUEST_HEADERS:
            self._begin(said.fields, time)
        stream = self._streams.get(_ID)
        if stream is None:
            return
        if said.part is Part.REQUEST_BODY:
            self._asked(stream, said.data, time)
        elif said.part is Part.RESPONSE_HEADERS:
            self._answer(stream, said.fields, time)
        elif said.part is Part.RESPONSE_BODY:
            self._answered(stream, said.data, time)
        elif said.part is Part.RESPONSE_TRAILERS:
            stream.trailed(said.fields)
        if said.ends and not stream.answered:
            self._end(stream, said.part, time)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be learnt: the answer has ended, or there is no exchange."""
        stream = self._streams.get(_ID)
        return bool(self._streams.done) or (stream is not None and stream.answered)

    def finish(self, *, ours: bool = False) -> Exchange | None:
        """The exchange; None if no request was told. `ours`: it ended because we leave.

        When Envoy ends the stream before any answer, the client has left: an upstream that fails makes
        Envoy answer itself. In the middle of an answer either side may have cut it.
        """
        stream = self._streams.get(_ID)
        if stream is not None:
            left = not ours and stream.status is None
            self._streams.abandon(stream, Outcome.CLIENT_CLOSED if left else Outcome.UNOBSERVED)
        return self._streams.done[0] if self._streams.done else None

    def _begin(self, fields: Fields, time: float) -> None:
        if fields.method and self._streams.is_new(_ID):
            self._streams.open(Stream(_ID, fields, time, time))

    def _asked(self, stream: Stream, data: bytes, time: float) -> None:
        if stream.requested:
            return
        stream.request_last = time
        if stream.grpc:
            stream.asked.feed(data)
        if stream.request is None:
            stream.request = Capture(self._limits.capture_bytes, self._accounts.bodies)
        stream.request.add(data)

    def _answer(self, stream: Stream, fields: Fields, time: float) -> None:
        """The head of the answer, which is all of it when gRPC fails at once."""
        if stream.status is not None or fields.status is None or fields.status < 200:
            return
        stream.status, stream.response_headers = fields.status, fields.kept
        stream.response_first = stream.response_last = time
        stream.trailed(fields)
        if not stream.grpc:
            content_type = fields.kept.get("content-type", "")
            coding = fields.kept.get("content-encoding")
            stream.stream = open_stream(content_type, coding, self._limits, self._accounts.bodies)

    def _answered(self, stream: Stream, data: bytes, time: float) -> None:
        if stream.answered or not data:
            return
        stream.response_last = time
        if stream.grpc:
            stream.interleaved = stream.interleaved or not stream.requested
            stream.answers.feed(data)
        elif stream.stream is not None:
            stream.stream.feed(data, time)
        if stream.response is None:
            stream.response = Capture(self._limits.capture_bytes, self._accounts.bodies)
        stream.response.add(data)

    def _end(self, stream: Stream, part: Part, time: float) -> None:
        if part in (Part.REQUEST_HEADERS, Part.REQUEST_BODY, Part.REQUEST_TRAILERS):
            if not stream.requested:
                self._streams.requested(stream, time)
        elif stream.status is not None:
            self._streams.answered(stream, time)
