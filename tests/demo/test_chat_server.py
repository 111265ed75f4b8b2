import json

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sidecar.demo import chat_server
from sidecar.demo.chat_server import PATH, ChatServer
from sidecar.demo.faults import ServerFault

QUESTION = {"model": "small-talk", "messages": [{"role": "user", "content": "one two three"}]}
STREAM = QUESTION | {"stream": True}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(chat_server, "_FIRST_TOKEN_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(chat_server, "_TOKEN_SECONDS", (0.0, 0.0))
    return ChatServer()


@pytest.fixture
async def client(server):
    async with TestClient(TestServer(server.application())) as client:
        yield client


async def parts(client, question=STREAM) -> list[str]:
    """The data of each event of a streamed answer."""
    async with client.post(PATH, json=question) as response:
        text = await response.text()
    return [line.removeprefix("data: ") for line in text.split("\n\n") if line]


async def test_every_token_is_an_event_of_its_own_and_counted_once(client):
    *events, done = await parts(client)
    messages = [json.loads(event) for event in events]
    words = [
        m["choices"][0]["delta"]["content"] for m in messages if m["choices"] and m["choices"][0]["delta"]
    ]

    assert done == "[DONE]"
    assert messages[-1]["usage"] == {
        "prompt_tokens": 3, "completion_tokens": len(words), "total_tokens": 3 + len(words),
    }  # fmt: skip
    assert messages[-2]["choices"][0]["finish_reason"] == "stop"


async def test_an_answer_that_fills_what_was_allowed_ends_by_length(client):
    async with client.post(PATH, json=QUESTION | {"max_tokens": 2}) as response:
        answer = await response.json()

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 2


async def test_a_cut_stream_has_neither_usage_nor_mark_and_is_counted_as_failed(client, server):
    server.fault = ServerFault(truncated_ratio=1.0)
    events = await parts(client)

    assert "[DONE]" not in events
    assert all('"usage"' not in event for event in events)
    assert (server.answered, server.failed) == (0, 1)


async def test_an_empty_answer_ends_well_and_is_not_cut(client, server):
    server.fault = ServerFault(truncated_ratio=1.0, empty_ratio=1.0)

    assert (await parts(client))[-1] == "[DONE]"
    assert (server.answered, server.failed) == (1, 0)


async def test_a_refused_chat_is_a_503_and_counted_as_failed(client, server):
    server.fault = ServerFault(error_ratio=1.0)
    async with client.post(PATH, json=STREAM) as response:
        assert response.status == 503

    assert (server.answered, server.failed) == (0, 1)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages": 3}', b'{"messages": [{}]}'])
async def test_what_is_no_question_is_a_400(client, body):
    async with client.post(PATH, data=body, headers={"content-type": "application/json"}) as response:
        assert response.status == 400


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
async def test_it_answers_probes_and_metadata(client, path):
    async with client.get(path) as response:
        assert response.status == 200
