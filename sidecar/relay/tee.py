"""The bounded copy of traffic that the relay offers to the observer.

Offering never waits and never fails. When the observer is behind or away, bytes are replaced by a gap
that says how many went missing and when, so the reader can resynchronise. Memory is bounded by
`budget_bytes`, counting what small chunks really cost. When even the small frames that open and close
connections find no room, the link is dropped and taken up again: the observer then hears anew which
connections are open, and at which offsets.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from sidecar import __version__, clock
from sidecar.chunk import FROM_CLIENT, HEADER_BYTES, Chunk, FrameError, FrameReader, Kind, encode, pack_header
from sidecar.relay.counters import Counters
from sidecar.relay.frames import Frames
from sidecar.relay.loop import READABLE, WRITABLE, Cancellable, Loop
from sidecar.sockets import unix_name

# Half a second of 100 Mbit/s, or 20,000 small chunks: enough to ride out a slow moment of the observer,
# little enough that relay and tee stay within 40 MB.
DEFAULT_BUDGET_BYTES = 8 * 1024 * 1024
# What a queue entry costs beyond its bytes: two bytes objects, a tuple, a slot, malloc rounding.
_ENTRY_BYTES = 200
_CHUNK_COST_BYTES = HEADER_BYTES + _ENTRY_BYTES
# The second half of the budget is for small chunks only: they hold the heads of messages and the header
# blocks of HTTP/2, without which nothing after them can be read; large ones are bodies.
_SMALL_BYTES = 4096
# Room beyond the budget for frames that open and close connections.
_CONTROL_RESERVE_BYTES = 512 * 1024
# Waking the observer up costs it more than reading an exchange, and us a system call: at 1,000 requests/s
# batches of 20 ms instead of 3 save a quarter of what both use. Times are stamped before, so nothing is
# measured later than it happened.
_FLUSH_SECONDS = 0.02
_FLUSH_BYTES = 64 * 1024
_SEND_BYTES = 256 * 1024
_RECONNECT_SECONDS = 0.25
# An attribute of an enumeration is looked up anew each time.
_DATA = int(Kind.DATA)

DOWN, BEHIND, SKIPPED = "observer_down", "observer_behind", "skipped"


class Flow(Protocol):
    """One direction of one connection, as the tee sees it. The tee keeps its bookkeeping in it."""

    connection: int
    direction: int
    offset: int
    skip_until: int
    gap_length: int
    gap_first: float
    gap_last: float
    frames: Frames | None

    @property
    def peer(self) -> "Flow | None":
        """The other direction, once there is one."""


class Pair(Protocol):
    """Both directions of one connection."""

    @property
    def client(self) -> Flow:
        """What the client says."""

    @property
    def server(self) -> Flow:
        """What the upstream says."""

    def opened(self, *, new: bool) -> Chunk:
        """What introduces it to an observer; not `new` to one that came later."""


class Tee:
    """A worker's link to the observer."""

    def __init__(
        self,
        loop: Loop,
        path: str,
        worker: int,
        counters: Counters,
        budget_bytes: int = DEFAULT_BUDGET_BYTES,
    ) -> None:
        self._loop = loop
        self._path = path
        self._worker = worker
        self._counters = counters
        self._budget = budget_bytes
        self._half = budget_bytes // 2
        self._socket: socket.socket | None = None
        # Until the observer is reached for the first time it is starting, not down: keep its chunks.
        self._waiting = True
        # (header, data) of chunks and (frame, b"") of everything else, and their cost in memory.
        self._queue: deque[tuple[bytes, bytes]] = deque()
        self._queued = 0
        self._sending = memoryview(b"")
        self._sending_sizes: list[int] = []  # of the chunks in it, for when it cannot be sent
        self._heard = FrameReader()  # of what the observer says on this link
        self._flush_planned = False
        self._writer_armed = False
        self._retry: Cancellable | None = None
        self.pairs: Mapping[int, Pair] = {}

    # --- what the pairs call ---------------------------------------------------------------------

    def offer(self, flow: Flow, data: bytes, now: float) -> None:
        """Copy `data`, the next bytes of `flow`, if there is room; never waits."""
        size = len(data)
        offset = flow.offset
        flow.offset = offset + size
        if self._socket is None and not self._waiting:
            lost = DOWN
        elif offset + size <= flow.skip_until:
            lost = SKIPPED
        elif self._queued + size + _CHUNK_COST_BYTES > (self._budget if size <= _SMALL_BYTES else self._half):
            lost = BEHIND
        else:
            lost = ""
        frames = flow.frames
        if frames is not None and lost == BEHIND:
            self._thin(flow, frames, offset, data, now)
            return
        if frames is not None:
            frames.pass_over(data)
        if lost:
            self._drop(flow, size, now, lost)
        else:
            self._keep(flow, offset, data, now)

    def _keep(self, flow: Flow, offset: int, data: bytes, now: float) -> None:
        size = len(data)
        if flow.gap_length:
            self._close_gap(flow, offset)
        # An answer ends the request's silence: without the gap before it, an upload that was skipped
        # seems to go on, until the connection is used again, and its times are wrong.
        if flow.peer is not None and flow.peer.gap_length:
            self._close_gap(flow.peer, flow.peer.offset)
        header = pack_header(_DATA, flow.direction, size, flow.connection, offset, now)
        self._queue.append((header, data))
        self._queued += size + _CHUNK_COST_BYTES
        self._plan()

    def _thin(self, flow: Flow, frames: Frames, offset: int, data: bytes, now: float) -> None:
        """There is no room for all of it: keep what shows where frames begin, if there is room for that."""
        kept = frames.without_payloads(data)
        if self._queued + sum(end - begin + _CHUNK_COST_BYTES for begin, end in kept) > self._budget:
            kept = []
        at = 0
        for begin, end in kept:
            self._drop(flow, begin - at, now, BEHIND)
            self._keep(flow, offset + begin, data[begin:end], now)
            at = end
        self._drop(flow, len(data) - at, now, BEHIND)

    def event(self, chunk: Chunk, flow: Flow | None = None) -> None:
        """Say that something happened to a connection; a pending gap of `flow` goes first."""
        if self._socket is None and not self._waiting:
            return
        if flow is not None:
            self.settle(flow)
        if self._queued > self._budget + _CONTROL_RESERVE_BYTES:
            self._lose_link(retry_after=1.0)
            return
        self._append(encode(chunk))
        self._plan()

    def settle(self, flow: Flow) -> None:
        """`flow` is over: say what is missing at its end."""
        if flow.gap_length and (self._socket is not None or self._waiting):
            self._close_gap(flow, flow.offset)

    def say(self, kind: Kind, details: dict[str, Any]) -> None:
        """Send a frame about the worker itself; dropped when there is no room for it."""
        if self._socket is not None and self._queued <= self._budget:
            self._append(encode(Chunk(kind, self._worker << 40, time=clock.monotonic(), meta=details)))
            self._plan()

    def _flows(self) -> Iterator[Flow]:
        for pair in self.pairs.values():
            yield pair.client
            yield pair.server

    # --- losing bytes ----------------------------------------------------------------------------

    def _drop(self, flow: Flow, size: int, now: float, reason: str) -> None:
        if not size:
            return
        if not flow.gap_length:
            flow.gap_first = now
        flow.gap_length += size
        flow.gap_last = now
        self._counters.dropped_bytes[reason] += size
        if reason is not SKIPPED:
            self._counters.dropped_chunks[reason] += 1

    def _close_gap(self, flow: Flow, end: int) -> None:
        start = end - flow.gap_length
        gap = Chunk(Kind.GAP, flow.connection, flow.direction, flow.gap_first, start)
        gap.length, gap.until = flow.gap_length, flow.gap_last
        flow.gap_length = 0
        self._append(encode(gap))

    # --- sending ---------------------------------------------------------------------------------

    def _append(self, frame: bytes) -> None:
        self._queue.append((frame, b""))
        self._queued += len(frame) + _ENTRY_BYTES

    def _plan(self) -> None:
        if self._writer_armed or self._socket is None:
            return
        if self._queued >= _FLUSH_BYTES:
            self._flush()
        elif not self._flush_planned:
            self._flush_planned = True
            self._loop.later(_FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        if self._socket is None or self._writer_armed:
            return
        try:
            while self._sending or self._queue:
                if not self._sending:
                    self._sending = self._next_batch()
                self._sending = self._sending[self._socket.send(self._sending) :]
        except BlockingIOError:
            self._writer_armed = True
            self._loop.watch(self._socket.fileno(), READABLE | WRITABLE, self._happened)
        except OSError:
            self._lose_link()

    def _next_batch(self) -> memoryview:
        pieces: list[bytes] = []
        size = 0
        self._sending_sizes.clear()
        while self._queue and size < _SEND_BYTES:
            header, data = self._queue.popleft()
            pieces += (header, data)
            size += len(header) + len(data)
            if data:
                self._sending_sizes.append(len(data))
            self._queued -= len(header) + len(data) + _ENTRY_BYTES
        return memoryview(b"".join(pieces))

    def _writable(self) -> None:
        assert self._socket is not None
        self._loop.watch(self._socket.fileno(), READABLE, self._happened)
        self._writer_armed = False
        self._flush()

    # --- the link --------------------------------------------------------------------------------

    def connect(self) -> None:
        """Try to reach the observer, now and whenever the link is lost, until `close`."""
        self._retry = None
        link: socket.socket | None = None
        try:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            link.connect(unix_name(self._path))
        except OSError:  # nobody there, or no descriptor left
            if link is not None:
                link.close()
            self._retry = self._loop.later(_RECONNECT_SECONDS, self.connect)
            return
        self._socket = link
        self._heard = FrameReader()
        self._loop.watch(link.fileno(), READABLE, self._happened)
        if not self._waiting:
            for flow in self._flows():
                flow.gap_length = 0  # the announced offset says it
            for pair in self.pairs.values():
                self._append(encode(pair.opened(new=False)))
        self._waiting = False
        hello = {"version": __version__, "worker": self._worker}
        self._sending = memoryview(encode(Chunk(Kind.HELLO, self._worker << 40, meta=hello)))
        self._flush()

    def _happened(self, events: int) -> None:
        if events & ~WRITABLE:
            self._readable()
        if events & WRITABLE and self._writer_armed:
            self._writable()

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError
            for chunk in self._heard.feed(data):
                pair = self.pairs.get(chunk.connection)
                if pair is not None and chunk.kind is Kind.SKIP:
                    flow = pair.client if chunk.direction == FROM_CLIENT else pair.server
                    flow.skip_until = max(flow.skip_until, chunk.offset)
        except BlockingIOError:
            return
        except (OSError, FrameError):
            self._lose_link()

    def _lose_link(self, retry_after: float = _RECONNECT_SECONDS) -> None:
        self._disconnect()
        if self._retry is not None:
            self._retry.cancel()
        self._retry = self._loop.later(retry_after, self.connect)

    def _disconnect(self) -> None:
        link, self._socket = self._socket, None
        if link is not None:
            self._loop.watch(link.fileno(), 0, self._happened)
            link.close()
        self._writer_armed = self._waiting = False
        self._discard_queue()
        for flow in self._flows():
            flow.skip_until = 0  # the next observer may want what this one did not

    def _discard_queue(self) -> None:
        """What was queued is lost with the link: count it, so that nothing is missing unsaid.

        A batch that was half sent counts whole: what arrived of it was read by nobody who is still there.
        """
        lost = [len(data) for _, data in self._queue if data]
        lost += self._sending_sizes if self._sending else []
        self._counters.dropped_chunks[DOWN] += len(lost)
        self._counters.dropped_bytes[DOWN] += sum(lost)
        self._queue.clear()
        self._queued = 0
        self._sending = memoryview(b"")
        self._sending_sizes.clear()

    def close(self) -> None:
        """Send what can be sent at once, and leave."""
        if self._retry is not None:
            self._retry.cancel()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(0.2)
                while self._sending or self._queue:
                    self._sending = self._sending or self._next_batch()
                    self._sending = self._sending[self._socket.send(self._sending) :]
        self._disconnect()
