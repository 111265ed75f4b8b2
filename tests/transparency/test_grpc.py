"""gRPC over h2c, grpcio at both ends: what a call sees through the relay is what it sees direct.

The channel is kept for several calls, so each test also crosses the frames of the others.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.faults.running import sidecar

LARGE = bytes(range(256)) * (4 * 1024 * 1024 // 256)
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
PATIENCE_SECONDS = 20


class Service:
    """The four kinds of call, over plain bytes, and calls that end badly."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        sent = dict(context.invocation_metadata())
        context.send_initial_metadata((("initial", sent.get("question", "")),))
        context.set_trailing_metadata((("trailing-bin", b"\x00\xff" + sent.get("blob-bin", b"")),))
        return request

    def upload(self, requests: Iterable[bytes], context: grpc.ServicerContext) -> bytes:
        return b"|".join(requests)

    def download(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    def both(self, requests: Iterable[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield request.upper()

    def refuses(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "model is not loaded: ☃")

    def hangs(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        ended = threading.Event()
        context.add_callback(ended.set)
        # Not after the wait: a server that hears of it early enough does not ask for another message.
        context.add_callback(self.cancelled.set)
        yield b"started"
        ended.wait(PATIENCE_SECONDS)


def handlers(service: Service) -> grpc.GenericRpcHandler:
    kinds: dict[str, Callable[..., grpc.RpcMethodHandler]] = {
        "unary": grpc.unary_unary_rpc_method_handler,
        "refuses": grpc.unary_unary_rpc_method_handler,
        "upload": grpc.stream_unary_rpc_method_handler,
        "download": grpc.unary_stream_rpc_method_handler,
        "hangs": grpc.unary_stream_rpc_method_handler,
        "both": grpc.stream_stream_rpc_method_handler,
    }
    return grpc.method_handlers_generic_handler(
        "test.Model", {name: kind(getattr(service, name)) for name, kind in kinds.items()}
    )


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


@pytest.fixture(scope="module")
def channels(
    service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[grpc.Channel, grpc.Channel]]:
    """One direct, one through a sidecar."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=UNLIMITED)
    server.add_generic_rpc_handlers((handlers(service),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    directory: Path = tmp_path_factory.mktemp("sidecar")
    with sidecar(directory, f"127.0.0.1:{port}") as running:
        addresses = f"127.0.0.1:{port}", f"127.0.0.1:{running.address[1]}"
        direct, relayed = (grpc.insecure_channel(address, UNLIMITED) for address in addresses)
        with direct, relayed:
            yield direct, relayed
    server.stop(0).wait()


def same(channels: tuple[grpc.Channel, grpc.Channel], what: Callable[[grpc.Channel], Any]) -> Any:
    """Do it on both channels; the results are equal, and this is the one through the relay."""
    direct, relayed = map(what, channels)
    assert relayed == direct
    return relayed


def outcome(call: Any) -> tuple[Any, ...]:
    """Everything a client can see of how a call ended."""
    return call.code(), call.details(), tuple(call.initial_metadata()), tuple(call.trailing_metadata())


def test_a_unary_call_with_metadata_both_ways(channels):
    def ask(channel: grpc.Channel) -> Any:
        metadata = (("question", "why"), ("blob-bin", bytes(range(256))))
        answer, call = channel.unary_unary("/test.Model/unary").with_call(
            b"\x00request", metadata=metadata, timeout=PATIENCE_SECONDS
        )
        return answer, outcome(call)

    answer, (code, _, initial, trailing) = same(channels, ask)
    assert (answer, code) == (b"\x00request", grpc.StatusCode.OK)
    assert ("initial", "why") in initial
    assert ("trailing-bin", b"\x00\xff" + bytes(range(256))) in trailing


def test_a_message_of_four_megabytes_both_ways(channels):
    answer = same(channels, lambda c: c.unary_unary("/test.Model/unary")(LARGE, timeout=PATIENCE_SECONDS))
    assert answer == LARGE


def test_a_stream_of_requests(channels):
    requests = [b"%d" % number for number in range(1000)]
    upload = "/test.Model/upload"
    answer = same(channels, lambda c: c.stream_unary(upload)(iter(requests), timeout=PATIENCE_SECONDS))
    assert answer == b"|".join(requests)


def test_a_stream_of_answers(channels):
    download = "/test.Model/download"
    answers = same(channels, lambda c: list(c.unary_stream(download)(b"1000", timeout=PATIENCE_SECONDS)))
    assert answers == [b"%d" % number for number in range(1000)]


def test_a_conversation_in_lock_step(channels):
    """Each request is sent when the answer to the one before has arrived."""

    def converse(channel: grpc.Channel) -> list[bytes]:
        turn, seen = threading.Semaphore(1), []

        def requests() -> Iterator[bytes]:
            for number in range(200):
                turn.acquire()
                yield b"turn %d" % number

        for answer in channel.stream_stream("/test.Model/both")(requests(), timeout=PATIENCE_SECONDS):
            seen.append(answer)
            turn.release()
        return seen

    assert same(channels, converse)[-1] == b"TURN 199"


def test_an_error_in_trailers_only(channels):
    def fail(channel: grpc.Channel) -> Any:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/test.Model/refuses")(b"", timeout=PATIENCE_SECONDS)
        return outcome(failed.value)

    assert same(channels, fail)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "model is not loaded: ☃")


def test_a_method_nobody_serves(channels):
    def fail(channel: grpc.Channel) -> Any:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/test.Model/unknown")(b"", timeout=PATIENCE_SECONDS)
        return outcome(failed.value)

    assert same(channels, fail)[0] is grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_ends_the_call_at_both_ends(channels, service: Service):
    def fail(channel: grpc.Channel) -> Any:
        service.cancelled.clear()
        with pytest.raises(grpc.RpcError) as failed:
            list(channel.unary_stream("/test.Model/hangs")(b"", timeout=0.3))
        assert service.cancelled.wait(PATIENCE_SECONDS)
        return failed.value.code()

    assert same(channels, fail) is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_cancellation_reaches_the_server(channels, service: Service):
    def leave(channel: grpc.Channel) -> Any:
        service.cancelled.clear()
        call = channel.unary_stream("/test.Model/hangs")(b"", timeout=PATIENCE_SECONDS)
        assert next(call) == b"started"
        call.cancel()
        assert service.cancelled.wait(PATIENCE_SECONDS / 2)
        return call.code()

    assert same(channels, leave) is grpc.StatusCode.CANCELLED


def test_many_calls_at_once_on_one_connection_do_not_mix(channels):
    def ask(channel: grpc.Channel) -> list[bytes]:
        ask = channel.unary_unary("/test.Model/unary")
        calls = [ask.future(b"%d" % number * 1000, timeout=PATIENCE_SECONDS) for number in range(200)]
        return [call.result() for call in calls]

    assert same(channels, ask) == [b"%d" % number * 1000 for number in range(200)]
