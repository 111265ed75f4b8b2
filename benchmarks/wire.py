"""What reading traffic costs: microseconds per small exchange, best of many rounds.

Run: python -m benchmarks.wire. Beside our reader, a bare httptools pair that only collects the same bodies
and fields, as a yardstick for the machine at this moment.
"""

import time
from collections.abc import Callable

import httptools

from benchmarks.grpc_calls import Calls
from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.wire.connection import Wire

REQUEST = (
    b"POST /v2/models/iris/infer HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, deflate\r\nUser-Agent: python-requests/2.32\r\nConnection: keep-alive\r\n"
    b"Content-Type: application/json\r\nContent-Length: 370\r\n\r\n" + b"x" * 370
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 03:39:46 GMT\r\nserver: uvicorn\r\ncontent-length: 120\r\n"
    b"content-type: application/json\r\n\r\n" + b"y" * 120
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":"token"}}]}\n\n'
EVENT_CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
ROUND = 1_000


def chunks(pairs: list[tuple[int, bytes]]) -> list[Chunk]:
    at = [0, 0]
    made = [Chunk(Kind.OPEN, 1, meta={"route": "r", "offsets": [0, 0], "new": True})]
    for index, (direction, data) in enumerate(pairs):
        made.append(Chunk(Kind.DATA, 1, direction, index * 0.001, at[direction], data))
        at[direction] += len(data)
    return made


def wire_small() -> None:
    wire = Wire()
    seen = sum(len(wire.feed(chunk)) for chunk in SMALL)
    assert seen == ROUND


def wire_grpc() -> None:
    wire = Wire()
    seen = sum(len(wire.feed(chunk)) for chunk in GRPC)
    assert seen == ROUND


def wire_stream() -> None:
    wire = Wire()
    for chunk in STREAM:
        for exchange in wire.feed(chunk):
            assert len(exchange.events) + exchange.left_out.count == ROUND


class Collector:
    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.target = b""

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.headers, self.body = {}, b""


def httptools_small() -> None:
    requests = httptools.HttpRequestParser(Collector())
    answers = httptools.HttpResponseParser(Collector())
    for _ in range(ROUND):
        requests.feed_data(REQUEST)
        answers.feed_data(ANSWER)


SMALL = chunks([(FROM_CLIENT, REQUEST), (FROM_SERVER, ANSWER)] * ROUND)
STREAM = chunks(
    [(FROM_CLIENT, REQUEST), (FROM_SERVER, STREAM_HEAD)]
    + [(FROM_SERVER, EVENT_CHUNK)] * ROUND
    + [(FROM_SERVER, b"0\r\n\r\n")]
)


def grpc_calls() -> list[tuple[int, bytes]]:
    """Unary calls one after the other on a connection, a chunk for each side's turn as grpcio sends them."""
    calls, message = Calls(), b"x" * 100
    each = [
        ((FROM_CLIENT, calls.request(message)), (FROM_SERVER, calls.answer(message))) for _ in range(ROUND)
    ]
    return [chunk for call in each for chunk in call]


GRPC = chunks(grpc_calls())


def best(run: Callable[[], None], rounds: int = 60) -> float:
    """Microseconds per unit, the best round: what it costs when nobody else wants the processor."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times) / ROUND * 1e6


if __name__ == "__main__":
    print(f"small exchange      {best(wire_small):6.1f} us")
    print(f"  bare httptools    {best(httptools_small):6.1f} us")
    print(f"small gRPC call     {best(wire_grpc):6.1f} us")
    print(f"streamed event      {best(wire_stream):6.1f} us")
