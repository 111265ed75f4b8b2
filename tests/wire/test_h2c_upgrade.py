"""A connection that begins in HTTP/1.1 and goes on in HTTP/2 (RFC 7540, 3.2): curl --http2, Java's client."""

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from sidecar.chunk import FROM_CLIENT
from sidecar.exchange import Exchange, Outcome
from sidecar.wire.connection import Limits, Wire
from tests.wire.h2 import Client, Server, data
from tests.wire.playbook import STEP, Playbook, answer, feed, get, request, split

ASKS = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
SWITCHES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
JSON = "application/json"


# Recorded: hyper-h2 4.4.1 at both ends, `initiate_upgrade_connection` and an answer on stream 1.
H2_SETTINGS = "HTTP2-Settings: AAEAABAAAAIAAAABAAQAAP__AAUAAEAAAAgAAAAAAAMAAABkAAYAAQAA"
H2_SERVER_BEGINS = bytes.fromhex(
    "00002a04000000000000010000100000020000000000040000ffff000500004000000800000000000300000064000600010000"
)
H2_CLIENT_BEGINS = bytes.fromhex(
    "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a00002a040000000000000100001000000200000001"
    "00040000ffff000500004000000800000000000300000064000600010000"
)
H2_SERVER_ANSWERS = bytes.fromhex(
    "00000e010400000001885f8b1d75d0620d263d4c7441ea0000080001000000017b2279223a20327d"
)


def upgraded(body: bytes = b'{"x": 1}') -> Playbook:
    """Asked and granted."""
    return Playbook().open().client(request("/v1/models/m:predict", body, "POST", *ASKS)).server(SWITCHES)


def answered(server: Server, stream: int, body: bytes) -> bytes:
    return server.head(stream, content_type=JSON) + data(stream, body, end=True)


def whole() -> Playbook:
    """The request that asked, and another one."""
    client, server = Client(), Server()
    play = upgraded().server(server.preface).client(client.preface)
    play.server(answered(server, 1, b'{"y": 2}'))
    play.client(client.head(3, "/v1/models/n:predict", content_type=JSON) + data(3, b'{"x": 3}', end=True))
    return play.server(answered(server, 3, b'{"y": 4}'))


def told(exchanges: list[Exchange]) -> list[tuple[object, ...]]:
    return [(e.target, e.status, e.request.data, e.response.data, e.outcome) for e in exchanges]


BOTH = [
    ("/v1/models/m:predict", 200, b'{"x": 1}', b'{"y": 2}', Outcome.OK),
    ("/v1/models/n:predict", 200, b'{"x": 3}', b'{"y": 4}', Outcome.OK),
]


def test_the_request_that_asked_is_answered_in_http2_and_others_follow() -> None:
    wire = Wire()
    play = whole()
    first, second = play.exchanges(wire)
    assert told([first, second]) == BOTH
    assert (first.transport, first.method, first.route) == ("http2", "POST", "r")
    assert first.timings.duration == pytest.approx(4 * STEP)
    assert wire.connections() == {("observed", "http2"): 1}
    assert feed(wire, play.close().chunks[-1:]) == []
    assert wire.captured_bytes == 0


@pytest.mark.parametrize("size", range(1, 12))
def test_any_cut_reads_the_same(size: int) -> None:
    chunks = [piece for chunk in whole().chunks for piece in split(chunk, size)]
    assert told(feed(Wire(), chunks)) == BOTH


def test_what_comes_with_the_101_is_http2_already() -> None:
    server = Server()
    play = Playbook().open().client(request("/v1/models/m:predict", b'{"x": 1}', "POST", *ASKS))
    play.server(SWITCHES + server.preface + answered(server, 1, b'{"y": 2}')).client(Client.preface)
    assert told(play.exchanges()) == BOTH[:1]


def test_what_peers_of_another_make_say_is_read() -> None:
    asks = (*ASKS[:2], H2_SETTINGS)
    play = Playbook().open().client(request("/v1/models/m:predict", b'{"x": 1}', "POST", *asks))
    play.server(SWITCHES + H2_SERVER_BEGINS).client(H2_CLIENT_BEGINS).server(H2_SERVER_ANSWERS)
    assert told(play.exchanges()) == BOTH[:1]


def test_a_request_that_was_never_answered_ends_with_its_connection() -> None:
    wire = Wire()
    play = upgraded().server(Server.preface).client(Client.preface).end(FROM_CLIENT).close()
    [exchange] = play.exchanges(wire)
    assert (exchange.outcome, exchange.status) == (Outcome.CLIENT_CLOSED, None)
    assert wire.captured_bytes == 0


def test_a_server_that_goes_on_with_something_else_is_not_read() -> None:
    wire = Wire()
    [exchange] = upgraded().server(answer()).exchanges(wire)
    assert exchange.outcome is Outcome.UNOBSERVED
    assert wire.connections() == {("blind", "http2"): 1}
    assert wire.captured_bytes == 0


def test_without_room_for_the_stream_the_request_is_counted_and_nothing_is_held() -> None:
    wire = Wire(Limits(streams=0))
    [exchange] = upgraded().exchanges(wire)
    assert exchange.outcome is Outcome.UNOBSERVED
    assert wire.captured_bytes == 0


def test_before_its_end_a_request_is_not_followed_into_http2() -> None:
    wire = Wire()
    head = request("/p", b"0123456789", "POST", *ASKS)[:-4]
    play = (
        Playbook()
        .open()
        .client(head)
        .server(SWITCHES)
        .client(b"6789" + Client.preface)
        .server(Server.preface)
    )
    assert [exchange.status for exchange in play.exchanges(wire)] == [101]
    assert wire.connections() == {("blind", "http1"): 1}


def test_an_upgrade_that_is_ignored_is_an_ordinary_answer() -> None:
    play = Playbook().open().client(request("/p", b"{}", "POST", *ASKS)).server(answer()).client(get("/next"))
    assert [exchange.status for exchange in play.server(answer()).exchanges()] == [200, 200]


@examples(max_examples=150, deadline=None)
@given(said=st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=6))
def test_whatever_follows_ends_as_exactly_one_exchange_and_holds_nothing(
    said: list[tuple[bool, bytes]],
) -> None:
    wire, play = Wire(), upgraded()
    for from_client, some in said:
        play = play.client(some) if from_client else play.server(some)
    assert len(play.close().exchanges(wire)) == 1
    assert wire.captured_bytes == 0
