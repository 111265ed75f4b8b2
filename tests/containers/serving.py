"""A model server and its clients, as plain threads: traffic whose every byte is known."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = json.dumps(
    {
        "model_name": "m",
        "model_version": "1",
        "outputs": [{"name": "p", "datatype": "FP32", "shape": [2], "data": [0.1, 0.2]}],
    }
).encode()


def request(rows: int = 2, columns: int = 12) -> bytes:
    """One Open Inference request in JSON."""
    tensor = {
        "name": "x",
        "datatype": "FP32",
        "shape": [rows, columns],
        "data": [0.123456 + i / 1000 for i in range(rows * columns)],
    }
    body = json.dumps({"inputs": [tensor]}).encode()
    head = f"POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *arguments: object) -> None:
        """A connection that was cut is what some tests are about."""


@contextlib.contextmanager
def model_server() -> Iterator[str]:
    """Answers every inference; its address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Client:
    """One keep-alive connection, and what went over it."""

    address: tuple[str, int]
    sent: int = 0
    received: int = 0
    answered: int = 0
    slowest: float = 0.0
    _socket: socket.socket | None = field(default=None, repr=False)

    def ask(self, message: bytes) -> None:
        """Send one request and read its answer. Raises OSError when that fails."""
        if self._socket is None:
            self._socket = socket.create_connection(self.address, 20)
            self._socket.settimeout(20)
        start = time.monotonic()
        self._socket.sendall(message)
        self.sent += len(message)
        had = b""
        while not had.endswith(ANSWER):
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionResetError("the connection ended before the answer did")
            had += piece
        assert had.startswith(b"HTTP/1.1 200"), had[:100]
        self.received += len(had)
        self.answered += 1
        self.slowest = max(self.slowest, time.monotonic() - start)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@contextlib.contextmanager
def traffic(
    address: tuple[str, int], message: bytes, clients: int = 2, pause: float = 0.0
) -> Iterator[list[Client]]:
    """Clients that ask without end, in threads; whatever went wrong in one is raised at the end."""
    all_clients = [Client(address) for _ in range(clients)]
    failures: list[BaseException] = []
    stop = threading.Event()

    def run(client: Client) -> None:
        try:
            while not stop.is_set():
                client.ask(message)
                time.sleep(pause)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in all_clients]
    for thread in threads:
        thread.start()
    try:
        yield all_clients
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        for client in all_clients:
            client.close()
    assert failures == []
