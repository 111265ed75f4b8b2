"""`sidecar relay` and `sidecar observe` have lives of their own: any order, and only the same user."""

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidecar.demo.processes import free_ports
from tests.containers.serving import Client, request
from tests.faults.running import Sidecar, started, until


class Halves:
    """Where both halves meet, and how each is started."""

    def __init__(self, directory: Path, upstream: str) -> None:
        self.tee = directory / "tee.sock"
        self._directory = directory
        self._upstream = upstream
        listen, admin = free_ports(2)
        self.address = ("127.0.0.1", listen)
        self._admin = ("127.0.0.1", admin)

    @contextmanager
    def relay(self) -> Iterator[Sidecar]:
        where = ("--listen", f"127.0.0.1:{self.address[1]}", "--upstream", self._upstream)
        with started(self._directory, "relay", *where, "--tee", f"unix:{self.tee}") as running:
            until(self.accepts, "relaying", running)
            yield running

    @contextmanager
    def observer(self) -> Iterator[Sidecar]:
        where = ("--admin", f"127.0.0.1:{self._admin[1]}", "--tee", f"unix:{self.tee}")
        with started(self._directory, "observe", *where) as running:
            running.admin = self._admin
            until(lambda: running.get("/-/ready")[0] == 200, "observing", running)
            yield running

    def accepts(self) -> bool:
        socket.create_connection(self.address, 1).close()
        return True

    def ask(self, times: int) -> None:
        client = Client(self.address)
        for _ in range(times):
            client.ask(request())
        client.close()


@pytest.fixture
def halves(tmp_path: Path, upstream: str) -> Halves:
    return Halves(tmp_path, upstream)


def sees(observer: Sidecar, halves: Halves) -> None:
    """Traffic of now reaches the observer, a moment later."""
    before = observer.metric("inference_requests_total")

    def counts_more() -> bool:
        halves.ask(3)
        return observer.metric("inference_requests_total") > before

    until(counts_more, "counting new requests", observer)


def test_the_relay_may_start_first(halves: Halves) -> None:
    with halves.relay():
        halves.ask(5)
        with halves.observer() as observer:
            until(lambda: observer.metric("inference_requests_total") == 5, "what came before it", observer)
            sees(observer, halves)


def test_the_observer_may_start_first(halves: Halves) -> None:
    with halves.observer() as observer, halves.relay():
        sees(observer, halves)


def test_the_observer_may_stop_and_come_back(halves: Halves) -> None:
    with halves.relay():
        with halves.observer() as observer:
            sees(observer, halves)
            assert observer.stop() == 0
        halves.ask(5)
        with halves.observer() as observer:
            sees(observer, halves)
            dropped = lambda: observer.metric("sidecar_chunks_dropped_total", reason="observer_down")  # noqa: E731
            until(lambda: dropped() >= 10, "what was missed, counted", observer)


def test_the_relay_may_stop_and_come_back(halves: Halves) -> None:
    with halves.observer() as observer:
        with halves.relay() as relay:
            sees(observer, halves)
            assert relay.stop() == 0
        with halves.relay():
            sees(observer, halves)


def test_the_socket_between_the_halves_is_its_owner_s_alone(halves: Halves) -> None:
    with halves.observer():
        assert stat.S_IMODE(halves.tee.stat().st_mode) == 0o600


KNOCK = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(1))"


def test_another_user_is_refused_even_where_the_file_s_mode_would_let_it_in(halves: Halves) -> None:
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("being another user takes root, and setpriv")
    with halves.observer() as observer:
        halves.tee.chmod(0o666)
        for directory in halves.tee.parents:
            if directory.stat().st_uid == os.getuid() and str(directory).startswith("/tmp/"):
                directory.chmod(0o755)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        knock = subprocess.run(
            [*nobody, "/usr/bin/env", _python(), "-c", KNOCK, str(halves.tee)],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert "b''" in knock.stdout or "ConnectionReset" in knock.stderr, knock.stderr
        until(
            lambda: "refused a connection to the tee from another user" in observer.said(), "said", observer
        )


def _python() -> str:
    """An interpreter that other users may run."""
    return shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
