"""Losing bytes, and finding the place again without ever guessing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.exchange import BodyProblem, CapturedBody, Outcome
from sidecar.wire.connection import Wire
from sidecar.wire.resync import QUIET_SECONDS
from tests.wire.playbook import STEP, Playbook, answer, chunked, feed, get, request

EVIL = b"GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n"


def play() -> Playbook:
    return Playbook().open()


def lost() -> Playbook:
    """A connection whose first request lost part of its head, and was answered."""
    return play().client(b"POST /lost HT").client_gap(50)


def test_a_gap_inside_a_body_of_known_length_costs_the_body_and_nothing_else():
    body = b"x" * 100
    script = play().client(request("/a", body)[:-80]).client_gap(60, lasting=0.5).client(b"x" * 20)
    script.server(answer(body)[:-80]).server_gap(80, lasting=0.25).client(get("/b")).server(answer())
    first, second = script.exchanges()

    assert first.outcome is Outcome.OK
    assert first.request == CapturedBody(b"", 100, BodyProblem.GAP)
    assert first.response == CapturedBody(b"", 100, BodyProblem.GAP)
    assert first.timings.response_last == pytest.approx(100 + 0.75 + 5 * STEP)
    assert second.target == "/b"


def test_a_gap_inside_one_chunk_of_a_chunked_body_costs_the_body_and_nothing_else():
    head = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    script = play().client(head + b"a\r\n012").client_gap(5).client(b"89\r\n0\r\n\r\n").server(answer())
    [exchange] = script.exchanges()

    assert exchange.outcome is Outcome.OK
    assert exchange.request == CapturedBody(b"", 10, BodyProblem.GAP)


def test_a_gap_in_an_answer_that_ends_with_the_connection_costs_the_body_and_nothing_else():
    script = play().client(get()).server(b"HTTP/1.1 200 OK\r\n\r\nabc").server_gap(1000).end(FROM_SERVER)
    [exchange] = script.exchanges()

    assert exchange.outcome is Outcome.OK
    assert exchange.response == CapturedBody(b"", 1003, BodyProblem.GAP)


@pytest.mark.parametrize("announced", [True, False])
def test_a_jump_of_the_offset_is_a_gap_whether_announced_or_not(announced):
    script = play().client(request(body=b"x" * 100)[:-80])
    if announced:
        script.client_gap(60)
    else:
        script.at[FROM_CLIENT] += 60
    [exchange] = script.client(b"x" * 20).server(answer()).exchanges()
    assert exchange.request == CapturedBody(b"", 100, BodyProblem.GAP)


@pytest.mark.parametrize("cut", ["request head", "past the request", "between", "answer head", "chunk size"])
def test_a_gap_anywhere_else_leaves_the_exchange_unobserved_and_the_connection_blind(cut):
    wire = Wire()
    script = play()
    if cut == "request head":
        script.client(get("/a")).client(b"GET /b").client_gap(30)
    elif cut == "past the request":
        script.client(request("/a", b"x" * 10)[:-5]).client_gap(6)
    elif cut == "between":
        script.client(get("/a")).client_gap(1)
    elif cut == "answer head":
        script.client(get("/a")).server(b"HTTP/1.1 200").server_gap(10)
    else:
        head = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        script.client(head + b"5\r\nhello\r\n").client_gap(3)
    [exchange] = script.exchanges(wire)

    assert (exchange.target, exchange.outcome) == ("/a", Outcome.UNOBSERVED)
    assert wire.connections() == {("blind", "http1"): 1}
    assert wire.captured_bytes == 0
    assert script.close().exchanges()[1:] == []


def test_a_request_line_inside_a_gapped_body_is_not_a_request():
    """The head's chunked framing is lost, and the client's next chunk begins with a perfect request."""
    head = b"POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    script = play().client(head + b"ff\r\n").client_gap(300)
    for _ in range(10):
        script.client(EVIL).wait(2 * QUIET_SECONDS)
    script.client(b"\r\n0\r\n\r\n").server(answer()).client(get("/real")).server(answer()).close()

    assert "/evil" not in [exchange.target for exchange in script.exchanges()]


def test_a_request_line_inside_a_gapped_body_of_known_length_is_body():
    body = b"x" * 50 + EVIL + b"y" * 50
    script = (
        play().client(request("/a", body)[: -len(body)]).client_gap(50).client(EVIL).wait(5).client(b"y" * 50)
    )
    [exchange] = script.server(answer()).exchanges()
    assert exchange.target == "/a"


def test_after_100_continue_and_a_pause_the_upload_is_no_request():
    script = play().client(b"POST /up").client_gap(100).server(b"HTTP/1.1 100 Continue\r\n\r\n")
    script.wait(2 * QUIET_SECONDS).client(EVIL).server(answer()).close()
    assert script.exchanges() == []


def test_a_request_after_an_answer_and_a_quiet_while_is_read_again():
    wire = Wire()
    script = (
        lost()
        .server(answer())
        .wait(2 * QUIET_SECONDS)
        .client(request("/found", b"hi"))
        .server(answer(b"yes"))
    )
    [exchange] = script.exchanges(wire)

    assert (exchange.target, exchange.request.data, exchange.response.data) == ("/found", b"hi", b"yes")
    assert exchange.outcome is Outcome.OK
    assert wire.connections() == {("observed", "http1"): 1}


def test_a_lost_answer_also_ends_when_it_is_quiet():
    script = lost().server_gap(200).wait(2 * QUIET_SECONDS).client(get("/found")).server(answer())
    assert [e.target for e in script.exchanges()] == ["/found"]


@pytest.mark.parametrize("start", ["busy", "the client spoke last", "not at a request line"])
def test_without_an_answer_and_quiet_before_it_a_request_is_not_read(start):
    script = lost()
    if start == "busy":
        script.server(answer())
    elif start == "the client spoke last":
        script.server(answer()).client(b"more").wait(2 * QUIET_SECONDS)
    else:
        script.server(answer()).wait(2 * QUIET_SECONDS).client(b"tail of something ")
    assert script.client(get("/a")).server(answer()).exchanges() == []


def test_a_busy_connection_is_trusted_again_after_two_rounds_in_strict_turns():
    script = lost().server(answer())
    for number in range(5):
        script.client(request(f"/{number}")).server(answer())
    exchanges = script.exchanges()
    assert [e.target for e in exchanges] == ["", "", "/2", "/3", "/4"]
    assert [e.outcome for e in exchanges[:2]] == [Outcome.UNOBSERVED] * 2, "that they happened is known"


def test_requests_that_overlap_earn_no_trust():
    script = lost().server(answer()).client(get("/0"))
    for number in range(1, 10):
        script.client(get(f"/{number}")).server(answer())
    assert script.exchanges() == []


def test_another_gap_starts_the_trial_again():
    script = lost().server(answer()).client(get("/0")).server(answer()).server_gap(10).client(get("/1"))
    script.server(answer()).client(get("/2")).server(answer()).client(get("/3")).server(answer())
    assert [e.target for e in script.exchanges()] == ["", "", "/3"]


def test_an_announced_connection_is_read_only_once_its_place_is_known():
    """The observer restarted: what the bytes before were, nobody knows."""
    wire = Wire()
    script = Playbook().open(offsets=(5000, 700))
    assert script.client(EVIL).exchanges(wire) == []
    assert wire.connections() == {("blind", "unknown"): 1}
    script = (
        Playbook(now=script.now, at=script.at).server(answer()).wait(2).client(get("/a")).server(answer())
    )
    assert [e.target for e in script.exchanges(wire)] == ["/a"]


def test_a_connection_announced_before_its_first_byte_is_in_sync():
    script = Playbook().open(offsets=(0, 0)).client(get("/a")).server(answer())
    assert [e.target for e in script.exchanges()] == ["/a"]


def test_a_broken_tee_link_leaves_the_open_exchanges_of_its_worker_unobserved():
    wire = Wire()
    here, there = (3 << 40) + 1, (4 << 40) + 1
    for connection in (here, there):
        Playbook(connection).open().client(get("/open")).exchanges(wire)
    [exchange] = wire.link_lost(3, 101.0)

    assert (exchange.connection, exchange.outcome) == (here, Outcome.UNOBSERVED)
    assert wire.connections() == {("observed", "http1"): 1}
    assert [e.target for e in wire.open_exchanges()] == ["/open"]


def test_a_connection_announced_anew_without_notice_drops_what_was_open():
    wire = Wire()
    script = Playbook().open().client(get("/open"))
    assert [e.outcome for e in script.open(offsets=(100, 0)).exchanges(wire)] == [Outcome.UNOBSERVED]


def conversation(turns: list[tuple[int, int]]) -> tuple[list[Chunk], set[str]]:
    """Turns of (bytes of request body, size of pieces), full of lines that look like requests and answers."""
    script, sent = play(), set()
    for number, (size, piece) in enumerate(turns):
        target = f"/real/{number}"
        sent.add(target)
        body = (EVIL * (size // len(EVIL) + 1))[:size]
        forged = answer(b"forged") * 3
        if number % 3 == 2:
            head = f"POST {target} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            said = [head, *(b"%x\r\n" % len(EVIL), EVIL, b"\r\n") * 2, b"0\r\n\r\n"]
            back = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunked(forged)]
        else:
            whole = request(target, body)
            said = [whole[at : at + piece] for at in range(0, len(whole), piece)]
            head_bytes = len(answer(forged)) - len(forged)
            back = [answer(forged)[:head_bytes], forged]
        script.client(*said).server(*back)
        if number % 4 == 3:
            script.wait(3)
    return script.chunks, sent


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(20, 300)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 6), st.booleans()), max_size=6),
)
def test_no_gap_makes_an_exchange_of_what_was_never_sent(turns, gaps):
    chunks, sent = conversation(turns)
    for at, count, announced in gaps:
        first = 1 + at % len(chunks)
        for index in range(first, min(first + count, len(chunks))):
            chunk = chunks[index]
            if chunk.data:
                missing = len(chunk.data)
                chunks[index] = Chunk(
                    Kind.GAP, 1, chunk.direction, chunk.time, chunk.offset, b"", missing, chunk.time
                )
                if not announced:
                    chunks[index] = Chunk(Kind.STATS, 1)
    wire = Wire()
    exchanges = feed(wire, chunks) + wire.feed(Chunk(Kind.CLOSE, 1))

    named = [e for e in exchanges if e.target or e.outcome is not Outcome.UNOBSERVED]
    assert {exchange.target for exchange in named} <= sent
    assert len(exchanges) <= len(turns), "nothing is counted that did not happen"
    assert wire.captured_bytes == 0
    if not gaps:
        assert len(exchanges) == len(turns)


def test_an_early_answer_whose_end_was_lost_is_reported_after_a_while_too():
    wire = Wire()
    script = play().client(request(body=b"x" * 100)[:-50]).server(answer(b"12345")[:-5]).server_gap(5)
    assert script.exchanges(wire) == []
    assert [e.status for e in wire.tick(script.now + 10)] == [200]
