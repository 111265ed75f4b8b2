"""From a logger's post, or Envoy's stream, to the metrics: everything but the process around it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import grpc.aio
import pytest

from sidecar import catalog
from sidecar.address import Address
from sidecar.config import Settings
from sidecar.exporters.prometheus import render
from sidecar.ingest.ingesting import Ingesting
from sidecar.observer.pipeline import Pipeline
from tests.ingest import events
from tests.ingest.test_ext_proc import PROCESS
from tests.ingest.test_ext_proc_stream import messages

ANYWHERE = Address("127.0.0.1", 0)


@asynccontextmanager
async def ingesting(
    cloudevents: Address | None = None, ext_proc: Address | None = None
) -> AsyncIterator[tuple[Ingesting, Callable[[], str]]]:
    """What listens, and a function that gives its metrics as Prometheus would read them."""
    pipeline = Pipeline(Settings())
    one = Ingesting(pipeline.registry, pipeline.observer.observe, cloudevents, ext_proc)
    await one.start()
    try:
        yield one, lambda: render(pipeline.registry.snapshot(), "")[0].decode()
    finally:
        await one.stop()


async def seen(metrics: Callable[[], str], line: str) -> str:
    async with asyncio.timeout(20):
        while line not in (text := metrics()):
            await asyncio.sleep(0.01)
    return text


async def test_a_captured_request_of_kserves_logger_and_its_answer_are_in_the_metrics():
    async with ingesting(cloudevents=ANYWHERE) as (one, metrics), aiohttp.ClientSession() as session:
        headers, body = events.captured("kserve-logger/request_gzip")
        del headers["host"]
        answer = events.logged("response", {"predictions": [0.5]}, id=headers["ce-id"], component="predictor")
        for fields, data in (answer, (headers, body)):
            async with session.post(f"http://127.0.0.1:{one.ports[0]}/", headers=fields, data=data) as said:
                assert said.status == 202
        model = 'model_name="iris",model_version="unknown"'
        line = (
            f'inference_requests_total{{{model},protocol="v1",operation="predict",code="200",outcome="ok"}} 1'
        )
        text = await seen(metrics, line)
    assert f"inference_rows_total{{{model}}} 1" in text
    assert 'feature="input[0]",state="valid"} 1' in text
    assert f'inference_predictions_total{{{model},output="prediction",class=""}} 1' in text
    assert 'sidecar_ingest_events_total{source="kserve",state="observed"} 2' in text
    # A logger does not say how long anything took, and nothing is made up.
    assert f'inference_request_duration_seconds_count{{{model},protocol="v1",outcome="ok"}} 0' in text
    assert f'inference_time_to_first_byte_seconds_count{{{model},protocol="v1"}} 0' in text
    assert f"inference_request_size_bytes_sum{{{model}}} 42" in text
    assert 'source="envoy"' not in text


async def test_an_answer_alone_is_an_inference_whose_request_could_not_be_read():
    async with ingesting(cloudevents=ANYWHERE) as (one, metrics):
        server = one._servers[0]
        server._sink.take(*events.logged("response", {"predictions": [0.5, 0.25]}))
        server._sink._now = lambda: float("inf")
        server._sink.expire()
        await seen(metrics, 'state="unasked"} 1')
        text = await seen(metrics, "inference_requests_total{")
    assert 'reason="body_gap",protocol="v1"} 1' in text
    assert 'code="200",outcome="ok"} 1' in text
    assert 'inference_request_size_bytes_count{model_name="iris",model_version="unknown"} 0' in text


async def test_an_exchange_that_envoy_shows_is_in_the_metrics_with_its_times():
    async with ingesting(ext_proc=ANYWHERE) as (one, metrics):
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{one.ports[0]}")
        call = channel.stream_stream(PROCESS)()
        for message in messages("grpc"):
            await call.write(message)
        model = 'model_name="iris",model_version="1",protocol="v2-grpc"'
        text = await seen(metrics, model + ',operation="predict",code="OK",outcome="ok"} 1')
        await channel.close()
    assert 'inference_request_duration_seconds_count{model_name="iris",model_version="1",' in text
    assert 'sidecar_ingest_events_total{source="envoy",state="observed"} 1' in text


async def test_what_is_not_asked_for_is_not_there():
    async with ingesting() as (one, metrics):
        assert one.ports == []
        assert catalog.INGEST_EVENTS.name + "{" not in metrics()


async def test_what_waits_is_handed_on_before_we_leave():
    async with ingesting(cloudevents=ANYWHERE) as (one, metrics):
        for role in ("request", "response"):
            one._servers[0]._sink.take(*events.logged(role, {"instances": [1]}))
        one._running.cancel()  # type: ignore[union-attr]
    assert 'outcome="ok"} 1' in metrics()


@pytest.mark.parametrize("way", ["cloudevents", "ext_proc"])
async def test_two_cannot_have_one_address(way):
    from sidecar.errors import SidecarError

    async with ingesting(**{way: ANYWHERE}) as (one, _):
        with pytest.raises(SidecarError, match="cannot listen on"):
            async with ingesting(**{way: Address("127.0.0.1", one.ports[0])}):
                pass
