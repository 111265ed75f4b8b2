"""HTTP/2 that is meant to hurt: bounded, counted, never raising."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.exchange import Outcome
from sidecar.wire.connection import Limits, Wire
from sidecar.wire.http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PADDED,
    RST_STREAM,
    SETTINGS,
)
from tests.wire import h2
from tests.wire.h2 import Client, Server, begun, data, frame, message, reset
from tests.wire.playbook import Playbook

LARGEST = 2**24 - 1


def header(length: int, kind: int, flags: int = 0, stream: int = 1) -> bytes:
    return length.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")


def block_flood() -> bytes:
    return (
        frame(HEADERS, 3, b"\x82")
        + frame(CONTINUATION, 3) * 10_000
        + frame(CONTINUATION, 3, b"", END_HEADERS)
    )


FATAL = {
    "continuations without end": block_flood(),
    "a continuation of nothing": frame(CONTINUATION, 1, b"\x82", END_HEADERS),
    "a continuation of another stream": frame(HEADERS, 1, b"\x82") + frame(CONTINUATION, 3, b"", END_HEADERS),
    "data between a head and its rest": frame(HEADERS, 1, b"\x82") + data(1, b"x"),
    "a reset between a head and its rest": frame(HEADERS, 1, b"\x82") + reset(1),
    "a head between a head and its rest": frame(HEADERS, 3, b"\x82")
    + frame(HEADERS, 5, b"\x82", END_HEADERS),
    "more padding than payload": frame(DATA, 1, b"\xff" + b"x" * 10, PADDED),
    "padding that cannot be": frame(DATA, 1, b"", PADDED),
    "a padded head": frame(HEADERS, 1, b"\xff\x82", PADDED | END_HEADERS),
    "a padded head of nothing": frame(HEADERS, 1, b"", PADDED | END_HEADERS),
}


@pytest.mark.parametrize("fatal", FATAL.values(), ids=FATAL)
def test_what_no_peer_would_bear_makes_the_connection_blind(fatal):
    play, client, _ = begun()
    play.client(client.call(1, path="/open"), fatal, client.call(3, path="/after"))
    for script in (play, play.split(997)):
        wire = Wire()
        [exchange] = script.exchanges(wire)
        assert (exchange.target, exchange.outcome) == ("/open", Outcome.UNOBSERVED)
        assert wire.connections() == {("blind", "http2"): 1}
        assert wire.captured_bytes == 0


@pytest.mark.parametrize(
    "big",
    [
        frame(HEADERS, 3, bytes(2_000), END_HEADERS),
        frame(HEADERS, 3, bytes(900)) + frame(CONTINUATION, 3, bytes(900), END_HEADERS),
    ],
    ids=["one frame", "two frames"],
)
def test_a_head_larger_than_we_read_costs_the_table_and_not_the_place(big):
    wire = Wire(Limits(head_bytes=1_000))
    play, client, server = begun()
    play.client(client.call(1, path="/known"), big, client.call(5))
    play.server(server.answer(1), server.answer(5))
    first, second = play.exchanges(wire)
    assert (first.target, first.outcome) == ("/known", Outcome.OK)
    assert (second.target, second.outcome) == ("", Outcome.UNOBSERVED)
    assert wire.connections() == {("blind", "http2"): 1}


@pytest.mark.parametrize("kind", [HEADERS, SETTINGS, GOAWAY, RST_STREAM, CONTINUATION, DATA, h2.PING, 0x77])
def test_frames_of_sixteen_megabytes_are_not_kept(kind):
    wire = Wire()
    play, _, _ = begun()
    stream = 1 if kind in (HEADERS, RST_STREAM, CONTINUATION, DATA, 0x77) else 0
    play.exchanges(wire)
    tracemalloc.start()
    try:
        piece = bytes(60_000)
        more = Playbook(now=play.now, at=play.at).client(header(LARGEST, kind, 0, stream))
        for _ in range(50):
            more.client(piece)
        more.exchanges(wire)
        assert tracemalloc.get_traced_memory()[1] < 200_000
        assert wire.captured_bytes < 70_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "flood",
    [
        data(1),
        data(99),
        frame(h2.PING, 0, bytes(8)),
        frame(SETTINGS),
        frame(h2.WINDOW_UPDATE, 0, bytes(4)),
        reset(9),
    ],
    ids=["data", "data of no stream", "ping", "settings", "window", "reset"],
)
def test_floods_of_small_frames_cost_no_memory(flood):
    wire = Wire()
    play, client, _ = begun()
    play.client(client.head(1)).exchanges(wire)
    held = wire.captured_bytes
    Playbook(now=play.now, at=play.at).client(*[flood * 1_000] * 100).exchanges(wire)
    assert wire.captured_bytes == held


def test_streams_opened_and_reset_without_end_are_counted_and_forgotten():
    wire = Wire()
    play, client, _ = begun()
    for id in range(1, 4001, 2):
        play.client(client.head(id) + reset(id))
    exchanges = play.exchanges(wire)
    assert len(exchanges) == 2000 and {e.outcome for e in exchanges} == {Outcome.CLIENT_CLOSED}
    assert list(wire.open_exchanges()) == []
    assert wire.captured_bytes < 5_000


def test_heads_of_many_connections_share_a_budget():
    wire = Wire(Limits(total_head_bytes=50_000))
    for connection in range(50):
        client, play = Client(), Playbook(connection).open()
        play.client(client.preface + client.call(1, path="/" + "x" * 2_000))
        play.client(frame(HEADERS, 3, bytes(1_000)) + frame(CONTINUATION, 3, bytes(1_000))[:800])
        play.exchanges(wire)
    assert wire.captured_bytes <= 51_000
    assert wire.connections()["blind", "http2"] > 0


def test_a_stream_number_is_used_once():
    play, client, server = begun()
    play.client(client.call(1, b"first", "/first")).server(server.answer(1))
    play.client(client.call(1, b"again", "/again")).server(server.answer(1))
    play.client(client.call(2, path="/even"), client.call(3, b"third", "/third"), client.call(1, path="/old"))
    play.server(server.answer(3), server.answer(2))
    assert [(e.target, e.request.data) for e in play.exchanges()] == [
        ("/first", message(b"first")),
        ("/third", message(b"third")),
    ]


def test_what_comes_after_the_end_of_a_request_or_answer_is_no_part_of_it():
    play, client, server = begun()
    play.client(client.call(1), data(1, b"late"), client.head(1, end=True), client.head(3), data(3, b"x"))
    play.server(server.answer(1) + data(1, b"late") + server.trailers(1, "13"))
    play.server(server.answer(3), data(3, b"late"), server.trailers(3, "13"))
    exchanges = play.client(data(3, end=True)).exchanges()
    assert [(e.code, e.response.data) for e in exchanges] == [("OK", message(b"answered"))] * 2
    assert exchanges[0].request.data == message(b"asked")


def whole() -> tuple[bytes, bytes]:
    client, server = Client(), Server()
    said = client.preface + b"".join(client.call(id, path=f"/{id}") for id in (1, 3, 5))
    return said, server.preface + b"".join(server.answer(id) for id in (1, 3, 5))


SAID, ANSWERED = whole()


@settings(max_examples=200, deadline=None)
@given(
    st.integers(24, len(SAID) - 1),
    st.integers(0, len(ANSWERED) - 1),
    st.binary(max_size=12),
    st.binary(max_size=12),
    st.sampled_from([1, 10_000]),
)
def test_any_bytes_in_place_of_others_never_raise_nor_keep_memory(at, answer_at, bad, bad_answer, size):
    wire = Wire()
    said = SAID[:at] + bad + SAID[at + len(bad) :]
    answered = ANSWERED[:answer_at] + bad_answer + ANSWERED[answer_at + len(bad_answer) :]
    script = Playbook().open().client(said).server(answered).close()
    (script if size > 1 else script.split(1)).exchanges(wire)
    assert wire.captured_bytes == 0 and wire.connections() == {}
