"""Real gRPC clients talking to real servers, as the relay would have seen them."""

import gzip
import json
from pathlib import Path

import pytest

from sidecar.chunk import Kind
from sidecar.exchange import Exchange, Outcome
from sidecar.wire.connection import Wire
from tests.wire.playbook import Playbook, feed

WIRE = Path(__file__).parent.parent / "cases" / "wire"
FOLDERS = ("v2-grpc", "tfs-grpc", "seldon-v1-grpc")
CAPTURES = sorted(path.with_suffix("") for folder in FOLDERS for path in (WIRE / folder).glob("*.request"))
every_capture = pytest.mark.parametrize(
    "capture", CAPTURES, ids=lambda path: f"{path.parent.name}/{path.name}"
)


def replay(capture: Path) -> Playbook:
    """A captured connection, cut and timed as it was received."""
    sides = {
        side: capture.with_suffix(end).read_bytes() for side, end in (("c", ".request"), ("s", ".response"))
    }
    script = Playbook(now=0.0).open()
    for side, milliseconds, size in json.loads(meta(capture))["recv_events_dir_ms_bytes"]:
        script.now = milliseconds / 1000
        piece, sides[side] = sides[side][:size], sides[side][size:]
        (script.client if side == "c" else script.server)(piece)
    assert not any(sides.values())
    return script


def meta(capture: Path) -> str:
    return capture.with_suffix(".meta.json").read_text()


def said(capture: Path, side: str) -> list[bytes]:
    """The messages as an independent reader took them apart, and uncompressed."""
    stream = json.loads(meta(capture))["grpc"]["stream1"]
    return [(capture.parent / one["file"]).read_bytes() for one in stream[f"{side}_messages"]]


def messages(body: bytes) -> list[bytes]:
    found = []
    while body:
        flag, end = body[0], 5 + int.from_bytes(body[1:5], "big")
        found.append(gzip.decompress(body[5:end]) if flag else body[5:end])
        body = body[end:]
    return found


def fields(capture: Path, side: str) -> dict[str, str]:
    blocks = json.loads(meta(capture))["grpc"]["stream1"][f"{side}_headers"]
    return {name: value for block in blocks for name, value in block}


def read(capture: Path) -> tuple[Wire, list[Exchange]]:
    wire = Wire()
    return wire, replay(capture).exchanges(wire)


@every_capture
def test_a_captured_call_is_read_as_an_independent_reader_read_it(capture):
    wire, [exchange] = read(capture)
    asked, answered = fields(capture, "req"), fields(capture, "resp")

    assert exchange.target == asked[":path"]
    assert exchange.status == int(answered[":status"])
    assert exchange.code == {"0": "OK", "5": "NOT_FOUND"}[answered["grpc-status"]]
    assert exchange.outcome is (Outcome.OK if exchange.code == "OK" else Outcome.CLIENT_ERROR)
    assert exchange.request_headers.get("grpc-encoding") == asked.get("grpc-encoding")
    assert exchange.streamed is ("ModelStreamInfer" in exchange.target)
    assert exchange.timings.duration is not None
    assert wire.connections() == {("observed", "http2"): 1}


@every_capture
def test_its_messages_are_those_that_were_sent(capture):
    _, [exchange] = read(capture)
    assert messages(exchange.request.data) == said(capture, "req")
    assert messages(exchange.response.data) == said(capture, "resp")
    assert exchange.request.size == len(exchange.request.data)


@every_capture
def test_a_capture_split_at_every_byte_reads_the_same(capture):
    script = replay(capture)
    assert script.split(1).exchanges() == script.exchanges()
    assert script.split(5).exchanges() == script.exchanges()


@every_capture
def test_nothing_that_trails_a_capture_changes_it(capture):
    script = replay(capture)
    whole = script.exchanges()
    assert script.client(b"\xff" * 50).server(b"\xff" * 50).close().exchanges() == whole


@every_capture
def test_a_capture_cut_anywhere_gives_nothing_but_its_own_call(capture):
    script = replay(capture).split(1)
    path = fields(capture, "req")[":path"]
    for end in range(0, len(script.chunks), 7):
        wire = Wire()
        exchanges = feed(wire, [*script.chunks[:end], Playbook().close().chunks[0]])
        assert [e.target for e in exchanges] in ([], [path])
        assert wire.captured_bytes == 0 and wire.connections() == {}
    assert script.chunks[0].kind is Kind.OPEN
