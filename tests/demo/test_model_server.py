import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sidecar.demo import dataset, model
from sidecar.demo.faults import ServerFault
from sidecar.demo.model_server import ModelServer
from sidecar.demo.open_inference import request_of
from sidecar.demo.traffic import CANARY_PATH, PATH, Traffic


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


@pytest.fixture
def both_versions(server, data):
    server.candidate = model.train(data.training[:200], passes=4)
    return server


async def asked(client, path, data, rows=20) -> tuple[int, dict]:
    async with client.post(path, json=request_of([one.row for one in data.traffic[:rows]])) as response:
        return response.status, await response.json()


async def test_a_candidate_answers_under_its_own_version(both_versions, client, data):
    assert (await asked(client, PATH, data))[1]["model_version"] == "1"
    assert (await asked(client, CANARY_PATH, data))[1]["model_version"] == "2"


async def test_a_version_that_is_not_served_is_not_found(client, data):
    assert (await asked(client, CANARY_PATH, data))[0] == 404


async def test_a_fault_of_the_candidate_leaves_the_other_version_alone(both_versions, client, data):
    both_versions.fault = ServerFault(version="2", null_ratio=1.0, skew_ratio=1.0)
    _, stable = await asked(client, PATH, data)
    _, candidate = await asked(client, CANARY_PATH, data)

    assert None not in stable["outputs"][1]["data"]
    assert set(candidate["outputs"][0]["data"]) == {"sky"}
    assert set(candidate["outputs"][1]["data"]) == {None}
