"""Scripts of what happens on one connection, as the chunks a relay would make of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.exchange import Exchange
from sidecar.wire.connection import Limits, Wire

STEP = 0.001


@dataclass
class Playbook:
    """`play.client(b"...").server(b"...").close()`, then `play.exchanges()`.

    Each step happens a millisecond after the one before it; `wait` lets time pass.
    """

    connection: int = 1
    now: float = 100.0
    chunks: list[Chunk] = field(default_factory=list)
    at: list[int] = field(default_factory=lambda: [0, 0])

    def open(
        self,
        route: str = "r",
        offsets: tuple[int, int] = (0, 0),
        frames: tuple[int, int] | None = None,
    ) -> "Playbook":
        self.at = list(offsets)
        meta: dict[str, object] = {"peer": "p", "route": route, "upstream": "u"}
        meta |= {"offsets": self.at[:], "new": offsets == (0, 0)}
        if frames is not None:
            meta["frames"] = list(frames)
        return self._add(Chunk(Kind.OPEN, self.connection, time=self.now, meta=meta))

    def client(self, *pieces: bytes) -> "Playbook":
        return self._data(FROM_CLIENT, pieces)

    def server(self, *pieces: bytes) -> "Playbook":
        return self._data(FROM_SERVER, pieces)

    def client_gap(self, length: int, lasting: float = 0.0) -> "Playbook":
        return self._gap(FROM_CLIENT, length, lasting)

    def server_gap(self, length: int, lasting: float = 0.0) -> "Playbook":
        return self._gap(FROM_SERVER, length, lasting)

    def end(self, direction: int) -> "Playbook":
        return self._add(Chunk(Kind.END, self.connection, direction, self.now))

    def reset(self, direction: int) -> "Playbook":
        return self._add(Chunk(Kind.RESET, self.connection, direction, self.now))

    def close(self, **meta: str) -> "Playbook":
        return self._add(Chunk(Kind.CLOSE, self.connection, time=self.now, meta=meta))

    def refused(self) -> "Playbook":
        meta = {"reason": "refused", "upstream": "u"}
        return self._add(Chunk(Kind.REFUSED, self.connection, time=self.now, meta=meta))

    def wait(self, seconds: float) -> "Playbook":
        self.now += seconds
        return self

    def exchanges(self, wire: Wire | None = None, limits: Limits | None = None) -> list[Exchange]:
        """Everything a reader makes of it."""
        return feed(wire or Wire(limits or Limits()), self.chunks)

    def split(self, size: int = 1) -> "Playbook":
        """The same bytes in pieces of `size`."""
        pieces = [piece for chunk in self.chunks for piece in split(chunk, size)]
        return Playbook(self.connection, self.now, pieces, self.at)

    def _data(self, direction: int, pieces: tuple[bytes, ...]) -> "Playbook":
        for piece in pieces:
            self._add(Chunk(Kind.DATA, self.connection, direction, self.now, self.at[direction], piece))
            self.at[direction] += len(piece)
        return self

    def _gap(self, direction: int, length: int, lasting: float) -> "Playbook":
        until = self.now + lasting
        chunk = Chunk(Kind.GAP, self.connection, direction, self.now, self.at[direction], b"", length, until)
        self.at[direction] += length
        self.now = until
        return self._add(chunk)

    def _add(self, chunk: Chunk) -> "Playbook":
        self.chunks.append(chunk)
        self.now += STEP
        return self


def feed(wire: Wire, chunks: Iterable[Chunk]) -> list[Exchange]:
    return [exchange for chunk in chunks for exchange in wire.feed(chunk)]


def split(chunk: Chunk, size: int) -> list[Chunk]:
    if chunk.kind is not Kind.DATA:
        return [chunk]
    return [
        replace(chunk, offset=chunk.offset + at, data=chunk.data[at : at + size])
        for at in range(0, len(chunk.data), size)
    ]


def request(
    target: str = "/v2/models/m/infer", body: bytes = b"{}", method: str = "POST", *fields: str
) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: model", "Content-Type: application/json", *fields]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(target: str = "/v2/health/ready") -> bytes:
    return request(target, b"", "GET")


def answer(body: bytes = b"{}", status: int = 200, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", "content-type: application/json", *fields]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"


def stream_head(content_type: str = "text/event-stream", *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-type: {content_type}", "transfer-encoding: chunked", *fields]
    return "\r\n".join([*lines, "", ""]).encode()
