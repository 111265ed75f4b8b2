"""F11 to F15, F28, F30: whatever happens to the half that watches, the half that relays goes on."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from sidecar.demo.processes import free_ports
from tests.faults.conftest import FACTOR
from tests.faults.running import Sidecar, eventually, resident_bytes, sidecar, until
from tests.faults.servers import Load, Upstream, ask, post

MEGABYTE = 1024 * 1024


def observing(running: Sidecar) -> bool:
    """A page that only the observer has."""
    return running.get("/api/v1/status")[0] == 200


@pytest.fixture
def running(tmp_path, server: Upstream):
    with sidecar(tmp_path, server.name) as found:
        until(lambda: observing(found), "observing", found)
        yield found


async def test_f11_killing_the_observer_again_and_again_fails_no_request(running: Sidecar):
    """It comes back each time, later and later, and what it missed is counted."""
    kills = 3 * FACTOR
    async with Load(running.address) as load:
        for _ in range(kills):
            await eventually(lambda: observing(running), "an observer to kill", 60)
            observer = running.observer_pid()
            assert observer is not None
            os.kill(observer, signal.SIGKILL)
            await load.more(200)
            await eventually(
                lambda old=observer: running.observer_pid() not in (None, old), "another one", 60
            )
        await eventually(
            lambda: running.metric("sidecar_observer_restarts_total", reason="signal") == kills,
            "each counted",
        )
    assert load.failures == []
    assert set(load.statuses) == {200}
    await eventually(
        # Killed before the relay reached it, it is behind; afterwards it is down.
        lambda: running.metric("sidecar_tee_dropped_bytes_total") > 0,
        "the gap counted",
    )


async def test_f12_a_stopped_observer_delays_neither_probes_nor_traffic(running: Sidecar):
    """Both probes answer, requests are answered, the relay's memory is bounded, drops are counted."""
    observer, (relay,) = running.observer_pid(), running.relay_pids()
    assert observer is not None
    os.kill(observer, signal.SIGSTOP)
    try:
        body = b"x" * MEGABYTE
        async with Load(running.address) as load:
            for _ in range(30 * FACTOR):  # more than queue and kernel hold
                assert (await ask(running.address, post(body))).endswith(body)
            started = time.monotonic()
            assert (await asyncio.to_thread(running.get, "/-/ready"))[0] == 200
            assert (await asyncio.to_thread(running.get, "/-/healthy"))[0] == 200
            assert time.monotonic() - started < 1.0
            await load.more(500)
        assert load.failures == []
        assert resident_bytes(relay) < 64 * MEGABYTE
    finally:
        os.kill(observer, signal.SIGCONT)
    await eventually(
        lambda: running.metric("sidecar_tee_dropped_bytes_total", reason="observer_behind") > 0, "counted"
    )


POISON = [
    b"[" * 100_000,
    b'{"instances": [[1e999, NaN, -Infinity]]}',
    b'{"instances": ' + b"9" * 5000 + b"}",
    b'{"a": 1, "a": {"instances": [[true]]}}',
    b'{"inputs": [{"name": "x", "shape": [1099511627776, 1099511627776], "datatype": "FP32", "data": [1]}]}',
    b'{"inputs": [{"name": "x", "shape": [-1], "datatype": "BYTES", "data": [null]}]}',
    b'\xff\xfe{"instances": [["\\ud800"]]}',
    b'{"instances": [' + b"[1]," * 100_000 + b"[1]]}",
    b"\x1f\x8b\x08\x00" + b"\x00" * 1000,
]


async def test_f14_poison_is_read_once_and_kills_nothing(running: Sidecar):
    """Nothing is stored, so nothing can be looped: the same observer is there at the end."""
    observer = running.observer_pid()
    for path in ("/v1/models/m:predict", "/v2/models/m/infer", "/invocations", "/elsewhere"):
        for body in POISON:
            assert (await ask(running.address, post(body, path))).endswith(body)
    count = 3 * len(POISON)
    await eventually(lambda: running.metric("inference_requests_total") >= count, "all of it read")
    assert running.observer_pid() == observer


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
async def test_f15_a_collector_that_is_ill_costs_nothing_and_the_exit_is_bounded(
    tmp_path, server: Upstream, kind: str
):
    """A hanging collector accepts and says nothing; the SDK alone would hold the exit for 30 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as collector:
        port = collector.getsockname()[1] if kind == "hangs" else free_ports(1)[0]
        environment = {
            "SIDECAR_OTLP__ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }
        with sidecar(tmp_path, server.name, environment=environment) as running:
            async with Load(running.address) as load:
                await load.more(1000)
            assert load.failures == []
            started = time.monotonic()
            assert await asyncio.to_thread(running.stop) == 0
            assert time.monotonic() - started < 8.0
            assert running.said().count("Traceback") == 0


async def test_f28_a_log_that_nobody_reads_stops_nothing(tmp_path, server: Upstream):
    """The reader of a full pipe is away: traffic and probes go on, the observer's deaths are logged into
    the void, and the exit is in order."""
    with sidecar(tmp_path, server.name, prefix=(sys.executable, "-c", TO_A_FULL_PIPE)) as running:
        async with Load(running.address) as load:
            for _ in range(2):
                await eventually(lambda: running.observer_pid() is not None, "an observer")
                observer = running.observer_pid()
                assert observer is not None
                os.kill(observer, signal.SIGKILL)
                await load.more(300)
                assert (await asyncio.to_thread(running.get, "/-/ready"))[0] == 200
        assert load.failures == []
        assert await asyncio.to_thread(running.stop) == 0


# Runs the rest of the command line with a pipe for stderr. The pipe's only reader reads what the start
# says and then never again, and it is kept full.
TO_A_FULL_PIPE = """
import os, subprocess, sys, threading
reading, writing = os.pipe()
child = subprocess.Popen(sys.argv[1:], stderr=writing)
import signal
signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
signal.signal(signal.SIGINT, lambda *_: child.send_signal(signal.SIGINT))
said = b""
while b"status page" not in said:
    said += (piece := os.read(reading, 65536))
    sys.stderr.buffer.write(piece)
    sys.stderr.flush()
os.set_blocking(writing, False)
try:
    while True:
        os.write(writing, b"x")
except BlockingIOError:
    pass
os.set_blocking(writing, True)
sys.exit(child.wait())
"""


async def test_f30_a_starved_machine_fails_no_request(running: Sidecar):
    """Busy loops on every core: all requests are answered; what suffers is what is observed."""
    hogs = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        async with Load(running.address) as load:
            await load.more(1000 * FACTOR, seconds=60)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert load.failures == []
    assert set(load.statuses) == {200}
