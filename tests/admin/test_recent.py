"""Who may ask how the last exchanges were read: who is on this host, and nobody else."""

import asyncio
import json
import socket

import pytest

from sidecar import sockets
from sidecar.address import Address
from sidecar.admin.server import create_app, serve
from sidecar.cli import main
from sidecar.observer.recent import Recent
from tests.admin.test_server import Source
from tests.decoders.reading import V1, decode, posted


class WithRecent(Source):
    def __init__(self) -> None:
        super().__init__()
        self.kept = Recent()
        seen = posted(V1, {"instances": [{"age": 41}]}, {"predictions": [1]})
        self.kept.add(seen, decode(seen))

    def recent(self) -> Recent:
        return self.kept


@pytest.fixture
async def path(tmp_path):
    """Both sockets of an observer behind a supervisor."""
    path = str(tmp_path / "admin")
    addresses = Address(path=path), Address(path=sockets.for_others(path))
    runner = await serve(create_app(WithRecent()), *addresses)
    yield path
    await runner.cleanup()


async def ask(path: str, target: str) -> tuple[int, dict]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"GET {target} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def test_all_of_them_or_one(path):
    status, said = await ask(path, "/api/v1/recent")
    assert status == 200 and [entry["protocol"] for entry in said["exchanges"]] == ["v1"]
    assert await ask(path, "/api/v1/recent/1") == (200, said["exchanges"][0])
    assert (await ask(path, "/api/v1/recent/2"))[0] == 404
    assert (await ask(path, "/api/v1/recent/x"))[0] == 404


async def test_clients_of_other_hosts_get_the_rest_but_not_this(path):
    others = sockets.for_others(path)
    for target in ("/api/v1/recent", "/api/v1/recent/1"):
        status, said = await ask(others, target)
        assert status == 403 and "exchanges" not in said
    assert (await ask(others, "/api/v1/status"))[0] == 200


async def test_over_tcp_the_peer_decides():
    runner = await serve(create_app(WithRecent()), Address("127.0.0.1", 0))
    [(host, port)] = runner.addresses
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /api/v1/recent HTTP/1.0\r\n\r\n")
    assert b" 200 " in (await reader.read()).split(b"\r\n")[0]
    writer.close()
    await runner.cleanup()


async def test_the_command_asks_a_running_sidecar(path, capsys):
    assert await asyncio.to_thread(main, ["explain", "--recent", "--admin", f"unix:{path}"]) == 0
    assert "v1, predict" in (text := capsys.readouterr().out) and "age" in text
    assert await asyncio.to_thread(main, ["explain", "--recent", "9", "--admin", f"unix:{path}"]) == 1
    assert "not remembered" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        (("127.0.0.1", 1), True), (("127.8.8.8", 1), True), (("::1", 1, 0, 0), True), ("", True),
        (("::ffff:127.0.0.1", 1, 0, 0), True), (("10.0.0.1", 1), False), (("::ffff:10.0.0.1", 1), False),
        (("fe80::1%eth0", 1, 0, 2), False), (("garbage", 1), False),
        (None, False), (("127.0.0.6", 1), False),  # gone; through a service mesh
    ],
)  # fmt: skip
def test_which_peers_are_local(peer, local):
    assert sockets.is_local(peer) is local


def test_a_unix_peer_is_local():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert sockets.is_local(ours.getpeername())
