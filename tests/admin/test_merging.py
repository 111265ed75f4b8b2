"""The model server's metrics behind ours: what is taken over, what is left out, and what it may cost."""

import asyncio
from collections import Counter

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as families

from sidecar.admin import merging
from sidecar.admin.merging import Merging, merged
from sidecar.admin.scrape import Scrapes
from sidecar.registry import Registry

TRITON = """\
# HELP nv_inference_request_success Number of successful inference requests
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="churn",version="3"} 12
# TYPE wait histogram
wait_bucket{le="1.0"} 3
wait_bucket{le="+Inf"} 4
wait_sum 2.5
wait_count 4
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.5e+08
gpu_use{name="a \\"b\\" } \\\\ c"} NaN 1700000000000
"""


def test_what_is_valid_is_taken_over_family_by_family():
    body, reasons = merged(TRITON)
    found = {f.name: len(f.samples) for f in families(body.decode())}
    assert found == {
        "nv_inference_request_success": 1,
        "wait": 4,
        "process_resident_memory_bytes": 1,
        "gpu_use": 1,
    }
    assert reasons == set()


def test_a_family_that_is_there_twice_is_put_together_and_a_series_that_is_there_twice_is_left_out():
    body, reasons = merged('a{x="1"} 1\nb 2\n# TYPE a gauge\na{x="2"} 3\na{x="1"} 4\n')
    assert body.decode() == '# TYPE a gauge\na{x="1"} 1\na{x="2"} 3\nb 2\n'
    assert reasons == {"duplicate"}


@pytest.mark.parametrize(
    "line", ["inference_rows_total 5", 'gen_ai_server_request_duration_seconds_sum{a="b"} 1']
)
def test_our_own_families_cannot_be_forged(line):
    assert merged(f"{line}\nx 1\n") == (b"x 1\n", {"duplicate"})


@pytest.mark.parametrize(
    "line",
    [
        "a b c",
        'a{x="1} 1',
        "1a 2",
        'a{x="\\q"} 1',
        "a 1 2 3",
        'a{x="1"y="2"} 1',
        "<html>",
        "a " + "9" * 20_000,
        "a\x0b1",
    ],
)
def test_a_line_that_is_not_valid_costs_only_itself(line):
    assert merged(f"x 1\n{line}\ny 2\n") == (b"x 1\ny 2\n", {"malformed"})


@given(st.text(alphabet=st.sampled_from('a{}="\\ ,#1.\n_eTYPEcounter'), max_size=60))
def test_whatever_comes_what_goes_out_can_be_parsed(text):
    body, _ = merged(text)
    series = [(s.name, *sorted(s.labels.items())) for f in families(body.decode()) for s in f.samples]
    assert len(body) <= len(text.encode()) + 64 * len(series) + 64


class Server:
    """A model server's /metrics, behaving as `how` says."""

    def __init__(self, how):
        self.how = how

    async def __aenter__(self):
        app = web.Application()
        app.router.add_get("/metrics", self.how)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/metrics"

    async def __aexit__(self, *_):
        await self._runner.cleanup()


async def fetched(how):
    failures = Counter()
    async with Server(how) as url:
        body = await Merging(url, lambda reason: failures.update([reason])).fetch()
    return body, dict(failures)


async def plain(_):
    return web.Response(text="x 1\n")


async def hanging(_):
    await asyncio.sleep(30)


async def failing(_):
    return web.Response(status=500, text="x 1\n")


async def elsewhere(_):
    raise web.HTTPFound("http://169.254.169.254/")


async def huge(_):
    return web.Response(text="x 1\n" * 2_000_000)


@pytest.mark.parametrize(
    ("how", "body", "failures"),
    [
        (plain, b"x 1\n", {}),
        (hanging, b"", {"timeout": 1}),
        (failing, b"", {"status": 1}),
        (elsewhere, b"", {"status": 1}),
        (huge, b"", {"too_large": 1}),
    ],
)
async def test_what_cannot_be_had_in_time_and_size_is_counted_and_left_out(how, body, failures, monkeypatch):
    monkeypatch.setattr(merging, "FETCH_SECONDS", 0.5)
    assert await fetched(how) == (body, failures)


async def test_a_server_that_is_gone_is_counted():
    failures = []
    assert await Merging("http://127.0.0.1:1/metrics", failures.append).fetch() == b""
    assert failures == ["unreachable"]


async def test_a_scrape_shows_ours_then_theirs_and_whose_process_it_is():
    async with Server(_triton) as url:
        scrapes = Scrapes(Registry().snapshot, merging=Merging(url, lambda _: None))
        body, content_type = await scrapes.scrape(
            "application/openmetrics-text;version=1.0.0", compressed=False
        )
    names = Counter(f.name for f in families(body.decode()))
    assert content_type.startswith("text/plain; version=0.0.4")
    assert names["wait"] == names["inference_rows"] == names["process_resident_memory_bytes"] == 1
    assert set(names.values()) == {1}


async def test_without_theirs_ours_are_whole():
    scrapes = Scrapes(Registry().snapshot, merging=Merging("http://127.0.0.1:1/metrics", lambda _: None))
    body, _ = await scrapes.scrape("", compressed=False)
    assert b"process_cpu_seconds_total" in body


async def _triton(_):
    return web.Response(text=TRITON)
