"""One connection: pairing, framing, timings and outcomes."""

import pytest

from sidecar.chunk import FROM_CLIENT, FROM_SERVER
from sidecar.exchange import BodyProblem, CapturedBody, Outcome
from sidecar.wire.connection import Wire
from tests.wire.playbook import STEP, Playbook, answer, chunked, get, request


def play() -> Playbook:
    return Playbook().open()


def test_one_request_and_its_answer_are_one_exchange():
    script = play().client(request("/v2/models/iris/infer?x=1", b'{"a":1}')).server(answer(b'{"b":2}'))
    [exchange] = script.exchanges()

    assert (exchange.method, exchange.target, exchange.status) == ("POST", "/v2/models/iris/infer?x=1", 200)
    assert exchange.request == CapturedBody(b'{"a":1}', 7)
    assert exchange.response == CapturedBody(b'{"b":2}', 7)
    assert exchange.outcome is Outcome.OK
    assert (exchange.connection, exchange.transport, exchange.route) == (1, "http1", "r")
    assert exchange.request_headers["content-type"] == "application/json"
    assert not exchange.streamed


def test_times_are_those_of_the_first_and_last_byte_of_each_side():
    body = b"x" * 10
    script = play().client(request(body=body)[:20])
    script.client(request(body=body)[20:-5]).client(body[-5:]).wait(2).server(answer(body)[:-3])
    [exchange] = script.server(body[-3:]).exchanges()

    times = exchange.timings
    start = 100.0 + STEP
    assert times.request_first == pytest.approx(start)
    assert times.request_last == pytest.approx(start + 2 * STEP)
    assert times.response_first == pytest.approx(start + 2 + 3 * STEP)
    assert times.response_last == pytest.approx(start + 2 + 4 * STEP)


