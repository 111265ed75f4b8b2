"""Real exchanges of real servers, and hostile ones, as the relay would have seen them."""

import base64
import json
from pathlib import Path

import pytest

from sidecar.chunk import FROM_CLIENT, FROM_SERVER
from sidecar.exchange import BodyProblem, Exchange, Outcome
from sidecar.wire.connection import Wire
from tests.wire.playbook import Playbook

CASES = Path(__file__).parent.parent / "cases"
FOLDERS = ("v1-rest", "v2-rest", "mlflow", "fastapi", "openai-vllm", "openai-stub", "ollama")
CAPTURES = sorted(
    path.with_suffix("") for folder in FOLDERS for path in (CASES / "wire" / folder).glob("*.request")
)
HOSTILE = [json.loads(line) for line in (CASES / "http" / "cases.jsonl").read_text().splitlines()]


def replay(capture: Path) -> Playbook:
    """A captured connection, cut and timed as it was received."""
    sides = {
        "c": capture.with_suffix(".request").read_bytes(),
        "s": capture.with_suffix(".response").read_bytes(),
    }
    script = Playbook(now=0.0).open()
    events = json.loads(capture.with_suffix(".meta.json").read_text()).get("recv_events_dir_ms_bytes")
    for side, milliseconds, size in events or [("c", 1, len(sides["c"])), ("s", 2, len(sides["s"]))]:
        script.now = milliseconds / 1000
        piece, sides[side] = sides[side][:size], sides[side][size:]
        (script.client if side == "c" else script.server)(piece)
    if "abort" in capture.name:
        script.reset(FROM_CLIENT)
    return script.end(FROM_SERVER).close()


def read(capture: str) -> list[Exchange]:
    return replay(CASES / "wire" / capture).exchanges()


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_captured_exchange_is_read_whole(capture):
    wire = Wire()
    exchanges = replay(capture).exchanges(wire)
    said = capture.with_suffix(".response").read_bytes()
    status = int(said.split(b" ", 2)[1])
    cut = "abort" in capture.name or "truncated" in capture.name

    assert len(exchanges) == (3 if "pipelined" in capture.name else 1)
    for exchange in exchanges:
        assert exchange.status == status
        assert exchange.request.problem is None
        assert exchange.response.problem is (BodyProblem.CUT if cut else None)
        assert exchange.timings.duration is not None
        if not cut and exchange.response.data.startswith((b"{", b"[")) and not exchange.streamed:
            json.loads(exchange.response.data)
        if exchange.request.data and "gzip" not in exchange.request_headers.get("content-encoding", ""):
            assert exchange.request.data in capture.with_suffix(".request").read_bytes()
        kinds = ("text/event-stream", "ndjson")
        assert exchange.streamed is any(
            kind in exchange.response_headers.get("content-type", "") for kind in kinds
        )
        assert bool(exchange.events) is exchange.streamed
    assert wire.captured_bytes == 0


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_capture_split_at_every_byte_reads_the_same(capture):
    script = replay(capture)
    assert script.split(1).exchanges() == script.exchanges()


def test_events_of_a_stream_carry_the_time_at_which_each_was_complete():
    [exchange] = read("openai-vllm/chat_stream")
    times = [event.time for event in exchange.events]

    assert exchange.events[-1].data == b"[DONE]"
    assert all(json.loads(event.data)["object"] == "chat.completion.chunk" for event in exchange.events[:-1])
    assert times == sorted(times) and times[0] < times[-1]


def test_a_stream_cut_inside_a_character_gives_whole_events():
    [exchange] = read("openai-stub/stream_split_inside_utf8_and_event")
    for event in exchange.events[:-1]:
        json.loads(event.data)


def test_lines_of_json_are_events_too():
    for capture in ("ollama/chat_stream", "fastapi/ndjson_stream"):
        [exchange] = read(capture)
        assert [json.loads(event.data) for event in exchange.events]
        assert len(exchange.events) == exchange.response.data.strip().count(b"\n") + 1


def test_a_client_that_leaves_a_stream_and_a_server_that_does_are_told_apart():
    [abort] = read("openai-vllm/chat_stream_client_abort")
    [truncated] = read("openai-stub/stream_truncated_no_done")
    assert (abort.outcome, truncated.outcome) == (Outcome.CLIENT_CLOSED, Outcome.TRUNCATED)


def test_a_gzipped_answer_is_decompressed():
    [exchange] = read("v2-rest/mls_gzip_response")
    assert exchange.response_headers["content-encoding"] == "gzip"
    assert exchange.response.size < len(exchange.response.data)


def test_requests_on_one_connection_meet_their_own_answers():
    for exchange in read("v2-rest/mls_keepalive_pipelined"):
        assert json.loads(exchange.request.data)["id"] == json.loads(exchange.response.data)["id"]


# Here the first request ends where every server that takes it says it ends; what follows is another one.
PIPELINED = {"S082", "S084", "S141", "S145"}


def script_of(case: dict) -> Playbook:
    sent = b"".join(base64.b64decode(step[1]) for step in case.get("steps", []) if step[0] == "send")
    sent = sent or base64.b64decode(case["send_b64"])
    back = base64.b64decode(case.get("upstream_b64", "")) or b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    script = Playbook().open().client(sent).server(back)
    return (script.end(FROM_SERVER) if case.get("upstream_close") else script).close()


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case["id"])
def test_hostile_traffic_is_read_without_raising_or_keeping_memory(case):
    wire = Wire()
    exchanges = script_of(case).exchanges(wire)

    counted = [exchange.target for exchange in exchanges if exchange.outcome is not Outcome.UNOBSERVED]
    # Where the framing is in doubt, nothing that hides behind it is a request.
    assert ("/smuggled" in counted) is (case["id"] in PIPELINED)
    assert wire.captured_bytes == 0
    assert wire.connections() == {}


@pytest.mark.parametrize(
    "case", [c for c in HOSTILE if len(c["send_b64"]) < 4000], ids=lambda case: case["id"]
)
def test_hostile_traffic_reads_the_same_however_it_is_cut(case):
    script = script_of(case)
    whole, split = script.exchanges(), script.split(1).exchanges()
    assert [(e.target, e.status, e.outcome) for e in split] == [
        (e.target, e.status, e.outcome) for e in whole
    ]


LEGAL = [case for case in HOSTILE if case["verdict"] == "forward" and "fault" not in case["section"]]


@pytest.mark.parametrize("case", LEGAL, ids=lambda case: case["id"])
def test_legal_traffic_is_read(case):
    script = script_of(case)
    exchange = script.exchanges()[0]
    method, target, _ = script.chunks[1].data.lstrip().decode("latin-1").split(" ", 2)

    assert (exchange.method, exchange.target) == (method, target)
    assert exchange.status is not None
    assert exchange.outcome is not Outcome.UNOBSERVED
