"""Unary calls on one long-lived HTTP/2 connection, byte for byte framed as grpcio 1.85 frames them.

What makes up a call there: HEADERS, a WINDOW_UPDATE before the DATA and one behind it; in the answer HEADERS,
DATA, and trailers with an empty `grpc-message` that is spelt out in every call. Not a peer: it only talks.
"""

import itertools
import random

import hpack

INFER = "/inference.GRPCInferenceService/ModelInfer"
DATA, HEADERS, SETTINGS, WINDOW_UPDATE = 0, 1, 4, 8
END_STREAM, END_HEADERS = 1, 4
# What grpcio does not put into its table: the encoder of the benchmark would.
_EMPTY_MESSAGE = b"\0\x0cgrpc-message\0"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ANSWERED = [
    (":status", "200"),
    ("content-type", "application/grpc"),
    ("grpc-accept-encoding", "identity, deflate, gzip"),
]


def frame(kind: int, stream: int, payload: bytes, flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def framed(message: bytes) -> bytes:
    """A message as it is in a body: not compressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Calls:
    """The two sides of a connection. Their tables are real: each call refers to what the first one said."""

    def __init__(self, target: str = INFER, deadline: bool = False, traced: bool = False) -> None:
        """`deadline`: with another timeout in every call, kept in the table, as grpc-go says it.

        `traced`: with a trace context, spelt out, as OpenTelemetry adds it.
        """
        self._asked = [
            (":path", target),
            (":authority", "127.0.0.1:42133"),
            (":method", "POST"),
            (":scheme", "http"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-accept-encoding", "identity, deflate, gzip"),
            ("user-agent", "grpc-python/1.85.1 grpc-c/58.0.0 (linux; chttp2)"),
        ]
        self._deadline, self._traced = deadline, traced
        self._client, self._server = hpack.Encoder(), hpack.Encoder()
        self._streams = itertools.count(1, 2)
        self._stream = 0
        self._chance = random.Random(1)

    def request(self, message: bytes) -> bytes:
        """The next call; the first begins with what a client greets with."""
        begun, self._stream = self._stream, next(self._streams)
        stream, update = self._stream, bytes(4)
        greeting = b"" if begun else _GREETING + frame(SETTINGS, 0, b"")
        return (
            greeting
            + frame(HEADERS, stream, self._block(), END_HEADERS)
            + frame(WINDOW_UPDATE, stream, update)
            + frame(DATA, stream, framed(message), END_STREAM)
            + frame(WINDOW_UPDATE, 0, update)
        )

    def answer(self, message: bytes) -> bytes:
        """The answer of the last call."""
        stream = self._stream
        head = self._server.encode(_ANSWERED, huffman=False)
        trailers = self._server.encode([("grpc-status", "0")], huffman=False)
        return (
            (frame(SETTINGS, 0, b"") if stream == 1 else b"")
            + frame(HEADERS, stream, head, END_HEADERS)
            + frame(DATA, stream, framed(message))
            + frame(HEADERS, stream, trailers + _EMPTY_MESSAGE, END_HEADERS | END_STREAM)
            + frame(WINDOW_UPDATE, 0, bytes(4))
        )

    def _block(self) -> bytes:
        said = [*self._asked]
        if self._deadline:
            said.append(("grpc-timeout", f"{self._chance.randrange(9_900_000, 10_000_000)}u"))
        if self._traced:
            trace, span = self._chance.getrandbits(128), self._chance.getrandbits(64)
            said.append(hpack.NeverIndexedHeaderTuple("traceparent", f"00-{trace:032x}-{span:016x}-01"))
        return self._client.encode(said, huffman=False)
