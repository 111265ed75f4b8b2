"""`sidecar probe` against servers that answer well, badly, late and not at all."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sidecar import probing
from sidecar.errors import UsageError
from sidecar.probing import probe

ANSWERS = {"/-/healthy": (200, b"well\n"), "/-/ready": (503, b"draining\n")}


class _Admin(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def admin() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Admin) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            # As it is configured: where it listens, not where to connect.
            yield f"0.0.0.0:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_sidecar_that_is_well_is_exit_code_0_and_no_words(capsys):
    with admin() as address:
        assert probe(address, ready=False) == 0
    assert capsys.readouterr() == ("", "")


def test_one_that_is_not_ready_is_exit_code_1_and_its_own_words(capsys):
    with admin() as address:
        assert probe(address, ready=True) == 1
    assert capsys.readouterr().err.endswith("/-/ready answered 503: draining\n")


def test_of_a_page_that_is_no_sidecars_only_one_printable_line_is_said(capsys, monkeypatch):
    monkeypatch.setitem(ANSWERS, "/-/healthy", (404, b"<html>\x1b[31m" + b"x" * 999 + b"\n<body>"))
    with admin() as address:
        assert probe(address, ready=False) == 1
    said = capsys.readouterr().err
    assert "/-/healthy answered 404: '<html>\\x1b[31mxxx" in said
    assert said.count("\n") == 1 and len(said) < 300


def test_nobody_there_is_exit_code_1_and_a_sentence(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert probe(address, ready=False) == 1
    assert capsys.readouterr().err == f"no answer from {address}/-/healthy: connection refused\n"


def test_an_ipv6_address_is_said_in_brackets(capsys):
    probe("[::1]:1", ready=False)
    assert capsys.readouterr().err.startswith("no answer from [::1]:1/-/healthy: ")


def test_one_that_accepts_and_says_nothing_is_given_up(capsys, monkeypatch):
    monkeypatch.setattr(probing, "TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert probe(f"127.0.0.1:{server.getsockname()[1]}", ready=False) == 1
    assert "timed out" in capsys.readouterr().err


def test_one_that_does_not_speak_http_is_not_well(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=lambda: server.accept()[0].sendall(b"\0\0\0\n"))
        answer.start()
        assert probe(f"127.0.0.1:{server.getsockname()[1]}", ready=False) == 1
        answer.join()
    assert "no answer" in capsys.readouterr().err


def test_a_unix_socket_is_a_mistake():
    with pytest.raises(UsageError, match="give host:port"):
        probe("unix:/x", ready=False)
