"""Finding the model server, and never ourselves."""

import asyncio
import errno
import os
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sidecar.relay.upstream import Dial, Upstream
from tests.relay.conftest import Nested, Relay
from tests.relay.test_pair import echo


async def dial(places: list[tuple[int, object]], seconds: float = 5.0) -> socket.socket:
    """What one attempt comes to."""
    found: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
    Dial(Nested(), places, seconds, found.set_result, found.set_exception).start()
    return await found


async def test_the_addresses_of_a_name_are_tried_in_turn() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    nobody = (int(socket.AF_INET), ("127.0.0.1", 1))
    sock = await dial(
        [nobody, (int(socket.AF_INET6), ("::1", port)), (int(socket.AF_INET), ("127.0.0.1", port))]
    )
    assert sock.getpeername() == ("127.0.0.1", port)
    sock.close()
    server.close()


async def test_the_last_error_is_told_when_none_answers() -> None:
    with pytest.raises(ConnectionRefusedError):
        await dial([(int(socket.AF_INET), ("127.0.0.1", 1))])


async def test_a_name_without_addresses_is_an_error_in_words() -> None:
    with pytest.raises(socket.gaierror):
        await dial([])


async def test_an_address_that_never_answers_is_given_up_in_time() -> None:
    # A backlog of one that is full: the kernel ignores further attempts, as a hung machine would.
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(silent.getsockname())
    with pytest.raises(TimeoutError):
        await dial([(int(socket.AF_INET), silent.getsockname())], seconds=0.2)
    for sock in (silent, *fillers):
        sock.close()


def filled(path: str) -> tuple[socket.socket, list[socket.socket]]:
    """A unix socket that takes nobody in, and who waits there."""
    full = socket.socket(socket.AF_UNIX)
    full.bind(path)
    full.listen(0)
    fillers = []
    while True:
        filler = socket.socket(socket.AF_UNIX)
        filler.setblocking(False)
        fillers.append(filler)
        if filler.connect_ex(path) == errno.EAGAIN:
            return full, fillers


async def test_a_full_unix_socket_is_asked_less_and_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "model.sock")
    full, fillers = filled(path)
    asked: list[str] = []
    start = Dial.start

    def counted(self: Dial) -> None:
        asked.append(path)
        start(self)

    monkeypatch.setattr(Dial, "start", counted)
    with pytest.raises(TimeoutError):
        await dial([(int(socket.AF_UNIX), path)], seconds=0.4)
    assert 1 <= len(asked) <= 7
    for sock in (full, *fillers):
        sock.close()


async def test_a_full_unix_socket_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "model.sock")
    full, fillers = filled(path)
    waiting = asyncio.create_task(dial([(int(socket.AF_UNIX), path)]))
    await asyncio.sleep(0)
    assert not waiting.done()
    accepted = [full.accept()[0]]
    sock = await waiting
    assert sock.getpeername() == path
    for each in (sock, full, *fillers, *accepted):
        each.close()


async def test_a_name_that_cannot_be_resolved_keeps_the_addresses_it_had() -> None:
    upstream = Upstream("localhost:1", "localhost", 1)
    upstream.resolve()
    had = list(upstream.places)
    assert had
    for host in ("no-such-host.invalid", "no..host", "x" * 70 + ".invalid"):
        upstream.host = host
        upstream.resolve()
        assert upstream.places == had


async def test_a_connection_that_leads_back_to_us_is_refused_and_counted(relay: Relay) -> None:
    loop = Upstream("ourselves", "127.0.0.1", 1)
    host, port = await relay.in_front_of(loop)
    loop.port = port
    loop.resolve()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert relay.counters.connect_failures["loop"] == 1
    async with asyncio.timeout(5):
        while relay.counters.connections:
            await asyncio.sleep(0)
    assert relay.listener.pairs == {}


async def test_one_that_leads_back_to_a_door_of_both_families_is_refused_too(relay: Relay) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    door = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    door.setblocking(False)
    port = door.getsockname()[1]
    relay.listener.listen(door, "route", Upstream("ourselves", "127.0.0.1", port))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert relay.counters.connect_failures["loop"] == 1


async def test_in_redirect_mode_a_connection_that_nobody_redirected_is_refused(relay: Relay) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    relay.listener.listen(sock, "route", None)
    reader, _ = await asyncio.open_connection(*sock.getsockname())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert relay.counters.connect_failures["loop"] == 1


REDIRECTED = textwrap.dedent(
    """
    set -e
    ip link set lo up
    ip link add outside type veth peer name inside
    ip netns add client
    ip link set outside netns client
    ip address add 10.9.0.1/24 dev inside
    ip link set inside up
    ip -n client address add 10.9.0.2/24 dev outside
    ip -n client link set outside up
    iptables -t nat -A PREROUTING -p tcp --dport 8000 -j REDIRECT --to-ports 18080
    cd "$DIRECTORY"
    "$PYTHON" -m http.server 8000 --bind 0.0.0.0 >/dev/null 2>&1 &
    model=$!
    "$PYTHON" -m sidecar run --redirect --listen 0.0.0.0:18080 --admin 127.0.0.1:19464 &
    sidecar=$!
    trap 'kill -9 $model $sidecar; ip netns delete client' EXIT
    for url in http://127.0.0.1:8000/answer http://127.0.0.1:19464/-/ready; do
        for _ in $(seq 100); do
            curl -sf -o /dev/null $url && break
            sleep 0.1
        done
    done
    ip netns exec client curl -s --retry 20 --retry-connrefused --retry-delay 1 http://10.9.0.1:8000/answer
    ip netns exec client curl -s http://10.9.0.1:18080/answer && exit 9
    for _ in $(seq 50); do
        curl -s http://127.0.0.1:19464/metrics | grep -E 'relay_bytes_total.*response.* [1-9]' && break
        sleep 0.1
    done
    """
)


@pytest.mark.e2e
def test_a_redirected_pod_needs_no_port_change(tmp_path: Path) -> None:
    """In a network namespace of its own: a client outside asks for the model's port and meets the relay."""
    (tmp_path / "answer").write_text("from the model server\n")
    tools = ["unshare", "ip", "iptables", "curl"]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing or os.getuid() != 0:
        reason = f"needs root and {', '.join(missing) or 'nothing else'}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    env = {**os.environ, "PYTHON": sys.executable, "DIRECTORY": str(tmp_path)}
    command = ["unshare", "-m", "-n", "bash", "-c", "mount -t tmpfs tmpfs /run; " + REDIRECTED]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert "from the model server" in ran.stdout, ran.stderr
    assert "relay_bytes_total" in ran.stdout, ran.stderr
