"""The two peers of an HTTP/2 connection, as bytes. Their tables are real: what they say depends on what they
said before."""

from hpack import Encoder

from sidecar.wire.http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
)  # fmt: skip
from tests.wire.playbook import Playbook

INFER = "/inference.GRPCInferenceService/ModelInfer"
PING, WINDOW_UPDATE = 6, 8
CANCEL, REFUSED_STREAM = 8, 7


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(**values: int) -> bytes:
    numbers = {"table": 1, "push": 2, "frame": 5}
    pairs = (numbers[name].to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items())
    return frame(SETTINGS, 0, b"".join(pairs))


def data(stream: int, payload: bytes = b"", end: bool = False) -> bytes:
    return frame(DATA, stream, payload, END_STREAM if end else 0)


def reset(stream: int, error: int = CANCEL) -> bytes:
    return frame(RST_STREAM, stream, error.to_bytes(4, "big"))


def goaway(last: int, error: int = 0) -> bytes:
    return frame(GOAWAY, 0, last.to_bytes(4, "big") + error.to_bytes(4, "big") + b"why")


def message(payload: bytes) -> bytes:
    return b"\x00" + len(payload).to_bytes(4, "big") + payload


class Peer:
    """One side and its table."""

    def __init__(self) -> None:
        self.hpack = Encoder()

    def block(self, fields: dict[str, str]) -> bytes:
        return self.hpack.encode(list(fields.items()))

    def headers(self, stream: int, fields: dict[str, str], end: bool = False, pieces: int = 1) -> bytes:
        block = self.block(fields)
        size = -(-len(block) // pieces)
        parts = [block[at : at + size] for at in range(0, len(block), size)]
        frames = []
        for index, part in enumerate(parts):
            flags = END_HEADERS if index == len(parts) - 1 else 0
            if not index and end:
                flags |= END_STREAM
            frames.append(frame(CONTINUATION if index else HEADERS, stream, part, flags))
        return b"".join(frames)


class Client(Peer):
    preface = PREFACE + settings()

    def head(self, stream: int, path: str = INFER, end: bool = False, pieces: int = 1, **more: str) -> bytes:
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "model:8001",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        fields.update({name.replace("_", "-"): value for name, value in more.items()})
        return self.headers(stream, fields, end, pieces)

    def call(self, stream: int, body: bytes = b"asked", path: str = INFER, **more: str) -> bytes:
        return self.head(stream, path, **more) + data(stream, message(body), end=True)


class Server(Peer):
    preface = settings()

    def head(self, stream: int, status: str = "200", end: bool = False, **more: str) -> bytes:
        fields = {":status": status, "content-type": "application/grpc"}
        fields.update({name.replace("_", "-"): value for name, value in more.items()})
        return self.headers(stream, fields, end)

    def trailers(self, stream: int, status: str = "0", **more: str) -> bytes:
        fields = {"grpc-status": status} | {name.replace("_", "-"): value for name, value in more.items()}
        return self.headers(stream, fields, end=True)

    def answer(self, stream: int, body: bytes = b"answered", status: str = "0") -> bytes:
        return self.head(stream) + data(stream, message(body)) + self.trailers(stream, status)


def begun() -> tuple[Playbook, Client, Server]:
    """A connection on which both have said hello."""
    return Playbook().open().client(Client.preface).server(Server.preface), Client(), Server()
