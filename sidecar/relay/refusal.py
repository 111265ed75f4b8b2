"""What a client gets when the model server cannot be reached.

The one answer the relay ever gives by itself: a client that speaks HTTP/1 gets a 502 with a short JSON
problem and a lingering close (closing at once would cut its upload and hide the answer); any other
client gets a reset, which is what a refused connection looks like.
"""

import json
import re
from collections.abc import Callable

from sidecar import clock
from sidecar.chunk import Chunk, Kind
from sidecar.relay.pair import Pair
from sidecar.relay.side import Side

# Enough for any request line worth answering; what does not look like one by then is not HTTP/1.
_ENOUGH_BYTES = 16 * 1024
# A client that connects and says nothing is left in doubt no longer than this.
_SILENCE_SECONDS = 1.0
# How long an upload may go on after the answer, so that a client which sends first reads it.
_LINGER_SECONDS = 5.0
_LINGER_POLL_SECONDS = 0.05
_REQUEST_LINE = re.compile(rb"[A-Za-z!#$%&'*+.^_`|~-]{1,32} [^\r\n]* HTTP/1\.[01]\r?\n")


class Refusal:
    """Takes over the client side of a pair whose upstream could not be reached."""

    def __init__(self, pair: Pair, upstream: str, reason: str, detail: str) -> None:
        self._pair = pair
        self._upstream = upstream
        self._reason = reason
        self._detail = detail
        self._seen = b""
        self._decided = False
        self._loop = pair.loop
        self._timer = self._loop.later(_SILENCE_SECONDS, self._decide)

    def start(self) -> None:
        """Listen to the client."""
        client = self._pair.client
        lost = self._pair.on_lost
        client.sink = self._receive
        self._pair.on_lost = lambda pair: self._gone(lost)
        early, self._pair.early = self._pair.early, b""
        if early:
            self._receive(early)
        client.resume()

    def _receive(self, data: bytes) -> None:
        if self._decided:
            return
        self._seen += data[:_ENOUGH_BYTES]
        if b"\n" in self._seen or len(self._seen) >= _ENOUGH_BYTES:
            # After this chunk was offered to the tee, so that the observer knows what was asked.
            self._timer.cancel()
            self._timer = self._loop.later(0, self._decide)

    def _decide(self) -> None:
        self._decided = True
        self._timer.cancel()
        self._say_refused()
        client = self._pair.client
        if _REQUEST_LINE.match(self._seen.lstrip(b"\r\n")):
            client.write(answer(self._upstream, self._detail))
            if client.half_closes:
                client.write_end()
            self._linger(client, clock.monotonic() + _LINGER_SECONDS)
        else:
            client.reset()

    def _linger(self, client: Side, deadline: float) -> None:
        if client.ended or clock.monotonic() >= deadline:
            client.close()
        else:
            self._timer = self._loop.later(_LINGER_POLL_SECONDS, lambda: self._linger(client, deadline))

    def _gone(self, lost: Callable[[Pair], None]) -> None:
        self._timer.cancel()
        if not self._decided:
            self._decided = True
            self._say_refused()
        lost(self._pair)

    def _say_refused(self) -> None:
        meta = {"reason": self._reason, "upstream": self._upstream}
        chunk = Chunk(Kind.REFUSED, self._pair.connection, time=clock.monotonic(), meta=meta)
        self._pair.tee.event(chunk, self._pair.client)


def answer(upstream: str, detail: str) -> bytes:
    """The bytes of the 502."""
    problem = {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": f"inference-sidecar cannot reach the model server at {upstream}: {detail}",
    }
    body = json.dumps(problem).encode()
    head = (
        "HTTP/1.1 502 Bad Gateway\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
