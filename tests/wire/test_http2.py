"""HTTP/2 connections: how calls end, on the wire and in our words."""

import pytest

from sidecar.chunk import FROM_CLIENT, FROM_SERVER
from sidecar.exchange import BodyProblem, Outcome
from sidecar.wire.connection import EARLY_ANSWER_SECONDS, Limits, Skip, Wire
from sidecar.wire.http2_frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PREFACE,
    PRIORITY,
    SETTINGS,
)
from tests.wire import h2
from tests.wire.h2 import INFER, Client, Server, begun, data, frame, goaway, message, reset, settings
from tests.wire.playbook import STEP, Playbook, feed


def test_a_call_is_an_exchange_with_its_bodies_its_code_and_its_times():
    play, client, server = begun()
    head, body = client.head(1, x_request_id="r1", authorization="secret"), message(b"asked")
    play.client(head, data(1, body[:3]), data(1, body[3:], end=True)).wait(1.0)
    play.server(server.head(1), data(1, message(b"answered")), server.trailers(1, grpc_message="payload"))
    [exchange] = play.exchanges()

    assert (exchange.transport, exchange.method, exchange.target) == ("http2", "POST", INFER)
    assert (exchange.status, exchange.code, exchange.outcome) == (200, "OK", Outcome.OK)
    assert exchange.request_headers == {"content-type": "application/grpc", "x-request-id": "r1"}
    assert (exchange.request.data, exchange.response.data) == (message(b"asked"), message(b"answered"))
    assert exchange.timings.duration == pytest.approx(1.0 + 3 * STEP)
    assert exchange.timings.time_to_first_byte == pytest.approx(1.0 + STEP)
    assert exchange.route == "r" and not exchange.streamed
    assert "secret" not in repr(exchange) and "payload" not in repr(exchange)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        ("5", "NOT_FOUND", Outcome.CLIENT_ERROR),
        ("14", "UNAVAILABLE", Outcome.SERVER_ERROR),
        ("1", "CANCELLED", Outcome.SERVER_ERROR),
        ("99", "UNKNOWN", Outcome.SERVER_ERROR),
    ],
)
def test_the_code_is_in_the_trailers_or_where_there_is_nothing_else_in_the_head(status, code, outcome):
    play, client, server = begun()
    play.client(client.call(1), client.call(3)).server(server.answer(1, status=status))
    play.server(server.head(3, end=True, grpc_status=status))
    assert [(e.code, e.outcome) for e in play.exchanges()] == [(code, outcome)] * 2


def test_an_answer_without_a_grpc_status_is_truncated():
    play, client, server = begun()
    play.client(client.call(1)).server(server.head(1), data(1, message(b"x"), end=True))
    [exchange] = play.exchanges()
    assert (exchange.code, exchange.outcome) == ("200", Outcome.TRUNCATED)


def test_a_proxy_that_answers_a_call_in_http_has_its_http_status():
    play, client, server = begun()
    play.client(client.call(1)).server(
        server.headers(1, {":status": "503", "content-type": "text/html"}, end=True)
    )
    [exchange] = play.exchanges()
    assert (exchange.code, exchange.outcome) == ("503", Outcome.SERVER_ERROR)


def test_answers_meet_their_own_requests_in_any_order():
    play, client, server = begun()
    play.client(*(client.call(id, b"%d" % id) for id in (1, 3, 5)))
    play.server(*(server.answer(id, b"%d" % id) for id in (5, 1, 3)))
    exchanges = play.exchanges()
    assert [e.request.data[5:] for e in exchanges] == [b"5", b"1", b"3"]
    assert all(e.request.data == e.response.data for e in exchanges)


def test_frames_of_streams_may_alternate():
    play, client, server = begun()
    play.client(client.head(1) + client.head(3) + data(1, b"\0\0\0\0\2a") + data(3, message(b"b"), end=True))
    play.client(data(1, b"c", end=True)).server(server.answer(1), server.answer(3))
    assert [e.request.data[5:] for e in play.exchanges()] == [b"ac", b"b"]


def test_interim_answers_are_no_answers():
    play, client, server = begun()
    play.client(client.call(1)).server(server.headers(1, {":status": "103"}), server.answer(1))
    [exchange] = play.exchanges()
    assert exchange.status == 200 and exchange.code == "OK"


def test_request_trailers_do_not_change_the_request():
    play, client, server = begun()
    play.client(client.head(1), data(1, message(b"x")), client.headers(1, {"x-checksum": "1"}, end=True))
    [exchange] = play.server(server.answer(1)).exchanges()
    assert exchange.target == INFER and exchange.request.problem is None


