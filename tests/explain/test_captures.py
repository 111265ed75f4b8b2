"""Exchanges to explain: recorded as JSON lines, or the raw bytes of a connection."""

import gzip
import json

import pytest

from sidecar.errors import UsageError
from sidecar.explain.captures import exchanges_of, read_captures

REQUEST = b"POST /score HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]"


def write(tmp_path, **files: bytes) -> dict[str, str]:
    for name, data in files.items():
        (tmp_path / name.replace("_", ".")).write_bytes(data)
    return {name: str(tmp_path / name.replace("_", ".")) for name in files}


@pytest.mark.parametrize("given", ["x_request", "x_response"])
def test_raw_bytes_are_a_request_and_the_answer_beside_it(tmp_path, given):
    [capture] = read_captures(write(tmp_path, x_request=REQUEST, x_response=ANSWER)[given])
    assert capture.answered
    assert (capture.exchange.target, capture.exchange.status) == ("/score", 200)
    assert (capture.exchange.request.data, capture.exchange.response.data) == (b"{}", b"[1]")


def test_a_request_without_an_answer_is_still_an_exchange(tmp_path):
    [capture] = read_captures(write(tmp_path, x_request=REQUEST)["x_request"])
    assert not capture.answered and capture.exchange.request.data == b"{}"


def test_raw_bytes_are_known_by_their_first_line_whatever_the_file_is_called(tmp_path):
    [capture] = read_captures(write(tmp_path, capture_txt=REQUEST)["capture_txt"])
    assert capture.exchange.target == "/score"


def test_several_exchanges_and_content_codings_are_read_as_live_ones(tmp_path):
    body = gzip.compress(b'{"a": 1}')
    packed = b"POST /a HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    found = exchanges_of(packed + REQUEST, ANSWER * 2)
    assert [seen.request.data for seen in found] == [b'{"a": 1}', b"{}"]


def test_an_answer_that_ends_with_its_connection_is_whole():
    [seen] = exchanges_of(REQUEST, b"HTTP/1.0 200 OK\r\n\r\n[1]")
    assert seen.response.data == b"[1]" and seen.status == 200


def test_json_lines_are_recorded_exchanges(tmp_path):
    lines = [{"time": 1.0, "target": f"/v1/models/{i}:predict", "request": "{}", "status": 200} for i in "ab"]
    files = write(tmp_path, x_jsonl=b"\n".join(json.dumps(line).encode() for line in lines))
    targets = [capture.exchange.target for capture in read_captures(files["x_jsonl"])]
    assert targets == ["/v1/models/a:predict", "/v1/models/b:predict"]


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"hello", "no HTTP/1.1 request begins here"), (None, "cannot be read: no such file")],
)
def test_what_is_no_capture_is_one_sentence(tmp_path, data, told):
    path = tmp_path / "x.request"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=told):
        list(read_captures(path))
