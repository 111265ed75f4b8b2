"""All connections: what the relay announces, what it is told, what all of it may cost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.exchange import BodyProblem, CapturedBody, Outcome
from sidecar.wire.connection import Limits, OpenExchange, Skip, Wire
from tests.wire.playbook import Playbook, answer, chunked, feed, get, request, stream_head

SMALL = Limits(
    capture_bytes=1_000, total_bytes=10_000, head_bytes=2_000, total_head_bytes=8_000, pipelined=10
)


def play(connection: int = 1) -> Playbook:
    return Playbook(connection).open()


def test_an_upstream_that_refuses_is_an_exchange_even_when_the_client_said_nothing():
    [exchange] = play().refused().close().exchanges()
    assert (exchange.method, exchange.target, exchange.outcome) == ("", "", Outcome.UPSTREAM_UNREACHABLE)
    assert (exchange.route, exchange.code) == ("r", "")


@pytest.mark.parametrize("said", [request("/a", b"body"), request("/a", b"body")[:-2]])
def test_an_upstream_that_refuses_fails_the_request_that_was_made_once(said):
    [exchange] = play().client(said).refused().client(get("/b")).refused().close().exchanges()
    assert (exchange.target, exchange.outcome) == ("/a", Outcome.UPSTREAM_UNREACHABLE)


def test_a_refused_request_whose_head_had_not_ended_began_with_its_first_byte():
    script = play().client(b"POST /a HT").wait(5).refused()
    [exchange] = script.exchanges()
    assert exchange.timings.request_first == pytest.approx(100.001)


def test_open_exchanges_are_the_requests_not_yet_answered():
    wire = Wire()
    play().client(get("/done")).server(answer()).client(request("/open")).exchanges(wire)
    [pending] = wire.open_exchanges()

    assert isinstance(pending, OpenExchange)
    assert (pending.method, pending.target, pending.since) == ("POST", "/open", pytest.approx(100.003))
    assert pending.request_headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("first", "protocol"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100), "http2"),
        (b"\x16\x03\x01\x02\x00\x01" + bytes(500), "unknown"),
        (b"GET /s\r\n\r\n", "unknown"),
        (b"\x00\x00\x00", "unknown"),
    ],
)
def test_another_protocol_is_not_read_and_not_copied_any_more(first, protocol):
    for size in (1, 1000):
        wire = Wire()
        assert play().client(first).server(b"\x00" * 50).split(size).exchanges(wire) == []
        assert wire.connections() == {("blind", protocol): 1}
        assert {(skip.connection, skip.direction) for skip in wire.wanted()} == {
            (1, FROM_CLIENT),
            (1, FROM_SERVER),
        }
        assert wire.wanted() == []
        assert wire.captured_bytes == 0


def test_connections_are_counted_until_they_close():
    wire = Wire()
    play(1).exchanges(wire)
    play(2).client(get()).exchanges(wire)
    assert wire.connections() == {("observed", "unknown"): 1, ("observed", "http1"): 1}
    feed(wire, [Chunk(Kind.CLOSE, 1), Chunk(Kind.CLOSE, 2)])
    assert wire.connections() == {}


def test_an_upload_past_the_capture_limit_is_counted_and_not_copied_any_more():
    wire = Wire()
    size = 5 * 1024 * 1024
    head = request("/big", b"x" * size)[:-size]
    script = play().client(head + b"x" * 1000).client(b"x" * 1000)
    script.exchanges(wire)
    assert wire.wanted() == [Skip(1, FROM_CLIENT, len(head) + size)]

    more = Playbook(now=script.now, at=script.at).client_gap(size - 2000).server(answer())
    [exchange] = more.exchanges(wire)
    assert exchange.request == CapturedBody(b"", size, BodyProblem.TOO_LARGE)
    assert exchange.outcome is Outcome.OK
    assert wire.wanted() == []


def test_a_stream_is_copied_past_the_capture_limit_while_its_events_are_read():
    wire = Wire(SMALL)
    size = 200_000
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % size
    play().client(get()).server(head + b"data: 1\n\n").exchanges(wire)
    assert wire.wanted() == []


def test_bodies_past_the_common_budget_are_counted_only():
    wire = Wire(SMALL)
    body = b"x" * 900
    for connection in range(20):
        play(connection).client(request(body=body + b"xx")[:-2]).exchanges(wire)
    assert wire.captured_bytes <= SMALL.total_bytes + SMALL.total_head_bytes
    exchanges = [e for n in range(8) for e in Playbook(n, at=[10_000, 0]).close().exchanges(wire)]
    assert all(exchange.request.size == 900 for exchange in exchanges)


def test_memory_is_given_back_however_a_connection_ends():
    ends = (
        lambda p: p.close(),
        lambda p: p.reset(FROM_CLIENT).close(),
        lambda p: p.end(FROM_SERVER).close(),
        lambda p: p.refused().close(),
        lambda p: p.client_gap(10_000).close(),
        lambda p: p.server(b"garbage").close(),
        lambda p: p.open(offsets=(5, 5)),
    )
    wire = Wire()
    for end in ends:
        script = (
            play()
            .client(request("/a", b"x" * 100))
            .server(stream_head() + b"9\r\ndata: abc\r\n4\r\n\n\nda\r\n")
        )
        script.client(get("/b")).client(b"GET /half")
        end(script).exchanges(wire)
        assert wire.captured_bytes == 0


def test_a_head_past_the_limit_makes_the_connection_blind():
    for piece in (1, 100, 10_000):
        wire = Wire(SMALL)
        head = request("/" + "x" * 3_000)
        assert play().client(head).split(piece).exchanges(wire) == []
        assert wire.connections() == {("blind", "unknown"): 1}


def test_a_queue_of_requests_past_the_limit_is_answered_and_then_the_connection_is_blind():
    wire = Wire(SMALL)
    script = play().client(get() * 12)
    for _ in range(12):
        script.server(answer())
    assert [exchange.outcome for exchange in script.exchanges(wire)] == [Outcome.OK] * 10
    assert wire.connections() == {("blind", "http1"): 1}


def test_past_the_limit_of_connections_new_ones_are_not_followed():
    wire = Wire(Limits(connections=2))
    for connection in range(5):
        play(connection).client(get()).exchanges(wire)
    assert sum(wire.connections().values()) == 2


def test_a_thousand_idle_connections_hold_no_captured_memory():
    wire = Wire()
    for connection in range(1_000):
        play(connection).client(request()).server(answer()).exchanges(wire)
    assert wire.captured_bytes == 0


KINDS = st.sampled_from(list(Kind))
BYTES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            get(), request(body=b"x" * 30), request(body=b"x" * 30)[:-20], answer(), answer()[:-1], b"\r\n",
            stream_head(), chunked(b"data: 1\n\n"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        ]
    ),
)  # fmt: skip
META = st.dictionaries(
    st.sampled_from(["offsets", "route", "new"]),
    st.one_of(st.none(), st.text(max_size=3), st.lists(st.integers(-1, 9), max_size=3)),
)
STEPS = st.tuples(
    KINDS,
    st.integers(1, 2),
    st.integers(0, 1),
    st.floats(0, 5),
    st.integers(-3, 3),
    BYTES,
    st.integers(-1, 50),
    META,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_no_sequence_of_chunks_raises_or_leaks(steps):
    wire = Wire(SMALL)
    at: dict[tuple[int, int], int] = {}
    now = 0.0
    for kind, connection, direction, wait, jump, data, length, meta in steps:
        now += wait
        # Mostly where the stream stands, so that it gets somewhere; sometimes beside it.
        offset = at.get((connection, direction), 0) + (jump if abs(jump) > 2 else 0)
        wire.feed(Chunk(kind, connection, direction, now, offset, data, length, now, meta))
        at[connection, direction] = offset + (len(data) if kind is Kind.DATA else 0)
        if kind is Kind.OPEN:
            at[connection, 0] = at[connection, 1] = 0
        wire.tick(now)
    for exchange in wire.link_lost(0, now):
        assert exchange.outcome is not None
    assert wire.captured_bytes == 0
    assert wire.connections() == {}