def test_padding_and_priority_are_no_part_of_what_is_said():
    play, client, server = begun()
    block = client.block({":method": "POST", ":path": "/padded", "content-type": "application/grpc"})
    flags = PADDED | PRIORITY | END_HEADERS
    play.client(frame(HEADERS, 1, b"\x04" + bytes(5) + block + bytes(4), flags))
    play.client(frame(DATA, 1, b"\x03" + message(b"x") + bytes(3), PADDED | END_STREAM))
    play.server(server.answer(1))
    for script in (play, play.split(1), play.split(7)):
        [exchange] = script.exchanges()
        assert (exchange.target, exchange.request.data) == ("/padded", message(b"x"))
        assert exchange.request.size == len(message(b"x"))


def test_a_head_in_many_frames_is_one():
    play, client, server = begun()
    play.client(client.head(1, pieces=9), data(1, end=True)).server(server.answer(1))
    for script in (play, play.split(1)):
        [exchange] = script.exchanges()
        assert exchange.target == INFER


def test_frames_nobody_needs_are_stepped_over():
    play, client, server = begun()
    noise = frame(h2.PING, 0, bytes(8)) + frame(h2.WINDOW_UPDATE, 1, bytes(4)) + frame(2, 1, bytes(5))
    noise += frame(0xAA, 7, b"x" * 100_000) + settings(frame=1 << 20)
    play.client(client.head(1), noise, data(1, message(b"x"), end=True)).server(
        noise, server.answer(1), noise
    )
    for script in (play, play.split(13)):
        assert [e.outcome for e in script.exchanges()] == [Outcome.OK]


def test_pushed_streams_are_ignored_but_their_fields_remembered():
    play, client, server = begun()
    promise = server.block({":method": "GET", ":path": "/pushed", "x-new": "1"})
    play.client(client.call(1)).server(frame(5, 1, (2).to_bytes(4, "big") + promise, END_HEADERS))
    play.server(
        server.headers(2, {":status": "200", "x-new": "1"}), data(2, b"pushed", end=True), server.answer(1)
    )
    [exchange] = play.exchanges()
    assert (exchange.target, exchange.code, exchange.response.data) == (INFER, "OK", message(b"answered"))


# --- who ends what -------------------------------------------------------------------------------------


def test_a_client_that_cancels_has_closed():
    play, client, server = begun()
    play.client(client.call(1), client.call(3, timeout="1S")).server(server.head(1)).client(
        reset(1), reset(3)
    )
    assert [(e.code, e.outcome) for e in play.exchanges()] == [("CANCELLED", Outcome.CLIENT_CLOSED)] * 2


@pytest.mark.parametrize("side", ["client", "server"])
def test_who_ends_a_call_when_its_deadline_has_passed_met_a_slow_server(side):
    play, client, _ = begun()
    play.client(client.call(1, grpc_timeout="500m")).wait(0.5)
    (play.client if side == "client" else play.server)(reset(1))
    [exchange] = play.exchanges()
    assert (exchange.code, exchange.outcome) == ("DEADLINE_EXCEEDED", Outcome.SERVER_ERROR)


@pytest.mark.parametrize("timeout", ["", "x", "5", "-1S", "999999999S", "1 S", "٣S"])
def test_a_deadline_that_is_none_is_never_exceeded(timeout):
    play, client, _ = begun()
    more = {"grpc_timeout": timeout} if timeout else {}
    if not timeout.isascii():
        more = {"grpc_timeout": timeout.encode().decode("latin-1")}
    [exchange] = play.client(client.call(1, **more)).wait(1e9).client(reset(1)).exchanges()
    assert exchange.outcome is Outcome.CLIENT_CLOSED


@pytest.mark.parametrize("error", [0, h2.REFUSED_STREAM, 2, 8])
def test_a_server_that_resets_a_stream_has_reset_it(error):
    play, client, server = begun()
    play.client(client.call(1), client.call(3)).server(server.head(3), reset(1, error), reset(3, error))
    assert [e.outcome for e in play.exchanges()] == [Outcome.UPSTREAM_RESET] * 2


def test_a_server_that_is_done_before_the_client_is_may_reset_the_rest():
    play, client, server = begun()
    play.client(client.head(1)).server(server.head(1, end=True, grpc_status="8"), reset(1, 0))
    [exchange] = play.exchanges()
    assert (exchange.code, exchange.outcome) == ("RESOURCE_EXHAUSTED", Outcome.SERVER_ERROR)


def test_an_answer_before_its_request_has_ended_waits_for_it_but_not_for_ever():
    wire = Wire()
    play, client, server = begun()
    play.client(client.head(1)).server(server.head(1, end=True, grpc_status="7"))
    assert play.exchanges(wire) == []
    assert wire.tick(play.now) == []
    assert list(wire.open_exchanges()) == []
    [exchange] = wire.tick(play.now + EARLY_ANSWER_SECONDS)
    assert exchange.code == "PERMISSION_DENIED"
    assert exchange.request.problem is BodyProblem.CUT