def test_an_interim_answer_is_no_answer_and_does_not_stop_the_clock():
    script = play().client(request(body=b"hello")[:-5]).server(b"HTTP/1.1 100 Continue\r\n\r\n")
    script.client(b"hello").wait(1).server(b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n").server(answer())
    [exchange] = script.exchanges()

    assert exchange.status == 200
    assert exchange.request.data == b"hello"
    assert exchange.timings.time_to_first_byte == pytest.approx(1 + 2 * STEP)


def test_exchanges_of_a_kept_alive_connection_follow_each_other():
    script = play()
    for number in range(5):
        script.client(request(f"/{number}")).server(answer(status=200 + number))

    assert [(e.target, e.status) for e in script.exchanges()] == [(f"/{n}", 200 + n) for n in range(5)]


def test_pipelined_requests_are_answered_in_order():
    script = play().client(get("/a") + request("/b") + get("/c")).server(answer(b"1") + answer(b"2", 404))
    script.server(answer(b"3", 500))

    assert [(e.target, e.response.data, e.outcome) for e in script.exchanges()] == [
        ("/a", b"1", Outcome.OK),
        ("/b", b"2", Outcome.CLIENT_ERROR),
        ("/c", b"3", Outcome.SERVER_ERROR),
    ]


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_an_answer_without_a_body_ends_with_its_head(method, head):
    script = play().client(request("/a", b"", method)).server(head).client(get("/b")).server(answer(b"next"))
    first, second = script.exchanges()

    assert (first.target, first.response.size) == ("/a", 0)
    assert second.response.data == b"next"


def test_chunks_are_joined_and_their_extensions_and_trailers_dropped():
    body = b'5;a=b;c="q;x"\r\nhello\r\n3 \r\n wo\r\n000003\r\nrld\r\n0;z\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n'
    head = b"POST /p HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
    script = play().client(head + body + get("/next")).server(answer() + answer())
    first, second = script.exchanges()

    assert first.request == CapturedBody(b"hello world", 11)
    assert second.target == "/next"


def test_an_answer_without_a_length_ends_with_the_connection():
    script = (
        play().client(b"GET / HTTP/1.0\r\n\r\n").server(b"HTTP/1.0 200 OK\r\n\r\npart one, ", b"part two")
    )
    assert script.exchanges() == []
    [exchange] = script.end(FROM_SERVER).close().exchanges()

    assert exchange.response == CapturedBody(b"part one, part two", 18)
    assert exchange.outcome is Outcome.OK


def test_an_early_answer_waits_for_the_end_of_its_request():
    script = play().client(request(body=b"x" * 100)[:-50]).server(answer(b"early", 413))
    assert script.exchanges() == []
    [exchange] = script.client(b"x" * 50).exchanges()

    assert exchange.status == 413
    assert exchange.request.size == 100
    assert exchange.timings.duration == 0.0


def test_an_answered_request_that_never_ends_is_reported_after_a_while():
    wire = Wire()
    script = play().client(request(body=b"x" * 100)[:-50]).server(answer(b"early", 413))
    assert script.exchanges(wire) == []
    assert wire.tick(script.now + 1) == []
    [exchange] = wire.tick(script.now + 3)

    assert exchange.outcome is Outcome.CLIENT_ERROR
    assert exchange.request.problem is BodyProblem.CUT
    # Its body goes on, and is not taken for anything else.
    more = Playbook(now=script.now, at=script.at).client(b"GET /evil HTTP/1.1\r\n\r\n".ljust(50))
    [following] = more.client(get("/next")).server(answer()).exchanges(wire)
    assert following.target == "/next"


@pytest.mark.parametrize(
    "leave", [lambda p: p.end(FROM_CLIENT), lambda p: p.reset(FROM_CLIENT), lambda p: p.close()]
)
def test_an_early_answer_counts_by_its_status_when_the_client_gives_up_the_upload(leave):
    script = play().client(request(body=b"x" * 100)[:-50]).server(answer(b"early", 413))
    [exchange] = leave(script).exchanges()

    assert exchange.outcome is Outcome.CLIENT_ERROR
    assert exchange.request.problem is BodyProblem.CUT


def test_a_half_close_after_a_complete_request_is_legal():
    [exchange] = play().client(request()).end(FROM_CLIENT).wait(1).server(answer()).close().exchanges()
    assert exchange.outcome is Outcome.OK


CUT_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"
CUT_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
CUT_HEAD = b"HTTP/1.1 200 OK\r\nConte"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\nsome"


@pytest.mark.parametrize(
    ("said", "leave", "outcome"),
    [
        (b"", "server end", Outcome.UPSTREAM_RESET),
        (b"", "server reset", Outcome.UPSTREAM_RESET),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "server end", Outcome.UPSTREAM_RESET),
        (CUT_HEAD, "server end", Outcome.TRUNCATED),
        (CUT_HEAD, "server reset", Outcome.UPSTREAM_RESET),
        (CUT_BODY, "server end", Outcome.TRUNCATED),
        (CUT_BODY, "server reset", Outcome.UPSTREAM_RESET),
        (CUT_CHUNKS, "server end", Outcome.TRUNCATED),
        (CUT_CHUNKS, "server reset", Outcome.UPSTREAM_RESET),
        (NO_LENGTH, "server end", Outcome.OK),
        (NO_LENGTH, "server reset", Outcome.UPSTREAM_RESET),
        (b"", "client reset", Outcome.CLIENT_CLOSED),
        (CUT_BODY, "client reset", Outcome.CLIENT_CLOSED),
        (CUT_BODY, "close", Outcome.CLIENT_CLOSED),
        (b"", "close", Outcome.CLIENT_CLOSED),
        (b"", "client end, server end", Outcome.CLIENT_CLOSED),
        (CUT_BODY, "client end, server end", Outcome.CLIENT_CLOSED),
        (CUT_BODY, "client end, server reset", Outcome.CLIENT_CLOSED),
        (CUT_BODY, "client end, close", Outcome.CLIENT_CLOSED),
    ],
)
def test_who_left_first_decides_the_outcome_of_a_cut_exchange(said, leave, outcome):
    script = play().client(request())
    if said:
        script.server(said)
    for step in leave.split(", "):
        side = FROM_SERVER if step.startswith("server") else FROM_CLIENT
        script = script.close() if step == "close" else getattr(script, step.split()[1])(side)
    [exchange] = script.close().exchanges()

    assert exchange.outcome is outcome
    cut = said and outcome is not Outcome.OK and exchange.status is not None
    assert exchange.response.problem is (BodyProblem.CUT if cut else None)


def test_a_client_that_leaves_inside_its_upload_has_closed():
    script = play().client(request(body=b"x" * 100)[:-50]).end(FROM_CLIENT).end(FROM_SERVER).close()
    [exchange] = script.exchanges()

    assert exchange.outcome is Outcome.CLIENT_CLOSED
    assert exchange.request == CapturedBody(b"", 50, BodyProblem.CUT)


def test_requests_that_a_closing_server_never_answered_are_resets():
    script = play().client(get("/a") + get("/b") + get("/c")).server(answer()).end(FROM_SERVER).close()
    assert [e.outcome for e in script.exchanges()] == [
        Outcome.OK,
        Outcome.UPSTREAM_RESET,
        Outcome.UPSTREAM_RESET,
    ]


