"""Several relay workers share the listener, and the figures are as right as with one."""

import os
import signal
from pathlib import Path

import pytest

from tests.containers.serving import Client, request
from tests.faults.running import Sidecar, sidecar, until

REQUESTS = 30


def many(running: Sidecar, connections: int = 12) -> list[Client]:
    """Requests over connections that stay open, so that every worker has some of them."""
    clients = [Client(running.address) for _ in range(connections)]
    for _ in range(REQUESTS):
        for client in clients:
            client.ask(request())
    return clients


def counted(running: Sidecar, requests: int, sent: int, received: int) -> None:
    """Everything that went over the wire is in the metrics, once."""

    def there() -> bool:
        return (
            running.metric("inference_requests_total", outcome="ok") == requests
            and running.metric("sidecar_relay_bytes_total", direction="request") == sent
            and running.metric("sidecar_relay_bytes_total", direction="response") == received
        )

    until(there, f"{requests} requests of {sent} and {received} bytes in the metrics", running)
    assert running.metric("inference_requests_total") == requests
    # On a machine that stalls the observer leaves payloads unread to keep up, and says so.
    unread = running.metric("sidecar_exchanges_undecoded_total", reason="overload")
    assert running.metric("inference_rows_total") == 2 * (requests - unread)
    assert running.metric("sidecar_chunks_dropped_total") == 0


def totals(clients: list[Client]) -> tuple[int, int, int]:
    return (
        sum(client.answered for client in clients),
        sum(client.sent for client in clients),
        sum(client.received for client in clients),
    )


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_requests_and_bytes_add_up_with_any_number_of_workers(
    workers: int, upstream: str, tmp_path: Path
) -> None:
    with sidecar(tmp_path, upstream, "--workers", str(workers)) as running:
        until(lambda: len(running.relay_pids()) == workers, f"{workers} workers", running)
        clients = many(running)
        counted(running, *totals(clients))
        assert running.metric("sidecar_connections", state="observed") == len(clients)
        for client in clients:
            client.close()
        until(lambda: running.metric("sidecar_connections") == 0, "no connection left", running)


def test_what_a_killed_worker_counted_stays_and_its_successor_adds_to_it(
    upstream: str, tmp_path: Path
) -> None:
    with sidecar(tmp_path, upstream, "--workers", "2") as running:
        before = many(running)
        counted(running, *totals(before))
        killed = running.relay_pids()[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(set(running.relay_pids()) - {killed}) == 2, "two workers again", running)
        after = many(running)
        counted(running, *totals([*before, *after]))


def test_what_a_killed_worker_counted_survives_the_observer_too(upstream: str, tmp_path: Path) -> None:
    with sidecar(tmp_path, upstream, "--workers", "2") as running:
        requests, sent, received = totals(many(running))
        counted(running, requests, sent, received)
        killed = running.relay_pids()[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(set(running.relay_pids()) - {killed}) == 2, "two workers again", running)
        observer = running.observer_pid()
        assert observer is not None
        os.kill(observer, signal.SIGKILL)
        until(lambda: running.observer_pid() not in (None, observer), "another observer", running)
        until(lambda: running.get("/api/v1/status")[0] == 200, "observing again", running)

        def kept() -> bool:
            return running.metric("sidecar_relay_bytes_total", direction="request") == sent

        until(kept, f"{sent} bytes in the metrics of the new observer", running)
        assert running.metric("sidecar_relay_bytes_total", direction="response") == received