def test_streams_past_a_goaway_are_refused_and_those_before_go_on():
    play, client, server = begun()
    play.client(client.call(1), client.call(3)).server(goaway(1), server.answer(1)).client(client.call(5))
    exchanges = play.exchanges()
    assert [e.outcome for e in exchanges] == [Outcome.UPSTREAM_RESET, Outcome.OK, Outcome.UPSTREAM_RESET]


def test_a_server_that_says_goodbye_in_steps_refuses_only_what_it_says_in_the_end():
    play, client, server = begun()
    play.client(client.call(1), client.call(3), client.call(5)).server(
        goaway(2**31 - 1), goaway(3), goaway(5)
    )
    play.server(server.answer(1), server.answer(3))
    assert [e.outcome for e in play.exchanges()] == [Outcome.UPSTREAM_RESET, Outcome.OK, Outcome.OK]


@pytest.mark.parametrize(
    ("end", "begun_outcome", "silent_outcome"),
    [
        (lambda p: p.end(FROM_SERVER).close(), Outcome.TRUNCATED, Outcome.UPSTREAM_RESET),
        (lambda p: p.reset(FROM_SERVER).close(), Outcome.UPSTREAM_RESET, Outcome.UPSTREAM_RESET),
        (lambda p: p.end(FROM_CLIENT).end(FROM_SERVER).close(), Outcome.CLIENT_CLOSED, Outcome.CLIENT_CLOSED),
        (lambda p: p.reset(FROM_CLIENT).close(), Outcome.CLIENT_CLOSED, Outcome.CLIENT_CLOSED),
        (lambda p: p.close(), Outcome.CLIENT_CLOSED, Outcome.CLIENT_CLOSED),
        (lambda p: p.open(offsets=(9, 9)), Outcome.UNOBSERVED, Outcome.UNOBSERVED),
        (lambda p: p.client_gap(1), Outcome.UNOBSERVED, Outcome.UNOBSERVED),
    ],
)
def test_a_connection_that_ends_ends_its_streams(end, begun_outcome, silent_outcome):
    wire = Wire()
    play, client, server = begun()
    play.client(client.call(1), client.call(3)).server(server.head(1), data(1, message(b"part")))
    exchanges = end(play).exchanges(wire)
    assert [e.outcome for e in exchanges] == [begun_outcome, silent_outcome]
    assert all(e.code in ("200", "") for e in exchanges)
    assert wire.captured_bytes == 0


def test_a_connection_that_ends_after_its_answers_costs_nothing():
    wire = Wire()
    play, client, server = begun()
    play.client(client.call(1)).server(server.answer(1)).end(FROM_CLIENT).end(FROM_SERVER)
    assert len(play.exchanges(wire)) == 1
    assert wire.connections() == {("observed", "http2"): 1}
    assert play.close().exchanges(wire)[1:] == []
    assert wire.connections() == {} and wire.captured_bytes == 0


# --- streams of messages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "answered", "streamed"),
    [(1, 1, False), (1, 0, False), (2, 1, True), (1, 2, True), (0, 3, True)],
)
def test_a_call_with_more_than_one_message_either_way_is_a_stream(asked, answered, streamed):
    play, client, server = begun()
    play.client(client.head(1), *[data(1, message(b"x"))] * asked, data(1, end=True))
    play.server(server.head(1), *[data(1, message(b"y"))] * answered, server.trailers(1))
    for script in (play, play.split(1)):
        [exchange] = script.exchanges()
        assert exchange.streamed is streamed


def test_a_call_answered_while_it_is_still_asking_is_a_stream():
    play, client, server = begun()
    play.client(client.head(1), data(1, message(b"x"))).server(server.head(1), data(1, message(b"y")))
    play.client(data(1, end=True)).server(server.trailers(1))
    [exchange] = play.exchanges()
    assert exchange.streamed


def test_server_sent_events_over_http2_are_events():
    play, client, server = begun()
    play.client(client.headers(1, {":method": "POST", ":path": "/v1/chat/completions"}, end=True))
    play.server(server.headers(1, {":status": "200", "content-type": "text/event-stream"}))
    play.server(data(1, b"data: a\n\n"), data(1, b"data: [DONE]\n\n"), data(1, end=True))
    [exchange] = play.exchanges()
    assert [event.data for event in exchange.events] == [b"a", b"[DONE]"]
    assert exchange.streamed and exchange.outcome is Outcome.OK


