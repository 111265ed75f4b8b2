"""Over real sockets: what scrapers, people, browsers and the rude get."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from sidecar import catalog
from sidecar.address import Address
from sidecar.admin import server
from sidecar.admin.server import create_app, serve
from sidecar.admin.status import Details
from sidecar.errors import SidecarError
from sidecar.registry import Registry, Snapshot
from tests.admin.incident import broken, healthy


class Source:
    """A sidecar that has just started."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.found: Details = {"version": "0.1.0", "references": {"churn": {"rows": 5, "source": "learnt"}}}
        self.failing = False

    def snapshot(self) -> Snapshot:
        if self.failing:
            raise RuntimeError("s3cret")
        return self.registry.snapshot()

    def details(self) -> Details:
        return self.found


@pytest.fixture
async def running(tmp_path) -> AsyncIterator["Running"]:
    """A server that was started before an incident, and is in the middle of it."""
    async with run(Source(), tmp_path) as found:
        healthy(found.source.registry)
        broken(found.source.registry)
        yield found


class Running:
    def __init__(self, source: Source, session: aiohttp.ClientSession, path: str) -> None:
        self.source = source
        self.session = session
        self.path = path

    async def get(self, path: str, method: str = "GET", **headers: str) -> aiohttp.ClientResponse:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, f"http://sidecar{path}", headers=headers) as response:
            await response.read()
            return response


@asynccontextmanager
async def run(source: Source, tmp_path) -> AsyncIterator[Running]:
    path = str(tmp_path / "admin.sock")
    runner = await serve(create_app(source), Address(path=path))
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
            yield Running(source, session, path)
    finally:
        await runner.cleanup()


async def test_metrics_are_what_the_registry_holds(running):
    response = await running.get("/metrics")

    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(await response.text())}
    assert {"inference_requests", "sidecar_cpu_seconds", "process_resident_memory_bytes"} <= names


async def test_openmetrics_is_given_to_who_asks_for_it(running):
    response = await running.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")

    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert (await response.text()).endswith("# EOF\n")
    assert response.headers["Content-Encoding"] == "gzip"


async def test_without_gzip_wanted_the_text_is_plain(running):
    response = await running.get("/metrics", Accept_Encoding="identity")

    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_probes_are_answered_whatever_the_host(running, path):
    response = await running.get(path, Host="anything.example.com")

    assert (response.status, await response.text()) == (200, "ok\n")


async def test_the_status_page_and_its_json_say_the_same(running):
    page, status = await running.get("/"), await running.get("/api/v1/status")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    found = json.loads(await status.text())
    assert found["features"][0]["feature"] == "balance"
    assert found["attention"][0]["text"] in await page.text()


async def test_the_window_begins_when_the_server_does(tmp_path):
    source = Source()
    healthy(source.registry)
    async with run(source, tmp_path) as running:
        source.registry.counter(catalog.REQUESTS).add(5, "new", "1", "v2", "predict", "200", "ok")

        found = json.loads(await (await running.get("/api/v1/status")).text())

    assert found["traffic"]["requests"] == 5
    assert found["traffic"]["requests_total"] == 1_005


async def test_the_learnt_reference_can_be_taken_away_and_reviewed(running):
    for path in ("/api/v1/reference?model=churn", "/api/v1/reference"):
        assert json.loads(await (await running.get(path)).text()) == {"rows": 5, "source": "learnt"}


async def test_a_model_without_reference_is_answered_with_those_that_have_one(running):
    response = await running.get("/api/v1/reference?model=../../etc/passwd%00")

    assert response.status == 404
    assert json.loads(await response.text())["models"] == ["churn"]


