"""F16, F17, F20, F26, F27, F29, F31: what the machine, or whoever set it up, can do to us."""

import ast
import asyncio
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import missing
from tests.faults.conftest import FACTOR
from tests.faults.running import cpu_seconds, descriptors, eventually, sidecar
from tests.faults.servers import Load, Upstream, ask, post, request

# Every place a temporary directory is looked for.
PLACES = ("/tmp", "/var/tmp", "/usr/tmp", "/dev/shm")
CODE = Path(sys.executable).parents[2]


def read_only(place: str) -> str:
    """Shell lines that put an empty directory in the place, which cannot be written."""
    return f"mount -t tmpfs tmpfs {place}; {put_back(place)} mount -o remount,ro {place}; "


def full(place: str) -> str:
    """The same, with room for one more file."""
    files = 2 + len(below(place))
    return f"mount -t tmpfs -o size=4k,nr_inodes={files} tmpfs {place}; {put_back(place)}"


def below(place: str) -> tuple[str, ...]:
    """Where this checkout is under the place, if it is."""
    return CODE.relative_to(place).parts if CODE.is_relative_to(place) else ()


def put_back(place: str) -> str:
    return f"mkdir -p {CODE}; mount --bind /mnt/code {CODE}; " if below(place) else ""


def in_namespace(hide: Callable[[str], str]) -> tuple[str, ...]:
    """A prefix that runs the rest with the places hidden, in a directory that cannot be written."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"]).returncode:
        missing("unshare -m is not permitted")
    keep = f"mount -t tmpfs tmpfs /mnt; mkdir /mnt/code; mount --bind {CODE} /mnt/code; "
    hidden = "".join(hide(place) for place in PLACES if Path(place).is_dir() and not Path(place).is_symlink())
    return ("unshare", "-m", "sh", "-ec", f'{keep}{hidden}cd /proc; PYTHONPATH={CODE} exec "$@"', "sh")


@pytest.mark.parametrize("hide", [read_only, full])
async def test_f16_f17_no_place_for_temporary_files_stops_nothing(tmp_path, server: Upstream, hide):
    """Sockets without files take their place: relay, observer and pages are all there."""
    with sidecar(tmp_path, server.name, prefix=in_namespace(hide)) as running:
        await eventually(lambda: running.get("/api/v1/status")[0] == 200, "observing")
        async with Load(running.address) as load:
            await load.more(200)
        await eventually(lambda: running.metric("inference_requests_total") >= 200, "observed")
        assert load.failures == []
        assert await asyncio.to_thread(running.stop) == 0


def test_f20_the_relay_and_its_supervisor_never_ask_what_time_it_is():
    """Only monotonic time: a clock that jumps or stands still cannot touch traffic."""
    asked = []
    for path in [
        *Path("sidecar/relay").glob("*.py"),
        Path("sidecar/supervisor/supervisor.py"),
        Path("sidecar/supervisor/children.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [name.name for name in node.names] + [getattr(node, "module", None)]
                asked += [f"{path}: {name}" for name in names if name in ("time", "datetime")]
            if isinstance(node, ast.Attribute) and node.attr in ("wall", "wall_of"):
                asked.append(f"{path}:{node.lineno} clock.{node.attr}")
    assert asked == []


async def test_f26_without_a_descriptor_left_nothing_loops_and_nobody_connected_suffers(
    tmp_path, server: Upstream
):
    """64 files: newcomers are refused one way or another, who is connected is served, the relay neither
    spins nor stops listening, and newcomers are served as soon as there is room."""
    with sidecar(tmp_path, server.name, prefix=("prlimit", "--nofile=64:64")) as running:
        (relay,) = running.relay_pids()
        reader, writer = await asyncio.open_connection(*running.address)
        crowd = []
        for _ in range(200):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(running.address)
            crowd.append(sock)
        await eventually(lambda: descriptors(relay) >= 60, "hardly a descriptor left")
        for number in range(100):
            writer.write(post(b"%d" % number))
            assert (await request(reader))[1] == b"%d" % number
        before = cpu_seconds(relay)
        await asyncio.sleep(1.0)  # a second of doing nothing is what is measured
        assert cpu_seconds(relay) - before < 0.2
        for sock in crowd:
            sock.close()
        await eventually(lambda: descriptors(relay) < 40, "descriptors given back")
        assert (await ask(running.address, post(b"newcomer"))).endswith(b"newcomer")
        assert running.relay_pids() == [relay]
        writer.close()


async def test_f27_many_short_connections_do_not_use_up_the_ports(tmp_path, server: Upstream):
    """One upstream connection a client: as many ports as without us. Whoever closes first waits, as it
    would without us, and here that is the client, so the ports towards the upstream come back at once."""
    with sidecar(tmp_path, server.name) as running:
        (relay,) = running.relay_pids()
        before = descriptors(relay)
        for number in range(3000 * FACTOR):
            body = b"%d" % number
            assert (await ask(running.address, post(body))).endswith(b"\r\n\r\n" + body)
        await eventually(lambda: descriptors(relay) <= before + 1, "all descriptors given back")
        assert running.metric("sidecar_upstream_connect_failures_total") == 0
        assert server.accepted == 3000 * FACTOR


async def test_f27_without_a_port_left_a_client_hears_502(tmp_path):
    """An upstream that cannot be connected to for want of ports or routes: said, counted, no storm."""
    with sidecar(tmp_path, "255.255.255.255:9") as running:
        assert (await ask(running.address, post(b"x"))).startswith(b"HTTP/1.1 502 ")
        await eventually(
            lambda: running.metric("sidecar_upstream_connect_failures_total") == 1, "counted once"
        )


async def test_f29_a_literal_upstream_is_never_looked_up(tmp_path, server: Upstream):
    """No DNS in the path: the relay opens no socket but those to its clients, its upstream and its own."""
    if shutil.which("strace") is None:
        missing("strace is not installed")
    trace = tmp_path / "trace"
    prefix = ("strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmmsg", "-o", str(trace))
    with sidecar(tmp_path, server.name, prefix=prefix) as running:
        for _ in range(10):
            await ask(running.address, post(b"x"))
    assert f"htons({server.port})" in trace.read_text()
    assert "htons(53)" not in trace.read_text()


BAD = {
    "upstream: [": "sidecar.yaml",
    "upstream: 127.0.0.1:1\nlissten: 0.0.0.0:1\n": "lissten",
    "upstream: 127.0.0.1:99999\n": "upstream",
    "upstream: 127.0.0.1:1\nworkers: -1\n": "workers",
}


@pytest.mark.parametrize("text", BAD.keys(), ids=["broken", "unknown", "port", "workers"])
def test_f31_an_invalid_configuration_ends_the_start_with_a_sentence_and_2(tmp_path, text: str):
    """Settings are read at the start only: nothing that runs can be broken by editing them."""
    config = tmp_path / "sidecar.yaml"
    config.write_text(text)
    command = [sys.executable, "-m", "sidecar", "run", "--config", str(config)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 2
    assert BAD[text] in ran.stderr
    assert "Traceback" not in ran.stderr


async def test_f31_a_file_broken_while_we_run_changes_nothing(tmp_path, server: Upstream):
    """Not even with SIGHUP."""
    config = tmp_path / "sidecar.yaml"
    config.write_text("workers: 1\n")
    with sidecar(tmp_path, server.name, "--config", str(config)) as running:
        config.write_text("workers: [")
        running.process.send_signal(signal.SIGHUP)
        async with Load(running.address) as load:
            await load.more(200)
        assert load.failures == []
        assert running.process.poll() is None