def test_a_request_sent_into_a_closed_connection_is_a_reset_of_the_upstream():
    script = play().client(get("/a")).server(answer()).end(FROM_SERVER).client(get("/late")).close()
    assert [(e.target, e.outcome) for e in script.exchanges()] == [
        ("/a", Outcome.OK),
        ("/late", Outcome.UPSTREAM_RESET),
    ]


def test_nothing_pending_yields_nothing_when_the_connection_closes():
    script = play().client(request()).server(answer()).end(FROM_SERVER).end(FROM_CLIENT).close()
    assert len(script.exchanges()) == 1
    assert play().close().exchanges() == []
    assert play().client(b"GET / HT").close().exchanges() == []


def test_empty_lines_before_a_request_are_ignored():
    [exchange] = play().client(b"\r\n\r\n" + get("/lead")).server(answer()).exchanges()
    assert exchange.target == "/lead"


@pytest.mark.parametrize("switch", ["upgrade", "connect"])
def test_after_a_change_of_protocol_nothing_is_read(switch):
    wire = Wire()
    if switch == "upgrade":
        script = (
            play()
            .client(get("/ws"))
            .server(b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        )
    else:
        script = (
            play()
            .client(b"CONNECT a:1 HTTP/1.1\r\n\r\n" + get("/evil"))
            .server(b"HTTP/1.1 200 OK\r\n\r\nraw")
        )
    exchanges = script.client(get("/evil")).server(answer()).exchanges(wire)

    assert [e.status for e in exchanges] == [101 if switch == "upgrade" else 200]
    assert wire.connections() == {("blind", "http1"): 1}
    assert wire.captured_bytes == 0


def test_an_upgrade_that_was_refused_is_an_ordinary_answer():
    script = play().client(request("/ws", b"", "GET", "Connection: Upgrade", "Upgrade: websocket"))
    script.server(answer(b"", 426)).client(get("/next")).server(answer())
    assert [e.status for e in script.exchanges()] == [426, 200]


def test_what_a_client_said_before_it_became_unreadable_is_still_answered():
    wire = Wire()
    script = play().client(get("/a")).client(b"\x00garbage").server(answer())
    [exchange] = script.exchanges(wire)

    assert (exchange.target, exchange.outcome) == ("/a", Outcome.OK)
    assert wire.connections() == {("blind", "http1"): 1}


def test_an_answer_to_nothing_makes_the_connection_blind_and_no_exchange():
    wire = Wire()
    unasked = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    assert len(play().client(get()).server(answer()).server(unasked).exchanges(wire)) == 1
    assert wire.connections() == {("blind", "http1"): 1}


def test_splitting_at_every_byte_changes_nothing_but_times():
    whole = play().client(get("/a") + request("/b", b"hello")).server(answer(b"1") + answer(b"2", 404))
    head = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole.client(b"\r\n" + head + chunked(b"abc", b"de", trailer=b"X: y\r\n"))
    whole.server(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    whole.server(chunked(b"12345", b"6")).client(b"GET /d HTTP/1.0\r\n\r\n").server(
        b"HTTP/1.0 200 OK\r\n\r\nrest"
    )
    whole.end(FROM_SERVER).close()
    expected = whole.exchanges()
    assert [e.target for e in expected] == ["/a", "/b", "/c", "/d"]

    for size in (1, 2, 3, 7):
        assert whole.split(size).exchanges() == expected


@pytest.mark.parametrize("said", [b"", answer(b"early", 413)])
def test_an_upload_that_goes_on_after_the_server_left_is_nobodys(said):
    wire = Wire()
    script = play().client(request(body=b"x" * 100)[:-50])
    if said:
        script.server(said)
    script.end(FROM_SERVER).client(b"x" * 20)
    [exchange] = script.exchanges(wire)
    assert exchange.outcome is (Outcome.CLIENT_ERROR if said else Outcome.UPSTREAM_RESET)
    assert wire.captured_bytes == 0
    assert Playbook(now=script.now, at=script.at).client(b"x" * 30).close().exchanges(wire) == []


def test_a_second_answer_to_one_request_is_an_answer_to_nothing():
    wire = Wire()
    script = play().client(request(body=b"x" * 100)[:-50]).server(answer(b"early", 413)).server(answer())
    [exchange] = script.exchanges(wire)
    assert (exchange.status, exchange.outcome) == (413, Outcome.CLIENT_ERROR)
    assert wire.connections() == {("blind", "http1"): 1}
