"""Bodies freed of their content coding, within bounds."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.exchange import BodyProblem, CapturedBody
from sidecar.wire.body import Capture, Inflater, decode
from sidecar.wire.limits import Budget, Limits
from tests.wire.playbook import Playbook, get, request

LIMITS = Limits()
TEXT = b'{"instances": [[1.5, 2.5, 3.5]]}' * 20


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("GZip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("identity", TEXT),
        ("", TEXT),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        ("gzip, identity", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("gzip", gzip.compress(TEXT) + bytes(100)),
    ],
)
def test_codings_are_undone(coding, body):
    assert decode(body, coding, LIMITS) == (TEXT, None)


@pytest.mark.parametrize(
    ("coding", "body", "problem"),
    [
        ("gzip", gzip.compress(TEXT)[:-1], BodyProblem.BAD_ENCODING),
        ("gzip", gzip.compress(TEXT) + b"junk", BodyProblem.BAD_ENCODING),
        ("gzip", gzip.compress(TEXT)[:-5] + b"12345", BodyProblem.BAD_ENCODING),
        ("gzip", TEXT, BodyProblem.BAD_ENCODING),
        ("deflate", TEXT, BodyProblem.BAD_ENCODING),
        ("gzip", gzip.compress(b"") * 10_000, BodyProblem.BAD_ENCODING),
        ("br", TEXT, BodyProblem.UNKNOWN_ENCODING),
        ("zstd", TEXT, BodyProblem.UNKNOWN_ENCODING),
        ("gzip, gzip, gzip", TEXT, BodyProblem.UNKNOWN_ENCODING),
        ("gzip", gzip.compress(bytes(200 * 1024 * 1024), 1), BodyProblem.EXPANDS_TOO_MUCH),
        ("gzip", gzip.compress(bytes(2 * 1024 * 1024)), BodyProblem.EXPANDS_TOO_MUCH),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(20 * 1024 * 1024))), BodyProblem.EXPANDS_TOO_MUCH),
    ],
)
def test_a_body_that_cannot_be_decoded_within_bounds_has_a_reason_and_no_data(coding, body, problem):
    assert decode(body, coding, LIMITS) == (b"", problem)


def test_a_body_that_expands_no_further_than_a_plain_one_may_go_is_read():
    zeros = bytes(LIMITS.capture_bytes)
    assert decode(gzip.compress(zeros), "gzip", LIMITS) == (zeros, None)


def test_size_counts_what_was_transferred():
    body = gzip.compress(TEXT)
    [exchange] = (
        Playbook().open().client(request("/a", body, "POST", "Content-Encoding: gzip"))
        .server(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc").exchanges()
    )  # fmt: skip
    assert exchange.request == CapturedBody(TEXT, len(body))
    assert exchange.response == CapturedBody(b"", 3, BodyProblem.UNKNOWN_ENCODING)


def test_an_answer_to_head_that_names_a_coding_is_no_broken_body():
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 300\r\n\r\n"
    [exchange] = Playbook().open().client(request("/a", b"", "HEAD")).server(head).exchanges()
    assert exchange.response == CapturedBody()


def test_the_first_problem_stays_and_frees_the_memory():
    budget = Budget(1_000)
    capture = Capture(100, budget)
    capture.add(b"x" * 60)
    assert budget.used == 60
    capture.add(b"x" * 60)
    capture.miss(10)

    assert budget.used == 0
    assert capture.finish(None, LIMITS) == CapturedBody(b"", 130, BodyProblem.TOO_LARGE)


def test_a_body_in_many_small_pieces_is_joined():
    capture = Capture(10_000, Budget(10_000))
    for _ in range(1_000):
        capture.add(b"ab")
    assert capture.finish(None, LIMITS) == CapturedBody(b"ab" * 1_000, 2_000)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2_000), st.integers(1, 50))
def test_a_stream_inflates_to_the_same_whatever_the_pieces(data, size):
    packed = gzip.compress(data)
    inflater = Inflater("gzip", LIMITS)
    assert b"".join(inflater.feed(packed[at : at + size]) for at in range(0, len(packed), size)) == data
    assert not inflater.failed


def test_a_stream_that_expands_too_much_stops():
    inflater = Inflater("gzip", LIMITS)
    output = inflater.feed(gzip.compress(bytes(100 * 1024 * 1024), 1))
    assert inflater.failed
    assert len(output) <= LIMITS.decoded_bytes + 1
    assert inflater.feed(b"more") == b""


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "gzip, deflate", "x", ",,", "gzip,"]))
def test_no_bytes_make_decoding_raise(data, coding):
    output, problem = decode(data, coding, LIMITS)
    assert problem is None or output == b""


def test_get_has_no_body():
    [exchange] = Playbook().open().client(get()).server(b"HTTP/1.1 204 No\r\n\r\n").exchanges()
    assert exchange.request == exchange.response == CapturedBody()
