"""Bodies captured within bounds."""

import gzip

from sidecar.exchange import BodyProblem, CapturedBody
from sidecar.wire.body import Capture
from sidecar.wire.limits import Budget, Limits
from tests.wire.playbook import Playbook, get, request

LIMITS = Limits()
TEXT = b'{"instances": [[1.5, 2.5, 3.5]]}' * 20


def test_size_counts_what_was_transferred():
    body = gzip.compress(TEXT)
    [exchange] = (
        Playbook().open().client(request("/a", body, "POST", "Content-Encoding: gzip"))
        .server(b"HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 3\r\n\r\nabc").exchanges()
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


def test_get_has_no_body():
    [exchange] = Playbook().open().client(get()).server(b"HTTP/1.1 204 No\r\n\r\n").exchanges()
    assert exchange.request == exchange.response == CapturedBody()
