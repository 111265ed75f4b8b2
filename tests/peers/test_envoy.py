"""A real Envoy shows real traffic to `ingest.ext_proc`, and traffic does not notice."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from aiohttp import web

from sidecar.address import Address
from sidecar.demo.processes import free_ports
from sidecar.exchange import Exchange, Outcome
from sidecar.ingest.ext_proc import ExtProc
from sidecar.ingest.intake import Intake
from sidecar.registry import Registry
from tests.peers.running import program

ENVOY = program("envoy", "envoy")
_TYPE = "type.googleapis.com/envoy.extensions"
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _cluster(name: str, port: int, **more: Any) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}, **more}


def configuration(listen: int, upstream: int, processor: int, *, observability: bool, grpc: bool) -> str:
    """Envoy with the filter of docs/ingest.md."""
    modes = {f"{part}_mode": "SEND" for part in ("request_header", "response_header")}
    modes |= {f"{part}_mode": "SEND" for part in ("request_trailer", "response_trailer")}
    modes |= {f"{part}_mode": "STREAMED" for part in ("request_body", "response_body")}
    processing = {
        "@type": f"{_TYPE}.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "sidecar"}},
        "processing_mode": modes,
        "failure_mode_allow": True,
        "observability_mode": observability,
    }
    router = {"@type": f"{_TYPE}.filters.http.router.v3.Router"}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}]
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "envoy.filters.http.ext_proc", "typed_config": processing},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    http2 = {
        _HTTP: {
            "@type": f"type.googleapis.com/{_HTTP}",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    listener = {
        "name": "in",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": listen}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }
    clusters = [
        _cluster("upstream", upstream, **({"typed_extension_protocol_options": http2} if grpc else {})),
        _cluster("sidecar", processor, typed_extension_protocol_options=http2),
    ]
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


async def _predict(request: web.Request) -> web.Response:
    await request.read()
    packed = gzip.compress(b'{"predictions": [1]}')
    return web.Response(body=packed, headers={"content-type": "application/json", "content-encoding": "gzip"})


async def _stream(request: web.Request) -> web.StreamResponse:
    await request.read()
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    for _ in range(3):
        await answer.write(b'data: {"choices":[]}\n\n')
        await asyncio.sleep(0.05)
    if "cut" in request.query and request.transport is not None:
        request.transport.abort()
    else:
        await answer.write(b"data: [DONE]\n\n")
    return answer


async def _hang(request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


class _Infer(grpc.GenericRpcHandler):
    """Answers with what it was sent, or fails when that is nothing."""

    def service(self, details: Any) -> Any:
        async def infer(request: bytes, context: Any) -> bytes:
            if not request:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nothing")
            return request

        return grpc.unary_unary_rpc_method_handler(infer)


class Here:
    """Envoy in front of a model server, and the processor it shows traffic to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.exchanges: list[Exchange] = []
        self.intake = Intake(Registry(), self.exchanges.append)

    async def post(self, path: str, body: bytes = b'{"instances": [[1]]}', seconds: float = 20.0) -> int:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with aiohttp.ClientSession(self.url, timeout=timeout) as session:
            answer = await session.post(path, data=body)
            await answer.read()
            return answer.status

    async def until(self, state: str) -> Exchange:
        async with asyncio.timeout(20):
            while not self.intake._counter.values.get(("envoy", state)):
                await asyncio.sleep(0.01)
        self.intake.flush()
        return self.exchanges[-1] if self.exchanges else None  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def envoy(
    tmp_path: Path, *, observability: bool = True, processor: bool = True, grpc_upstream: bool = False
) -> AsyncIterator[Here]:
    listen, upstream, port = free_ports(3)
    here = Here(f"http://127.0.0.1:{listen}")
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/models/m:predict", _predict)
    app.router.add_post("/v1/chat/completions", _stream)
    app.router.add_post("/v1/models/hung:predict", _hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    calls = grpc.aio.server()
    if grpc_upstream:
        calls.add_generic_rpc_handlers((_Infer(),))
        calls.add_insecure_port(f"127.0.0.1:{upstream}")
        await calls.start()
    else:
        await web.TCPSite(runner, "127.0.0.1", upstream).start()
    server = ExtProc(here.intake, Address("127.0.0.1", port))
    if processor:
        await server.start()
    file = tmp_path / "envoy.json"
    file.write_text(configuration(listen, upstream, port, observability=observability, grpc=grpc_upstream))
    process = await asyncio.create_subprocess_exec(
        *(ENVOY, "-c", file, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error")
    )
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    (await asyncio.open_connection("127.0.0.1", listen))[1].close()
                    break
                await asyncio.sleep(0.05)
        yield here
    finally:
        process.terminate()
        await process.wait()
        await server.stop()
        await calls.stop(None)
        await runner.cleanup()


async def test_an_exchange_is_seen_whole_decoded_and_timed(tmp_path):
    async with envoy(tmp_path) as here:
        assert await here.post("/v1/models/m:predict") == 200
        exchange = await here.until("observed")
    assert (exchange.target, exchange.outcome) == ("/v1/models/m:predict", Outcome.OK)
    assert (exchange.request.data, exchange.response.data) == (
        b'{"instances": [[1]]}',
        b'{"predictions": [1]}',
    )
    assert exchange.timings.duration is not None


async def test_events_of_a_stream_have_the_times_at_which_they_passed(tmp_path):
    async with envoy(tmp_path) as here:
        assert await here.post("/v1/chat/completions", b'{"messages": []}') == 200
        exchange = await here.until("observed")
    assert exchange.streamed
    assert len(exchange.events) == 4
    assert exchange.events[3].time - exchange.events[0].time > 0.1


async def test_a_client_that_gives_up_and_an_answer_that_is_cut_are_told_apart(tmp_path):
    async with envoy(tmp_path) as here:
        with pytest.raises(TimeoutError):
            await here.post("/v1/models/hung:predict", seconds=0.5)
        assert (await here.until("unanswered")).outcome is Outcome.CLIENT_CLOSED
    async with envoy(tmp_path) as here:
        with pytest.raises(aiohttp.ClientError):
            await here.post("/v1/chat/completions?cut")
        assert (await here.until("unanswered")).outcome is Outcome.UNOBSERVED


async def test_an_upload_past_the_limit_passes_and_is_counted(tmp_path):
    async with envoy(tmp_path) as here:
        assert await here.post("/v1/models/m:predict", bytes(5_000_000)) == 200
        exchange = await here.until("observed")
    assert (exchange.request.size, exchange.request.problem) == (5_000_000, "too_large")


@pytest.mark.parametrize(("observability", "processor"), [(True, False), (False, True)])
async def test_traffic_passes_without_a_processor_and_past_one_it_waits_for(
    tmp_path, observability, processor
):
    async with envoy(tmp_path, observability=observability, processor=processor) as here:
        for _ in range(5):
            assert await here.post("/v1/models/m:predict", seconds=5.0) == 200
        if processor:
            await here.until("ignored")
        assert here.exchanges == []


@pytest.mark.parametrize(
    ("asked", "code", "outcome"),
    [(b"\x0a\x04iris", "OK", Outcome.OK), (b"", "INVALID_ARGUMENT", Outcome.CLIENT_ERROR)],
)
async def test_a_grpc_call_has_its_messages_and_the_code_in_its_trailers(tmp_path, asked, code, outcome):
    async with envoy(tmp_path, grpc_upstream=True) as here:
        async with grpc.aio.insecure_channel(here.url.removeprefix("http://")) as channel:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(asked)
        exchange = await here.until("observed")
    assert (exchange.code, exchange.outcome, exchange.streamed) == (code, outcome, False)
    prefixed = len(asked).to_bytes(5, "big") + asked
    assert exchange.request.data == prefixed
    assert exchange.response.data == (prefixed if asked else b"")
