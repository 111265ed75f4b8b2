"""POST /api/v1/labels over real HTTP: who may, what is taken, what is refused."""

import asyncio
import gzip
import json
from collections import Counter

import aiohttp
import pytest
from aiohttp import web

from sidecar.address import Address
from sidecar.admin import labels
from sidecar.admin.labels import PATH, LabelPosts
from sidecar.admin.server import create_app, serve
from sidecar.admin.token import Token
from sidecar.monitors.labels.joining import Taken
from sidecar.registry import Registry
from sidecar.sockets import for_others

GOOD = {"id": "a", "label": 1}
TOKEN = "correct-horse-battery"


class Taking:
    """Takes everything, and remembers in what portions."""

    def __init__(self):
        self.portions = []

    def take(self, given, now):
        self.portions.append(len(given))
        return Taken(Counter(matched=sum(len(each.values) for each in given)))


class Source:
    def __init__(self):
        self.registry = Registry()

    def snapshot(self):
        return self.registry.snapshot()

    def details(self):
        return {}


@pytest.fixture
async def posting(tmp_path):
    """`start(token)` serves on a socket of this host and on one for others; gives a way to post."""
    runners, sessions = [], []

    async def start(token=None):
        taking, refused = Taking(), Counter()
        posts = LabelPosts(taking, lambda reason, count: refused.update({reason: count}), token)
        path = str(tmp_path / "admin")
        app = create_app(Source(), labels=posts)
        runners.append(await serve(app, Address(path=path), Address(path=for_others(path))))

        async def post(document=GOOD, *, elsewhere=False, body=None, headers=None):
            connector = aiohttp.UnixConnector(for_others(path) if elsewhere else path)
            session = aiohttp.ClientSession(connector=connector)
            sessions.append(session)
            data = json.dumps(document).encode() if body is None else body
            sent = {"content-type": "application/json", **(headers or {})}
            async with session.post(f"http://sidecar{PATH}", data=data, headers=sent) as response:
                return response.status, await response.json(), response.headers

        post.taking, post.refused, post.path = taking, refused, path
        return post

    yield start
    for session in sessions:
        await session.close()
    for runner in runners:
        await runner.cleanup()


async def test_labels_are_taken_and_what_became_of_them_is_said(posting):
    post = await posting()
    status, said, _ = await post([GOOD, GOOD])
    assert (status, said) == (200, {"accepted": 2, "matched": 2, "duplicate": 0, "unknown": 0, "waiting": 0})


async def test_some_wrong_labels_are_named_and_the_others_taken(posting):
    post = await posting()
    status, said, _ = await post([GOOD, {"id": "b"}, GOOD])
    assert (status, said["accepted"]) == (422, 2)
    assert said["problems"] == [{"index": 1, "problem": "give label, or labels for all rows of a prediction"}]
    assert said["error"] == "1 label could not be taken; the others were"
    assert post.refused == {"malformed": 1}
    _, said, _ = await post([{}] * 50)
    assert (len(said["problems"]), said["problems_not_listed"]) == (20, 30)


async def test_many_labels_let_traffic_through_in_between(posting):
    post = await posting()
    status, said, _ = await post([GOOD] * 5_000)
    assert (status, said["accepted"]) == (200, 5_000)
    assert max(post.taking.portions) <= 250


async def test_without_a_token_only_this_host_may_post(posting):
    post = await posting()
    status, said, _ = await post(elsewhere=True)
    assert status == 403
    assert "admin_token_file" in said["error"]
    assert (post.taking.portions, post.refused) == ([], {"forbidden": 1})
    assert (await post())[0] == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "x-real-ip", "Via"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_whom_a_proxy_speaks_for_is_not_of_this_host(posting, header, elsewhere):
    post = await posting()
    status, _, _ = await post(elsewhere=elsewhere, headers={header: "127.0.0.1"})
    assert (status, post.refused) == (403, {"forbidden": 1})


async def test_what_is_compressed_is_not_unpacked_however_it_is_said(posting):
    post = await posting()
    bomb = gzip.compress(b" " * 2 * labels.MAX_BYTES)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_unix_connection(post.path)
    writer.write(head.encode() + bomb)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 422 ")  # no JSON; unpacked it would be too large
    assert post.refused == {"malformed": 1}


async def test_with_a_token_everybody_needs_it(posting, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    post = await posting(Token(str(tmp_path / "token")))
    for elsewhere in (True, False):
        status, said, headers = await post(elsewhere=elsewhere)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert said["error"].startswith("the token is missing")
        status, said, _ = await post(elsewhere=elsewhere, headers={"Authorization": "Bearer wrong"})
        assert (status, said["error"].split(";")[0]) == (401, "this is not the token")
        assert (await post(elsewhere=elsewhere, headers={"Authorization": f"Bearer {TOKEN}"}))[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
        # What a form or a script can send without asking first.
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_a_web_page_cannot_post(posting, headers, status):
    post = await posting()
    found, _, answered = await post(headers=headers)
    assert found in (status, 400)  # of a body that is not what it says, aiohttp itself says 400
    assert not [name for name in answered if name.lower().startswith("access-control")]
    assert post.taking.portions == []


async def test_no_get_and_no_preflight(posting):
    post = await posting()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(post.path)) as session:
        for method in ("GET", "OPTIONS", "PUT", "DELETE"):
            async with session.request(method, f"http://sidecar{PATH}") as response:
                assert response.status == 405


@pytest.mark.parametrize("said_before", [True, False])
async def test_a_body_that_is_too_large_is_not_read(posting, said_before):
    post = await posting()

    async def endless():
        for _ in range(100):
            yield b" " * 1024 * 1024

    body = b" " * (labels.MAX_BYTES + 1) if said_before else endless()
    status, said, _ = await post(body=body)
    assert (status, said["error"]) == (413, "more than 4 MiB at once; post in parts")
    assert post.refused == {"too_large": 1}


async def test_a_body_that_does_not_come_is_not_waited_for(posting, monkeypatch):
    monkeypatch.setattr(labels, "_BODY_SECONDS", 0.05)
    post = await posting()
    never = asyncio.Event()

    async def slow():
        yield b"["
        await never.wait()

    status, said, _ = await post(body=slow())
    assert status == 408
    assert "did not come within" in said["error"]


async def test_only_some_may_post_at_once(posting, monkeypatch):
    monkeypatch.setattr(labels, "_AT_ONCE", 0)
    post = await posting()
    status, _, headers = await post()
    assert (status, headers["Retry-After"]) == (503, "1")


async def test_a_body_that_is_no_list_of_labels_is_one_sentence(posting):
    post = await posting()
    status, said, _ = await post(body=b"[" * 100_000)
    assert (status, said["accepted"]) == (422, 0)
    assert "nonsense" not in json.dumps((await post(body=b'"nonsense"'))[1])


async def test_without_labels_there_is_no_such_endpoint():
    assert PATH not in {route.resource.canonical for route in create_app(Source()).router.routes()}
    assert isinstance(create_app(Source()), web.Application)
