import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sidecar.demo import dataset, model
from sidecar.demo.faults import ServerFault
from sidecar.demo.model_server import ModelServer
from sidecar.demo.open_inference import request_of
from sidecar.demo.traffic import PATH, Traffic


@pytest.fixture(scope="module")
def data():
    return dataset.load()


@pytest.fixture
def server(data):
    return ModelServer(model.train(data.training[:200]), data.features)


@pytest.fixture
async def client(server):
    async with TestClient(TestServer(server.application())) as client:
        yield client


async def test_it_predicts_a_label_and_a_score_for_each_row(client, data):
    rows = [one.row for one in data.traffic[:3]]
    async with client.post(PATH, json=request_of(rows)) as response:
        answer = await response.json()

    assert answer["model_name"] == dataset.MODEL_NAME and answer["model_version"] == "1"
    assert [output["shape"] for output in answer["outputs"]] == [[3], [3]]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/image-segments"])
async def test_it_answers_probes_and_metadata(client, path):
    async with client.get(path) as response:
        assert response.status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"inputs": []}', b"[" * 100_000])
async def test_a_request_it_cannot_read_is_a_400_and_counts_as_no_inference(client, server, body):
    async with client.post(PATH, data=body) as response:
        assert response.status == 400
        assert "error" in await response.json()
    assert (server.answered, server.failed) == (0, 0)


async def test_injected_failures_are_503_and_counted(client, server, data):
    server.fault = ServerFault(error_ratio=1.0)
    async with client.post(PATH, json=request_of([data.traffic[0].row])) as response:
        assert response.status == 503
    assert (server.answered, server.failed) == (0, 1)


def url_of(client) -> str:
    return str(client.make_url("")).rstrip("/")


async def send(url: str, data, requests: int) -> Traffic:
    traffic = Traffic(url, [one.row for one in data.traffic], rate=2_000.0)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic.run(stop))
        while traffic.counts.sent < requests:
            await asyncio.sleep(0)
        stop.set()
    return traffic


async def test_traffic_accounts_for_every_request(client, server, data):
    counts = (await send(url_of(client), data, 30)).counts

    assert counts.sent == counts.answered == server.answered
    assert counts.failed == 0


async def test_traffic_counts_what_the_server_failed_by_its_status(client, server, data):
    server.fault = ServerFault(error_ratio=0.5)
    counts = (await send(url_of(client), data, 60)).counts

    assert counts.failures == {"http_503": server.failed}
    assert counts.answered == server.answered
    assert counts.sent == server.answered + server.failed


async def test_traffic_counts_a_server_that_is_gone_as_connection(client, server, data):
    url = url_of(client)
    await client.server.close()
    counts = (await send(url, data, 5)).counts

    assert counts.failures == {"connection": counts.sent}
