"""gRPC through a real sidecar, grpcio at both ends: what its metrics say of calls that end in every way."""

import math
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import pytest

from tests.decoders.grpc_calls import tensor
from tests.decoders.protobuf_encoder import bytes_field
from tests.faults.running import Sidecar, sidecar, total

INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
LIVE = "/inference.GRPCInferenceService/ServerLive"
CHURN = b"\x0a\x05churn\x12\x013"
# A hundred rows, and what is answered: enough for gRPC to find that compressing them is worth it.
AGES, INCOMES, SCORES = [31.0] * 99 + [math.nan], [0.5] * 100, [0.25] * 100


def raw(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


ROWS = (
    CHURN
    + tensor("age", "FP32", [100])
    + tensor("income", "FP32", [100, 1])
    + bytes_field(7, raw(AGES))
    + bytes_field(7, raw(INCOMES))
)
SCORED = CHURN + tensor("score", "FP32", [100]) + bytes_field(6, raw(SCORES))
CODES = {code.value[0]: code for code in grpc.StatusCode}
PATIENCE_SECONDS = 20


def infer(request: bytes, context: grpc.ServicerContext) -> bytes:
    """Scores for rows; else what its third field asks for. The answer names model and version."""
    if request == ROWS:
        return SCORED
    wish = request[len(CHURN) :]
    if wish.startswith(b"code"):
        context.abort(CODES[int(wish[4:])], "the payload says so")
    if wish == b"hang":
        over = threading.Event()
        context.add_callback(over.set)
        over.wait(PATIENCE_SECONDS)
    return CHURN


def stream(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    """Two answers to each request, wrapped as Triton wraps them: 2 infer_response."""
    for request in requests:
        yield bytes_field(2, request)
        yield bytes_field(2, request)


def handlers() -> list[grpc.GenericRpcHandler]:
    unary = grpc.unary_unary_rpc_method_handler
    methods = {
        "inference.GRPCInferenceService": {
            "ModelInfer": unary(infer),
            "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(stream),
            "ServerLive": unary(lambda request, context: b"\x08\x01"),
        },
        "tensorflow.serving.PredictionService": {
            "Predict": unary(lambda request, context: b"\x12\x07\x0a\x01m\x12\x02\x08\x07")
        },
    }
    return [grpc.method_handlers_generic_handler(name, those) for name, those in methods.items()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers(handlers())
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with sidecar(tmp_path_factory.mktemp("sidecar"), f"127.0.0.1:{port}") as started:
        yield started
    server.stop(0).wait()


@pytest.fixture(scope="module")
def channel(running: Sidecar) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{running.address[1]}") as channel:
        yield channel


@pytest.fixture
def counted(running: Sidecar) -> Callable[..., float]:
    """How many exchanges with these labels there are once there are as many as expected."""

    def wait(expected: float, name: str = "inference_requests_total", **labels: str) -> float:
        poll = threading.Event()
        for _ in range(200):
            found = total(running.get("/metrics")[1], name, **labels)
            if found >= expected:
                return found
            poll.wait(0.05)
        return found

    return wait


def ask(channel: grpc.Channel, message: bytes = CHURN, path: str = INFER) -> bytes:
    return channel.unary_unary(path)(message, timeout=PATIENCE_SECONDS)


def test_unary_calls_are_counted_and_timed_by_model_and_protocol(channel, counted):
    for _ in range(5):
        assert ask(channel, ROWS) == SCORED
    labels = {"model_name": "churn", "model_version": "3", "protocol": "v2-grpc"}
    assert counted(5, **labels, operation="predict", code="OK", outcome="ok") == 5
    assert counted(5, "inference_request_duration_seconds_count", **labels, outcome="ok") == 5
    assert counted(5, "inference_time_to_first_byte_seconds_count", **labels) == 5
    assert counted(1, "sidecar_connections", state="observed", protocol="http2") == 1
    assert counted(0, "sidecar_connections", state="blind") == 0
    assert counted(0, "sidecar_exchanges_undecoded_total") == 0


@pytest.mark.parametrize("compression", grpc.Compression)
def test_the_features_and_predictions_of_a_call_are_counted_compressed_or_not(channel, counted, compression):
    model = {"model_name": "churn", "model_version": "3"}
    values = "inference_feature_values_total"
    before = counted(0, values, **model, feature="age", state="valid")
    call = channel.unary_unary(INFER)
    assert call(ROWS, timeout=PATIENCE_SECONDS, compression=compression) == SCORED
    assert counted(before + 99, values, **model, feature="age", state="valid") == before + 99
    calls = (before + 99) // 99
    assert counted(calls, values, **model, feature="age", state="nan") == calls
    assert counted(100 * calls, values, **model, feature="income", state="valid") == 100 * calls
    assert counted(100 * calls, "inference_predictions_total", **model, output="score") == 100 * calls
    assert counted(0, "sidecar_exchanges_undecoded_total") == 0


def test_another_protocol_on_the_same_connection_has_its_own_label_and_model(channel, counted):
    ask(channel, b"\x0a\x03\x0a\x01m", PREDICT)
    assert counted(1, protocol="tfs-grpc", model_name="m", model_version="7", code="OK") == 1


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "client_error"),
        (grpc.StatusCode.NOT_FOUND, "client_error"),
        (grpc.StatusCode.UNAVAILABLE, "server_error"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "server_error"),
        (grpc.StatusCode.INTERNAL, "server_error"),
    ],
)
def test_a_call_that_fails_is_counted_by_the_name_of_its_code(channel, counted, code, outcome):
    with pytest.raises(grpc.RpcError):
        ask(channel, CHURN + b"code%d" % code.value[0])
    assert counted(1, protocol="v2-grpc", code=code.name, outcome=outcome) == 1


def test_a_client_that_cancels_has_closed(channel, counted):
    call = channel.unary_unary(INFER).future(CHURN + b"hang", timeout=PATIENCE_SECONDS)
    assert counted(1, "inference_requests_in_flight") == 1
    call.cancel()
    assert counted(1, code="CANCELLED", outcome="client_closed") == 1


def test_a_deadline_that_passes_is_the_servers(channel, counted):
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(INFER)(CHURN + b"hang", timeout=0.5)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert counted(1, code="DEADLINE_EXCEEDED", outcome="server_error") == 1


def test_a_stream_is_counted_once_and_has_no_duration(channel, counted):
    before = counted(0, "inference_request_duration_seconds_count")
    answers = channel.stream_stream(STREAM)(iter([b"\x0a\x06stream"] * 3), timeout=PATIENCE_SECONDS)
    assert len(list(answers)) == 6
    assert counted(1, model_name="stream", protocol="v2-grpc", code="OK") == 1
    assert counted(0, "inference_request_duration_seconds_count") == before


def test_probes_are_no_inference(channel, counted):
    ask(channel, b"", LIVE)
    assert counted(1, "sidecar_other_exchanges_total", kind="probe") == 1


def test_what_a_message_says_is_nowhere_in_the_log(running):
    assert "the payload says so" not in running.said() and "Traceback" not in running.said()
