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


def test_events_are_bounded_in_number_and_size():
    limits = Limits(events=5, capture_bytes=1_000, event_bytes=500)
    assert len(stream(*[b"data: x\n\n"] * 9, limits=limits).events) == 5
    assert len(stream(*[b"data: %s\n\n" % (b"x" * 300)] * 9, limits=limits).events) == 3
    assert stream(*[b"data: x\n\n"] * 900, limits=limits).response.size == 900 * 9


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
    exchange = stream(bomb, head=stream_head("text/event-stream", "content-encoding: gzip"))
    assert [event.data for event in exchange.events] == [b"x"]
    assert exchange.response.problem is BodyProblem.EXPANDS_TOO_MUCH


def test_comments_without_end_do_not_hide_the_first_event():
    exchange = stream(*[b": ping\n\n"] * 50, b"data: a\n\n", limits=Limits(events=5))
    assert [event.data for event in exchange.events] == [b"a"]


def test_a_line_past_the_limit_is_dropped_however_it_comes():
    text = b'{"a":1}\n{"long":"' + b"x" * 500 + b'"}\n{"b":2}\n'
    for pieces in ([text], [text[at : at + 7] for at in range(0, len(text), 7)]):
        exchange = stream(*pieces, head=stream_head("application/x-ndjson"), limits=Limits(event_bytes=100))
        assert [event.data for event in exchange.events] == [b'{"a":1}', b'{"b":2}']
