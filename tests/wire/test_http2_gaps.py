"""HTTP/2 of which bytes were lost: what is known stays known, and nothing is guessed."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chunk import FROM_CLIENT, FROM_SERVER, Chunk, Kind
from sidecar.exchange import BodyProblem, Outcome
from sidecar.wire.connection import Skip, Wire
from tests.wire import h2
from tests.wire.h2 import begun, data, message
from tests.wire.playbook import Playbook, feed

FOR_EVER = 2**63 - 1


def test_bytes_lost_inside_a_message_cost_that_body_only():
    play, client, server = begun()
    body = data(1, message(b"x" * 1000), end=True)
    play.client(client.head(1, "/a"), body[:100]).client_gap(len(body) - 150, lasting=2.0).client(body[-50:])
    play.server(server.answer(1)).client(client.call(3, b"b", "/b")).server(server.answer(3))
    wire = Wire()
    first, second = play.exchanges(wire)

    assert (first.target, first.outcome, first.request.problem) == ("/a", Outcome.OK, BodyProblem.GAP)
    assert first.request.size == 1005 and not first.streamed
    assert first.timings.request_last == pytest.approx(first.timings.request_first + 2.0, abs=0.01)
    assert (second.target, second.request.data) == ("/b", message(b"b"))
    assert wire.connections() == {("observed", "http2"): 1}


def test_an_answer_that_is_lost_while_the_client_still_asks_is_of_a_stream():
    play, client, server = begun()
    body = data(1, message(b"x" * 100))
    play.client(client.head(1), data(1, message(b"x"))).server(server.head(1), body[:9])
    play.server_gap(len(body) - 9).client(data(1, end=True)).server(server.trailers(1))
    [exchange] = play.exchanges()
    assert exchange.streamed and exchange.outcome is Outcome.OK


def test_an_end_that_is_lost_with_the_last_bytes_of_a_frame_is_known():
    play, client, server = begun()
    body = data(1, message(b"x" * 1000), end=True)
    play.client(client.head(1), body[:100]).client_gap(len(body) - 100).server(server.answer(1))
    [exchange] = play.exchanges()
    assert exchange.outcome is Outcome.OK and exchange.timings.duration is not None


def test_a_gap_that_is_told_after_the_answer_still_ends_the_request():
    """The tee says what it dropped with the next chunk of that direction."""
    play, client, server = begun()
    body = data(1, message(b"x" * 1000), end=True)
    play.client(client.head(1), body[:100]).server(server.answer(1)).client_gap(len(body) - 100)
    [exchange] = play.client(client.head(3)).exchanges()
    assert (exchange.outcome, exchange.request.problem) == (Outcome.OK, BodyProblem.GAP)


def test_bytes_lost_of_frames_nobody_reads_cost_nothing():
    play, client, server = begun()
    play.client(h2.frame(h2.PING, 0, bytes(8))[:10]).client_gap(7)
    play.client(client.call(1)).server(server.answer(1))
    assert [e.outcome for e in play.exchanges()] == [Outcome.OK]


@pytest.mark.parametrize("at", [0, 5, 8])
def test_bytes_lost_where_a_frame_may_begin_make_the_connection_blind(at):
    wire = Wire()
    play, client, server = begun()
    play.client(client.call(1, path="/open"))
    nth = client.call(3, path="/lost")
    if at:
        play.client(nth[:at])
    play.client_gap(len(nth) - at).client(client.call(5, path="/after")).server(server.answer(1))
    [exchange] = play.exchanges(wire)

    assert (exchange.target, exchange.outcome) == ("/open", Outcome.UNOBSERVED)
    assert wire.connections() == {("blind", "http2"): 1}
    assert set(wire.wanted()) == {Skip(1, FROM_CLIENT, FOR_EVER), Skip(1, FROM_SERVER, FOR_EVER)}
    assert wire.captured_bytes == 0


def test_where_a_header_block_is_lost_and_frames_are_not_calls_are_counted_and_timed_without_a_path():
    wire = Wire()
    play, client, server = begun()
    head = client.head(1, "/lost")
    play.client(head[:12]).client_gap(len(head) - 12).client(data(1, message(b"x"), end=True))
    play.server(server.answer(1)).client(client.call(3, path="/lost")).server(server.answer(3))
    exchanges = play.exchanges(wire)

    assert [(e.target, e.outcome) for e in exchanges] == [("", Outcome.UNOBSERVED)] * 2
    assert all(e.timings.duration is not None for e in exchanges)
    assert wire.connections() == {("blind", "http2"): 1}


def test_where_the_servers_table_is_lost_calls_keep_their_path_and_have_no_code():
    wire = Wire()
    play, client, server = begun()
    head = server.head(1)
    play.client(client.call(1, path="/a"), client.call(3, path="/b"))
    play.server(head[:12]).server_gap(len(head) - 12).server(server.trailers(1), server.answer(3))
    exchanges = play.exchanges(wire)
    assert [(e.target, e.code, e.outcome) for e in exchanges] == [
        ("/a", "", Outcome.UNOBSERVED),
        ("/b", "", Outcome.UNOBSERVED),
    ]
    assert wire.connections() == {("blind", "http2"): 1}


def test_a_connection_announced_anew_in_its_middle_is_not_read():
    wire = Wire()
    _, client, server = begun()
    client.call(1), server.answer(1)
    play = Playbook().open(offsets=(500, 400)).client(client.call(3)).server(server.answer(3))
    assert play.exchanges(wire) == []
    assert wire.connections() == {("blind", "unknown"): 1}


def test_a_connection_announced_with_the_place_of_its_frames_is_counted_and_blind():
    """As an observer that was restarted finds it: inside a frame of the client, between two of the server."""
    wire = Wire()
    _, client, server = begun()
    lost, seen = client.call(1, b"x" * 100), client.call(3)
    play = Playbook().open(offsets=(1000 - 40, 400), frames=(1000, 400))
    play.client(lost[-40:] + seen).server(server.answer(3), server.answer(1))
    exchanges = play.exchanges(wire)

    assert [(e.target, e.outcome) for e in exchanges] == [("", Outcome.UNOBSERVED)]
    assert exchanges[0].timings.duration is not None
    assert wire.connections() == {("blind", "http2"): 1}


# Twenty calls on paths of their own, whose bodies say which; tables are warm after the first.
CALLS = 20


def conversation() -> tuple[list[tuple[int, bytes]], set[str]]:
    _, client, server = begun()
    said, paths = [(FROM_CLIENT, client.preface), (FROM_SERVER, server.preface)], set()
    for number in range(CALLS):
        id, path = 2 * number + 1, f"/acme.Model{number % 7}/Ask"
        paths.add(path)
        said.append((FROM_CLIENT, client.call(id, path.encode() * 5, path, pieces=1 + number % 2)))
        said.append((FROM_SERVER, server.answer(id, path.encode() * 5, str(number % 3))))
    return said, paths


SAID, PATHS = conversation()
gap = st.tuples(st.integers(0, len(SAID) - 1), st.floats(0, 1), st.integers(1, 300))


@settings(max_examples=150, deadline=None)
@given(gaps=st.lists(gap, min_size=1, max_size=3), size=st.sampled_from([1, 7, 10_000]))
def test_whatever_is_lost_no_call_is_read_as_another(gaps, size):
    """Each lost range may reach into the chunks after it, as when the tee is full for a while."""
    streams = [b"".join(part for who, part in SAID if who == side) for side in (FROM_CLIENT, FROM_SERVER)]
    lost = [bytearray(len(stream)) for stream in streams]
    starts, at = [], [0, 0]
    for side, part in SAID:
        starts.append((side, at[side], len(part)))
        at[side] += len(part)
    for index, share, length in gaps:
        side, start, whole = starts[index]
        begin = start + int(share * whole)
        lost[side][begin : begin + length] = b"\1" * len(lost[side][begin : begin + length])
    wire, chunks = Wire(), [Chunk(Kind.OPEN, 1, meta={"offsets": [0, 0]})]
    for time, (side, start, whole) in enumerate(starts):
        for at, stop in _cuts(start, start + whole, lost[side], size):
            chunks.append(_chunk(side, at, stop, streams[side], lost[side], float(time)))
    exchanges = feed(wire, [*chunks, Chunk(Kind.CLOSE, 1, time=1e3)])

    for exchange in exchanges:
        assert exchange.target in PATHS or (exchange.target, exchange.outcome) == ("", Outcome.UNOBSERVED)
        expected = [message(path.encode() * 5) for path in PATHS if exchange.target in ("", path)]
        for body in (exchange.request, exchange.response):
            assert body.problem is not None or not body.data or body.data in expected
        assert exchange.outcome is not Outcome.OK or exchange.code == "OK"
    assert len(exchanges) <= CALLS and wire.captured_bytes == 0 and wire.connections() == {}


def _cuts(at: int, end: int, lost: bytearray, size: int) -> Iterator[tuple[int, int]]:
    """Pieces that were lost or were not, of at most `size` bytes."""
    while at < end:
        stop = at
        while stop < end and lost[stop] == lost[at] and stop - at < size:
            stop += 1
        yield at, stop
        at = stop


def _chunk(side: int, at: int, stop: int, stream: bytes, lost: bytearray, time: float) -> Chunk:
    if lost[at]:
        return Chunk(Kind.GAP, 1, side, time, at, b"", stop - at, time)
    return Chunk(Kind.DATA, 1, side, time, at, stream[at:stop])
