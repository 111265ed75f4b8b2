"""Events of streamed answers."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.chunk import FROM_SERVER
from sidecar.exchange import BodyProblem, Exchange, Outcome
from sidecar.wire.connection import Limits, Wire
from tests.wire.playbook import STEP, Playbook, get, stream_head


def piece(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(
    *pieces: bytes, head: bytes | None = None, ended: bool = True, limits: Limits | None = None
) -> Exchange:
    script = Playbook().open().client(get()).server(head or stream_head())
    script.server(*(piece(data) for data in pieces))
    script = script.server(b"0\r\n\r\n") if ended else script.end(FROM_SERVER)
    wire = Wire(limits or Limits())
    [exchange] = script.close().exchanges(wire)
    assert wire.captured_bytes == 0
    return exchange


def read(data: bytes) -> list[tuple[str, bytes]]:
    return [(event.name, event.data) for event in stream(data).events]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [("", b"a"), ("", b"b")]),
        (b"data:{\n\n", [("", b"{")]),
        (b"data:  two spaces\n\n", [("", b" two spaces")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")]),
        (b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")]),
        (b"data: one\ndata: two\n\n", [("", b"one\ntwo")]),
        (b": ping\n\ndata: a\n\n: ping\n\n", [("", b"a")]),
        (b"event: error\ndata: {}\nid: 7\nretry: 10\n\ndata: x\n\n", [("error", b"{}"), ("", b"x")]),
        (b"data\n\n", [("", b"")]),
        (b"data:\n\ndata: a\n\n", [("", b""), ("", b"a")]),
        (b"event: nothing\n\ndata: a\n\n", [("", b"a")]),
        (b"\xef\xbb\xbfdata: bom\n\n", [("", b"bom")]),
        (b"data: a\n\ndata: [DONE]", [("", b"a"), ("", b"[DONE]")]),
        (b"data: a\x0bb\x0c\x1c\x85\n\n", [("", b"a\x0bb\x0c\x1c\x85")]),
        (b"datax: no\nDATA: no\ndata: yes\n\n", [("", b"yes")]),
    ],
)
def test_events_are_read_as_browsers_read_them(text, events):
    assert read(text) == events
    cut = stream(*(text[at : at + 1] for at in range(len(text))))
    assert [(event.name, event.data) for event in cut.events] == events


def test_an_event_has_the_time_of_the_chunk_that_completed_it():
    first, second = stream(b"data: a\n", b"\ndata:", b" b", b"\r\r").events
    assert first.time == pytest.approx(100 + 4 * STEP)
    assert second.time == pytest.approx(100 + 6 * STEP)


def test_text_that_holds_no_events_is_kept_as_pieces():
    exchange = stream(b"Once upon ", b"a time\n\n", b"the end")
    assert exchange.streamed
    assert [event.data for event in exchange.events] == [b"Once upon ", b"a time\n\n", b"the end"]


@pytest.mark.parametrize("kind", ["application/x-ndjson", "Application/Stream+JSON; charset=utf-8"])
def test_each_line_of_json_is_an_event(kind):
    exchange = stream(b'{"a":1}\n{"b"', b":2}\r\n\n", b'{"done":true}', head=stream_head(kind))
    assert [event.data for event in exchange.events] == [b'{"a":1}', b'{"b":2}', b'{"done":true}']
    assert exchange.response.data == b'{"a":1}\n{"b":2}\r\n\n{"done":true}'


def test_a_gzipped_stream_is_inflated_as_it_comes():
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(b"data: %d\n\n" % n) + packer.flush(zlib.Z_SYNC_FLUSH) for n in range(3)]
    exchange = stream(
        *pieces, packer.flush(), head=stream_head("text/event-stream", "content-encoding: gzip")
    )

    assert [event.data for event in exchange.events] == [b"0", b"1", b"2"]
    assert [event.time for event in exchange.events] == [pytest.approx(100 + n * STEP) for n in (3, 4, 5)]
    assert exchange.response.data == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


def test_a_stream_in_a_coding_we_do_not_read_is_still_a_stream():
    exchange = stream(b"\x01\x02", head=stream_head("text/event-stream", "content-encoding: compress"))
    assert exchange.streamed and exchange.events == []
    assert exchange.response.problem is BodyProblem.UNKNOWN_ENCODING


def test_a_stream_that_is_cut_keeps_its_whole_events():
    exchange = stream(b"data: a\n\n", b"data: b", ended=False)
    assert exchange.outcome is Outcome.TRUNCATED
    assert [event.data for event in exchange.events] == [b"a"]


def test_after_a_gap_no_further_events_are_read():
    script = Playbook().open().client(get()).server(stream_head() + piece(b"data: a\n\n") + b"ff\r\n")
    script.server_gap(255).server(b"\r\n" + piece(b"data: b\n\n") + b"0\r\n\r\n")
    [exchange] = script.exchanges()
    assert exchange.outcome is Outcome.OK
    assert exchange.response.problem is BodyProblem.GAP
    assert [event.data for event in exchange.events] == [b"a"]
    assert not exchange.left_out.to_the_end


def test_of_a_long_stream_the_first_and_the_last_events_are_kept_and_the_times_of_the_others():
    limits = Limits(first_events=5, last_events=2)
    exchange = stream(*[b"data: %d\n\n" % n for n in range(20)], limits=limits)
    assert [event.data for event in exchange.events] == [b"0", b"1", b"2", b"3", b"4", b"18", b"19"]
    left_out = exchange.left_out
    assert (left_out.after, left_out.count, left_out.to_the_end) == (5, 13, True)
    times = [event.time for event in exchange.events[:5]] + list(left_out.times)
    assert times == [pytest.approx(100 + n * STEP) for n in range(3, 21)]


def test_events_are_bounded_in_size_and_the_last_one_is_kept():
    limits = Limits(capture_bytes=1_000, event_bytes=500)
    exchange = stream(*[b"data: %s\n\n" % (b"%d" % n * 300) for n in range(9)], limits=limits)
    assert [event.data[:1] for event in exchange.events] == [b"0", b"1", b"2", b"8"]
    assert exchange.left_out.count == 5
    assert stream(*[b"data: x\n\n"] * 900, limits=limits).response.size == 900 * 9


def test_a_stream_of_twenty_thousand_events_keeps_its_last_one_and_little_else():
    wire = Wire(Limits())
    script = Playbook().open().client(get()).server(stream_head())
    for n in range(20_000):
        script.server(piece(b'data: {"n": %d, "text": "%s"}\n\n' % (n, b"x" * 200)))
    largest = 0
    for chunk in script.server(b"0\r\n\r\n").chunks:
        done = wire.feed(chunk)
        largest = max(largest, wire.captured_bytes)
    [exchange] = done
    assert exchange.events[-1].data.startswith(b'{"n": 19999,')
    assert len(exchange.events) + exchange.left_out.count == 20_000
    assert len(exchange.left_out.times) == exchange.left_out.count and exchange.left_out.to_the_end
    assert largest < 500_000 and wire.captured_bytes == 0


def test_without_memory_the_events_are_counted_and_the_end_is_not_claimed_to_be_known():
    exchange = stream(*[b"data: %s\n\n" % (b"x" * 300)] * 9, limits=Limits(total_bytes=100))
    assert exchange.events == []
    assert (exchange.left_out.count, exchange.left_out.to_the_end) == (9, False)


def test_an_end_that_could_not_be_read_is_not_claimed_to_be_known():
    limits = Limits(event_bytes=500)
    for kind, lines in (
        ("text/event-stream", [b"data: a\n\n", b"data: %s\n\n" % (b"x" * 900)]),
        ("application/x-ndjson", [b"{}\n", b'"%s"\n' % (b"x" * 900)]),
    ):
        exchange = stream(*lines, head=stream_head(kind), limits=limits)
        assert (exchange.left_out.after, exchange.left_out.count) == (1, 1)
        assert not exchange.left_out.to_the_end
        assert stream(*lines, lines[0], head=stream_head(kind), limits=limits).left_out.to_the_end


def test_an_event_past_the_limit_is_dropped_and_the_next_is_read():
    limits = Limits(event_bytes=500)
    for end in (b"\n\n", b"\ndata: more\n\n"):
        exchange = stream(*[b"data: "] + [b"x" * 100] * 9 + [end + b"data: ok\n\n"], limits=limits)
        assert exchange.events[-1].data == b"ok"
    many = stream(b"data: %s\n" % (b"x" * 100) * 10 + b"\ndata: ok\n\n", limits=limits)
    assert [event.data for event in many.events] == [b"ok"]


LINES = [b"data: a", b"data", b": c", b"event: e", b"\n", b"\r", b"\r\n", b"\xff"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=30), st.integers(1, 9))
def test_events_do_not_depend_on_the_cuts(parts, size):
    text = b"data: first\n\n" + b"".join(parts)
    whole = [(event.name, event.data) for event in stream(text).events]
    cut = stream(*(text[at : at + size] for at in range(0, len(text), size)))
    assert [(event.name, event.data) for event in cut.events] == whole


def test_a_compressed_bomb_in_a_stream_stops_the_events():
    bomb = gzip.compress(b"data: x\n\n" + bytes(50 * 1024 * 1024), 1)
    head = stream_head("text/event-stream", "content-encoding: gzip")
    exchange = stream(bomb, head=head, limits=Limits(stream_bytes=1_000_000))
    assert [event.data for event in exchange.events] == [b"x"]
    assert not exchange.left_out.to_the_end
    assert exchange.response.problem is BodyProblem.EXPANDS_TOO_MUCH


def test_comments_without_end_do_not_hide_the_first_event():
    exchange = stream(*[b": ping\n\n"] * 50, b"data: a\n\n", limits=Limits(first_events=5))
    assert [event.data for event in exchange.events] == [b"a"]


def test_a_line_past_the_limit_is_dropped_however_it_comes():
    text = b'{"a":1}\n{"long":"' + b"x" * 500 + b'"}\n{"b":2}\n'
    for pieces in ([text], [text[at : at + 7] for at in range(0, len(text), 7)]):
        exchange = stream(*pieces, head=stream_head("application/x-ndjson"), limits=Limits(event_bytes=100))
        assert [event.data for event in exchange.events] == [b'{"a":1}', b'{"b":2}']
