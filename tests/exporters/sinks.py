"""Real OTLP receivers on loopback, one per protocol, and the collectors nobody wants."""

import asyncio
import logging
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from sidecar.demo.processes import free_ports

# Of the authority that clients are checked against, of the certificate, of its key.
Files = tuple[str, str, str]

_MESSAGES = {
    "metrics": ("metrics", "MetricsService", ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "traces": ("trace", "TraceService", ExportTraceServiceRequest, ExportTraceServiceResponse),
    "logs": ("logs", "LogsService", ExportLogsServiceRequest, ExportLogsServiceResponse),
}


@dataclass
class Sink:
    """What arrived. `arrived` is set at the first request; `status` is what requests are answered with.

    `rejects` is how many records of a request are said to be rejected.
    """

    endpoint: str = ""
    requests: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    status: int = 200
    rejects: int = 0

    def take(self, path: str, headers: dict[str, str], request: Message) -> None:
        self.paths.append(path)
        self.headers.append(headers)
        self.requests.append(request)
        self.arrived.set()

    def answer(self, signal: str) -> Message:
        answer = _MESSAGES[signal][3]()
        part = answer.partial_success
        if self.rejects:
            name = {"metrics": "data_points", "traces": "spans", "logs": "log_records"}[signal]
            setattr(part, f"rejected_{name}", self.rejects)
        return answer


@contextmanager
def http_sink(status: int = 200, tls: Files | None = None) -> Iterator[Sink]:
    """An OTLP/HTTP receiver that decodes what it gets."""
    sink = Sink(status=status)

    async def export(request: web.Request) -> web.Response:
        # aiohttp has undone the content coding already when it knows it.
        body = await request.read()
        signal = request.path.rpartition("/")[2]
        headers = {k.lower(): v for k, v in request.headers.items()}
        sink.take(request.path, headers, _MESSAGES[signal][2].FromString(body))
        return web.Response(
            status=sink.status,
            headers={"Location": "/elsewhere/v1/metrics"} if 300 <= sink.status < 400 else {},
            body=sink.answer(signal).SerializeToString(),
            content_type="application/x-protobuf",
        )

    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/{tail:.*}", export)
    loop = asyncio.new_event_loop()
    # What TLS looks like to a plain receiver is no news here.
    quiet = logging.getLogger("sink")
    quiet.disabled = True
    runner = web.AppRunner(app, shutdown_timeout=0.1, logger=quiet, access_log=None)
    loop.run_until_complete(runner.setup())
    listener = _listener()
    loop.run_until_complete(web.SockSite(runner, listener, ssl_context=_context(tls)).start())
    sink.endpoint = f"{_place(tls)}:{listener.getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def grpc_sink(tls: Files | None = None) -> Iterator[Sink]:
    """An OTLP/gRPC receiver."""
    sink = Sink()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    for signal in _MESSAGES:
        server.add_generic_rpc_handlers((_handler(sink, signal),))
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        ca, certificate, key = (Path(path).read_bytes() for path in tls)
        port = server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)
        )
    server.start()
    sink.endpoint = f"{_place(tls)}:{port}"
    try:
        yield sink
    finally:
        server.stop(0).wait(10)


def _handler(sink: Sink, signal: str) -> grpc.GenericRpcHandler:
    package, name, asked, answered = _MESSAGES[signal]
    service = f"opentelemetry.proto.collector.{package}.v1.{name}"

    def export(request: Message, context: grpc.ServicerContext) -> Message:
        sink.take(f"/{service}/Export", dict(context.invocation_metadata()), request)
        if sink.status != 200:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "hostile\r\nwords")
        return sink.answer(signal)

    handler = grpc.unary_unary_rpc_method_handler(
        export, request_deserializer=asked.FromString, response_serializer=answered.SerializeToString
    )
    return grpc.method_handlers_generic_handler(service, {"Export": handler})


@contextmanager
def hanging_sink() -> Iterator[Sink]:
    """Accepts connections and requests, and never says a word."""
    sink = Sink()
    listener = _listener()
    sink.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            sink.arrived.set()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()
        thread.join(10)


def _context(tls: Files | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    ca, certificate, key = tls
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _place(tls: Files | None) -> str:
    return "http://127.0.0.1" if tls is None else "https://localhost"


def closed_port() -> int:
    """A port on which nobody listens, nor will."""
    return free_ports(1)[0]


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def seconds_to_end(program: str, timeout: float) -> float:
    """What a Python program says it took to end while its collector says nothing.

    It gets the collector's address, waits for a line on stdin, and prints the seconds.
    """
    with hanging_sink() as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", program, sink.endpoint],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert sink.arrived.wait(30)
        out, err = process.communicate("\n", timeout=timeout)

    assert process.returncode == 0, err
    assert "Traceback" not in err
    return float(out)