# --- who speaks first ----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [0, 1, 17])
def test_a_server_may_speak_before_the_clients_preface_is_whole(said):
    client, server = Client(), Server()
    play = Playbook().open()
    if said:
        play.client(PREFACE[:said])
    play.server(Server.preface).client(PREFACE[said:] + settings()).client(client.call(1)).server(
        server.answer(1)
    )
    for script in (play, play.split(1)):
        wire = Wire()
        assert [e.code for e in script.exchanges(wire)] == ["OK"]
        assert wire.connections() == {("observed", "http2"): 1}


@pytest.mark.parametrize(
    "first",
    [
        b"\r\n" + PREFACE + settings(),
        PREFACE + frame(h2.PING, 0, bytes(8)),
        PREFACE + frame(SETTINGS, 0, b"", ACK),
        PREFACE + frame(SETTINGS, 1),
        PREFACE[:-1] + b"x" + settings(),
    ],
)
def test_what_only_looks_like_http2_is_not_read(first):
    for size in (1, 1000):
        wire = Wire()
        assert Playbook().open().client(first).client(Client().call(1)).split(size).exchanges(wire) == []
        assert wire.connections() == {("blind", "http2"): 1}
        assert wire.captured_bytes == 0


def test_settings_in_answer_to_another_protocol_are_not_read():
    wire = Wire()
    Playbook().open().client(b"GET / HT").server(Server.preface).exchanges(wire)
    assert wire.connections() == {("blind", "unknown"): 1}


def test_a_server_that_greets_in_another_protocol_is_not_read():
    for greeting in (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00", b"\x00\x04\x04\x00", b"SSH-2.0-x\r\n"):
        wire = Wire()
        Playbook().open().server(greeting + bytes(30)).exchanges(wire)
        assert wire.connections() == {("blind", "unknown"): 1}


# --- what it may cost ----------------------------------------------------------------------------------


def test_open_calls_are_listed_until_they_are_answered():
    wire = Wire()
    play, client, server = begun()
    play.client(client.call(1), client.call(3)).server(server.answer(1)).exchanges(wire)
    [pending] = wire.open_exchanges()
    assert (pending.method, pending.target, pending.since) == ("POST", INFER, pytest.approx(100.004))


def test_calls_past_the_limit_are_counted_and_not_followed():
    wire = Wire(Limits(streams=2))
    play, client, server = begun()
    play.client(*(client.call(id) for id in (1, 3, 5, 7)))
    play.server(*(server.answer(id) for id in (7, 5, 3, 1)))
    exchanges = play.exchanges(wire)
    assert [e.outcome for e in exchanges] == [Outcome.UNOBSERVED] * 2 + [Outcome.OK] * 2
    assert all(e.target == INFER for e in exchanges)


def test_a_message_past_the_capture_limit_is_counted_timed_and_not_copied_any_more():
    wire = Wire()
    size = 3 * 1024 * 1024
    play, client, server = begun()
    body = data(1, message(b"x" * size), end=True)
    play.client(client.head(1), body[: size // 2]).exchanges(wire)
    [skip] = wire.wanted()
    assert skip == Skip(1, FROM_CLIENT, play.at[0] - size // 2 + len(body))

    more = Playbook(now=play.now, at=play.at).client_gap(skip.offset - play.at[0]).server(server.answer(1))
    [exchange] = more.exchanges(wire)
    assert exchange.request.problem is BodyProblem.TOO_LARGE and exchange.request.size == size + 5
    assert exchange.outcome is Outcome.OK and not exchange.streamed
    assert exchange.timings.duration is not None


@pytest.mark.parametrize("seen", [9, 500])
def test_data_of_a_call_that_is_over_is_not_kept(seen):
    wire = Wire()
    play, client, server = begun()
    body = data(1, message(bytes(1000)))
    play.client(client.call(1)).server(server.head(1), body[:seen]).client(reset(1)).server(body[seen:], body)
    [exchange] = play.server(server.trailers(1)).exchanges(wire)
    assert exchange.outcome is Outcome.CLIENT_CLOSED
    feed(wire, play.close().chunks[-1:])
    assert wire.captured_bytes == 0


def test_each_side_says_how_large_the_others_table_may_become():
    for client_allows, readable in ((8192, True), (4096, False)):
        wire = Wire()
        play, client, server = begun()
        server.hpack.header_table_size = 8192
        # What the server allows is about the client's table, and no help for its own.
        play.client(settings(table=client_allows)).server(settings(table=65_536))
        [exchange] = play.client(client.call(1)).server(server.answer(1)).exchanges(wire)
        assert exchange.outcome is (Outcome.OK if readable else Outcome.UNOBSERVED)
        assert wire.connections() == {("observed" if readable else "blind", "http2"): 1}
