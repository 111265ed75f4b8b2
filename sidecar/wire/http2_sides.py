"""What the two sides of an HTTP/2 connection say about its streams.

The trap: a side's blocks must all be decoded, also those of streams nobody follows (pushed, refused, long
closed), because they change what the next ones mean.
"""

from sidecar.exchange import Outcome
from sidecar.wire import http2_frames as frames
from sidecar.wire.body import Capture
from sidecar.wire.event_stream import open_stream
from sidecar.wire.head import Unreadable
from sidecar.wire.http2_frames import FrameReader
from sidecar.wire.http2_headers import Fields, HeaderBlocks
from sidecar.wire.http2_streams import Stream, Streams

# A block of the largest size we read needs four frames of the usual size. Empty ones without end are an
# attack on whoever must wait for the last (CVE-2024-27316 and its kin).
_MAX_CONTINUATIONS = 64
_HEADER_TABLE_SIZE = 0x1
_SETTING_BYTES = 6
# Before the fragment of a header block: whom a stream depends on and its weight, or which one is promised.
_PRIORITY_BYTES = 5
_PROMISED_BYTES = 4


class Side(FrameReader):
    """What both sides have in common: header blocks, and the stream whose body is coming."""

    __slots__ = ("_block", "_block_ends", "_block_first", "_block_stream", "_continuations", "_current",
                 "_streams", "blocks", "peer")  # fmt: skip

    def __init__(self, streams: Streams, preface: bytes) -> None:
        accounts = streams.accounts
        super().__init__(preface, accounts.limits.head_bytes, accounts.heads)
        self._streams = streams
        self._current: Stream | None = None
        self._block: bytes | None = None
        """The block so far; None if part of it was lost."""
        self._block_stream = 0
        """The stream whose block is being continued; 0 when none is."""
        self._block_ends = False
        self._block_first = 0.0
        self._continuations = 0
        self.blocks = HeaderBlocks(accounts.limits, accounts.heads)
        self.peer: Side | None = None

    # What a subclass gives.
    def _on_block(self, id: int, fields: Fields | None, ends: bool, first: float, time: float) -> None:
        """Take a header block; `fields` is None if it could not be read."""
        raise NotImplementedError

    def _on_reset(self, stream: Stream, error: int | None, time: float) -> None:
        raise NotImplementedError

    def _on_goaway(self, last: int) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Read nothing any more."""
        super().stop()
        self._hold_block(None)
        self.blocks.drop()

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes | None, time: float) -> None:
        if kind == frames.HEADERS and not self._block_stream:
            self._block_ends = bool(flags & frames.END_STREAM)
            self._block_first = self.first
            self._take_block(stream, flags, None if payload is None else _fragment(flags, payload), time)
        elif kind == frames.CONTINUATION:
            self._continue(flags, stream, payload, time)
        elif self._block_stream:
            raise Unreadable
        elif kind == frames.PUSH_PROMISE:
            promised = None if payload is None else _fragment(flags & frames.PADDED, payload, _PROMISED_BYTES)
            self._take_block(-stream, flags, promised, time)
        elif kind == frames.SETTINGS:
            self._take_settings(flags, payload)
        elif kind == frames.RST_STREAM:
            found = self._streams.get(stream)
            if found is not None:
                self._on_reset(found, int.from_bytes(payload, "big") if payload else None, time)
        elif payload:
            self._on_goaway(int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF)

    def _continue(self, flags: int, stream: int, payload: bytes | None, time: float) -> None:
        self._continuations += 1
        if stream != abs(self._block_stream) or not stream or self._continuations > _MAX_CONTINUATIONS:
            raise Unreadable
        block = None if payload is None or self._block is None else self._block + payload
        self._take_block(self._block_stream, flags, block, time)

    def _take_block(self, stream: int, flags: int, block: bytes | None, time: float) -> None:
        """Take what there is of a block. The stream of a promise is negative: its block is only decoded."""
        if not flags & frames.END_HEADERS:
            self._hold_block(block)
            self._block_stream = stream
            return
        if self._block_stream or self._block is not None:
            self._hold_block(None)
            self._block_stream = self._continuations = 0
        if block is None:
            self.blocks.lose()
        fields = self.blocks.read(block or b"")
        if stream > 0:
            self._on_block(stream, fields, self._block_ends, self._block_first, time)

    def _hold_block(self, block: bytes | None) -> None:
        """Keep the beginning of a block until the rest comes, if it is not too long and there is room."""
        if self._block is not None:
            self._budget.give_back(len(self._block))
        if block is not None and (len(block) > self._limit or not self._budget.take(len(block))):
            block = None
        self._block = block

    def _take_settings(self, flags: int, payload: bytes | None) -> None:
        self._streams.used = True
        if payload is None or flags & frames.ACK or self.peer is None:
            return
        for at in range(0, len(payload) - _SETTING_BYTES + 1, _SETTING_BYTES):
            if int.from_bytes(payload[at : at + 2], "big") == _HEADER_TABLE_SIZE:
                # Who says this decodes: it is the other side's table that may grow.
                self.peer.blocks.allow(int.from_bytes(payload[at + 2 : at + 6], "big"))

    def _on_data_frame(self, stream: int) -> None:
        if self._block_stream:
            raise Unreadable
        self._current = self._streams.get(stream)

    def _capture(self, streamed: bool = False) -> Capture:
        accounts = self._streams.accounts
        limits = accounts.limits
        return Capture(limits.stream_bytes if streamed else limits.capture_bytes, accounts.bodies)

    def _add(self, capture: Capture, data: bytes) -> None:
        capture.add(data)
        if capture.problem is not None:
            self._streams.notable = True


class Requests(Side):
    """What the client says."""

    __slots__ = ()

    @property
    def body_wanted(self) -> bool:
        """Whether anybody reads the body that is coming."""
        stream = self._current
        return stream is not None and (stream.request is None or stream.request.problem is None)

    def _on_block(self, id: int, fields: Fields | None, ends: bool, first: float, time: float) -> None:
        streams = self._streams
        if streams.is_new(id):
            streams.open(Stream(id, fields, first, time))
        stream = streams.get(id)
        if stream is not None and not stream.requested:
            stream.request_last = time
            if ends:
                streams.requested(stream, time)

    def _on_data(self, id: int, data: bytes, time: float) -> None:
        stream = self._current
        if stream is None or stream.requested:
            return
        stream.request_last = time
        if stream.grpc:
            stream.asked.feed(data)
        if stream.request is None:
            stream.request = self._capture()
        self._add(stream.request, data)

    def _on_lost_data(self, id: int, length: int, until: float) -> None:
        stream = self._current
        if stream is None or stream.requested:
            return
        stream.request_last = until
        stream.asked.miss(length)
        stream.request = stream.request or self._capture()
        stream.request.miss(length)

    def _on_end(self, id: int, time: float) -> None:
        stream = self._current
        if stream is not None and not stream.requested:
            self._streams.requested(stream, time)

    def _on_reset(self, stream: Stream, error: int | None, time: float) -> None:
        self._streams.reset(stream, Outcome.CLIENT_CLOSED, error, time)

    def _on_goaway(self, last: int) -> None:
        """A client that goes away lets its own streams end."""


class Answers(Side):
    """What the server says."""

    __slots__ = ()

    def __init__(self, streams: Streams) -> None:
        super().__init__(streams, b"")

    @property
    def body_wanted(self) -> bool:
        """Whether anybody reads the body that is coming."""
        stream = self._current
        if stream is None or stream.response is None:
            return stream is not None
        return stream.response.problem is None or (stream.stream is not None and not stream.stream.stopped)

    def _on_block(self, id: int, fields: Fields | None, ends: bool, first: float, time: float) -> None:
        stream = self._streams.get(id)
        if stream is None or stream.answered:
            return
        if fields is None:
            stream.unseen = True
        elif stream.status is None and not self._begin_answer(stream, fields):
            return
        else:
            stream.trailed(fields)
        if stream.response_first is None:
            stream.response_first = first
        stream.response_last = time
        if ends:
            self._streams.answered(stream, time)

    def _begin_answer(self, stream: Stream, fields: Fields) -> bool:
        """The head of an answer; False if it was an interim one."""
        if fields.status is None:
            stream.unseen = True
            return True
        if fields.status < 200:
            return False
        stream.status, stream.response_headers = fields.status, fields.kept
        if not stream.grpc:
            accounts = self._streams.accounts
            stream.stream = open_stream(
                fields.kept.get("content-type", ""),
                fields.kept.get("content-encoding"),
                accounts.limits,
                accounts.bodies,
            )
        return True

    def _on_data(self, id: int, data: bytes, time: float) -> None:
        stream = self._current
        if stream is None or stream.answered:
            return
        stream.response_last = time
        if stream.grpc:
            stream.interleaved = stream.interleaved or not stream.requested
            stream.answers.feed(data)
        elif stream.stream is not None:
            stream.stream.feed(data, time)
        if stream.response is None:
            stream.response = self._capture(stream.stream is not None)
        self._add(stream.response, data)

    def _on_lost_data(self, id: int, length: int, until: float) -> None:
        stream = self._current
        if stream is None or stream.answered:
            return
        stream.response_last = until
        stream.answers.miss(length)
        if stream.stream is not None:
            stream.stream.stop()
        stream.response = stream.response or self._capture(stream.stream is not None)
        stream.response.miss(length)

    def _on_end(self, id: int, time: float) -> None:
        stream = self._current
        if stream is not None and not stream.answered:
            self._streams.answered(stream, time)

    def _on_reset(self, stream: Stream, error: int | None, time: float) -> None:
        self._streams.reset(stream, Outcome.UPSTREAM_RESET, error, time)

    def _on_goaway(self, last: int) -> None:
        self._streams.refuse(last)


def _fragment(flags: int, payload: bytes, at: int = 0) -> bytes:
    """The part of a header block in a frame, from `at` on, without padding, priority. Raises Unreadable."""
    end = len(payload)
    if flags & frames.PADDED:
        at, end = at + 1, end - payload[0] if payload else -1
    if flags & frames.PRIORITY:
        at += _PRIORITY_BYTES
    if at > end:
        raise Unreadable
    return payload[at:end] if at or end < len(payload) else payload