@pytest.mark.parametrize("path", ["/nothing", "/-/reload", "/-/quit", "/api/v1/labels", "//evil.com/"])
async def test_what_is_not_here_is_answered_with_what_is(running, path):
    for method in ("GET", "POST", "DELETE"):
        response = await running.get(path, method)
        assert response.status == 404
        assert "/metrics" in json.loads(await response.text())["endpoints"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status", "/api/v1/reference"])
async def test_nothing_here_can_be_changed(running, method, path):
    response = await running.get(path, method)

    assert response.status == 405
    assert response.headers["Allow"] == "GET,HEAD"
    assert "error" in json.loads(await response.text())


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status", "/nothing", "/-/healthy"])
async def test_every_answer_is_safe_in_a_browser_and_none_is_for_other_origins(running, path):
    headers = (await running.get(path)).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "sidecar"
    assert not any(name.lower().startswith("access-control") for name in headers)


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status"])
async def test_a_name_that_somebody_points_at_us_is_refused(running, path):
    response = await running.get(path, Host="evil.example.com:19464")

    assert response.status == 421
    assert "evil" not in await response.text()


async def test_another_origin_is_refused_and_our_own_is_not(running):
    assert (await running.get("/api/v1/status", Origin="http://evil.example.com")).status == 403
    assert (await running.get("/api/v1/status", Origin="http://sidecar")).status == 200


async def test_a_failure_is_one_sentence_and_the_server_goes_on(running, caplog):
    running.source.failing = True
    for path in ("/metrics", "/", "/api/v1/status"):
        response = await running.get(path)
        assert response.status == 500
        assert json.loads(await response.text()) == {"error": "this request failed"}
    assert "s3cret" not in caplog.text
    assert "Traceback" not in caplog.text

    running.source.failing = False
    assert (await running.get("/metrics")).status == 200


async def test_numbers_that_json_does_not_know_are_null(running):
    running.source.registry.gauge(catalog.OBSERVER_LAG).set(float("nan"))

    found = json.loads(await (await running.get("/api/v1/status")).text(), parse_constant=pytest.fail)

    assert found["cost"]["observer_lag_seconds"] is None


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"s3cret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: s3cret\r\n\r\n",
        b"GET / HTTP/9.9\r\ns3cret\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00s3cret\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_bytes_that_are_no_request_leave_no_trace_in_the_log(running, caplog, request_bytes):
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_unix_connection(running.path)
    writer.write(request_bytes)
    writer.write_eof()
    await reader.read()
    writer.close()

    assert "s3cret" not in caplog.text
    assert "Traceback" not in caplog.text
    assert (await running.get("/-/healthy")).status == 200


async def test_more_requests_than_we_care_to_hold_are_refused_but_never_a_probe(running, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONCURRENT", 0)

    assert (await running.get("/metrics")).status == 503
    assert (await running.get("/-/ready")).status == 200


async def test_an_answer_that_takes_too_long_is_given_up(running, monkeypatch):
    monkeypatch.setattr(server, "SEND_SECONDS", 0)
    reader, writer = await asyncio.open_unix_connection(running.path)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")

    assert await reader.read() == b""
    writer.close()


async def test_an_answer_counts_until_it_was_read(running, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONCURRENT", 1)
    values = running.source.registry.counter(catalog.FEATURE_VALUES)
    for i in range(19_000):
        values.add(1, "m", "1", f"feature_with_a_rather_long_name_{i}", "valid")
    slow, writer = await asyncio.open_unix_connection(running.path, limit=1024)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await slow.readuntil(b"\r\n\r\n")

    assert (await running.get("/metrics")).status == 503

    await slow.read()
    writer.close()
    assert (await running.get("/metrics")).status == 200


async def test_it_listens_on_tcp_too_and_says_when_it_cannot():
    runner = await serve(create_app(Source()), Address("127.0.0.1", 0))
    host, port = runner.addresses[0]
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{host}:{port}/metrics") as response,
        ):
            assert response.status == 200
        with pytest.raises(SidecarError):
            await serve(create_app(Source()), Address("127.0.0.1", port))
    finally:
        await runner.cleanup()


async def test_head_has_no_body(running):
    response = await running.get("/metrics", "HEAD")

    assert response.status == 200
    assert int(response.headers["Content-Length"]) > 1_000


async def test_an_application_can_be_told_further_names(tmp_path):
    path = str(tmp_path / "s")
    app = create_app(Source(), hosts=["metrics.example.com"])
    assert isinstance(app, web.Application)
    runner = await serve(app, Address(path=path))
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
            session.get("http://metrics.example.com/metrics") as response,
        ):
            assert response.status == 200
    finally:
        await runner.cleanup()
