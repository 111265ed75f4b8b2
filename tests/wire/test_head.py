"""Heads: what is kept, how long the body is, and when it is better not to say."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.wire import head as heads
from sidecar.wire.head import CHUNKED, UNTIL_CLOSE, Unreadable, begins_request, parse_request, parse_response


def ask(*fields: str, line: str = "POST / HTTP/1.1") -> bytes:
    return "\r\n".join([line, *fields]).encode("latin-1")


def test_only_fields_on_the_list_are_kept():
    _, _, headers, _ = parse_request(
        ask(
            "Host: secret.internal", "Authorization: Bearer s3cret", "Cookie: s3cret", "X-Api-Key: s3cret",
            "Content-Type:  application/json\t", "X-Request-ID: 42", "CE-Id: 7", "Ce-Source: s",
            "X-Amzn-SageMaker-Target-Model: m.tar.gz", "X-Amzn-SageMaker-Custom-Attributes: s3cret",
            "X-Amz-Security-Token: s3cret", "User-Agent: curl", "traceparent: 00-1-2-01",
        )
    )  # fmt: skip
    assert headers == {
        "content-type": "application/json",
        "x-request-id": "42",
        "ce-id": "7",
        "ce-source": "s",
        "x-amzn-sagemaker-target-model": "m.tar.gz",
        "traceparent": "00-1-2-01",
    }


def test_a_field_that_traffic_is_divided_by_is_kept_too_and_no_longer_than_that():
    asked = ask("X-Tenant: acme", "X-Amzn-SageMaker-Session-Id: s3cret")
    try:
        heads.keep_too(["x-tenant", "x-amzn-sagemaker-session-id"])
        assert parse_request(asked)[2] == {"x-tenant": "acme"}
        kept: dict[str, str] = {}
        heads.keep(kept, "x-tenant", b"acme")
        assert kept == {"x-tenant": "acme"}
    finally:
        heads.keep_too([])
    assert parse_request(asked)[2] == {}


def test_no_secret_stays_in_what_is_remembered_between_heads():
    secret = "canary-of-a-secret"
    parse_request(
        ask(
            f"Authorization: {secret}", f"Cookie: {secret}", f"X-Request-Id: {secret}",
            f"traceparent: {secret}", f"X-Own: {secret}", f"ce-subject: {secret}",
            line=f"GET /a?key={secret} HTTP/1.1",
        )
    )  # fmt: skip
    remembered = (heads._request_lines, heads._status_lines, heads._field_lines, heads._names)
    assert not [line for cache in remembered for line in cache if secret.encode() in line]


def test_what_is_remembered_is_bounded():
    for number in range(5_000):
        parse_request(ask(f"Content-Length: {number}", f"X-{number}: 1", line=f"GET /{number} HTTP/1.1"))
        parse_response(b"HTTP/1.1 200 %d" % number)
    for cache in (heads._request_lines, heads._status_lines, heads._field_lines, heads._names):
        assert len(cache) <= 1_024


def test_values_and_their_number_are_bounded_but_never_the_framing():
    fields = [f"ce-a{number}: {'x' * 5000}" for number in range(50)]
    _, _, headers, length = parse_request(ask(*fields, "Content-Length: 7"))
    assert len(headers) == 33
    assert max(len(value) for value in headers.values()) == 1024
    assert length == 7


def test_repeated_fields_are_joined():
    _, _, headers, _ = parse_request(ask("Accept: a", "accept: b", "ACCEPT: c"))
    assert headers == {"accept": "a, b, c"}


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([], 0),
        (["Content-Length: 0005"], 5),
        (["Content-Length: \t5 \t"], 5),
        (["Content-Length: 5", "content-length: 5"], 5),
        (["Content-Length: 5, 5"], 5),
        (["Transfer-Encoding: Chunked"], CHUNKED),
        (["Transfer_Encoding: chunked", "Content-Length: 5"], 5),
    ],
)
def test_the_length_of_a_request(fields, length):
    assert parse_request(ask(*fields))[3] == length


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        *(
            [f"Content-Length: {value}"]
            for value in ("", "+5", "-5", "5 6", "5_0", "0x5", "5;", "\xb2", "9" * 19)
        ),
        ["Content-Length : 5"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: \x0bchunked"],
        ["Transfer-Encoding: " + "x" * 2000 + ", chunked"],
        ["X: a\rTransfer-Encoding: chunked"],
        ["X: a\nTransfer-Encoding: chunked"],
        ["X: a", " folded"],
        ["NoColon"],
        [": empty"],
        [""],
    ],
)
def test_a_request_whose_end_is_in_doubt_is_unreadable(fields):
    with pytest.raises(Unreadable):
        parse_request(ask(*fields))


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\x00 HTTP/1.1",
        "",
        "G{T / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "M" * 65 + " / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1\n",
    ],
)
def test_a_line_that_is_no_request_line_is_unreadable(line):
    with pytest.raises(Unreadable):
        parse_request(ask(line=line))


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ("", UNTIL_CLOSE),
        ("Content-Length: 3", 3),
        ("Transfer-Encoding: chunked", CHUNKED),
        ("Transfer-Encoding: gzip, chunked", CHUNKED),
        ("Transfer-Encoding: gzip", UNTIL_CLOSE),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3", CHUNKED),
    ],
)
def test_the_length_of_a_response(fields, length):
    lines = "HTTP/1.1 200 OK\r\n" + fields if fields else "HTTP/1.1 200"
    assert parse_response(lines.encode())[2] == length


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 4",
        b"HTTP/1.1 099 Weird",
        b"HTTP/1.1 20",
        b"HTTP/2 200",
        b"ICY 200 OK",
        b"HTTP/1.1 200 OK\nContent-Length: 3",
    ],
)
def test_a_response_whose_end_is_in_doubt_is_unreadable(head):
    with pytest.raises(Unreadable):
        parse_response(head)


def test_the_preface_of_http2_is_told_apart():
    with pytest.raises(Unreadable) as caught:
        parse_request(b"PRI * HTTP/2.0")
    assert caught.value.http2


def test_a_request_line_is_recognised_only_when_it_is_whole():
    assert begins_request(b"GET /a HTTP/1.1\r\nHost: x\r\n")
    for data in (
        b"GET /a HTTP/1.1",
        b"GET /a HTTP/1.1\r",
        b"GET /a HTTP/1.12\r\n",
        b" GET /a HTTP/1.1\r\n",
        b"x",
    ):
        assert not begins_request(data)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80), st.builds(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail, st.binary(max_size=80))
    )
)
def test_no_bytes_raise_anything_else(head):
    for parse in (parse_request, parse_response):
        with contextlib.suppress(Unreadable):
            parse(head)
