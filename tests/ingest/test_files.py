import base64
import contextlib
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import UsageError
from sidecar.exchange import BodyProblem, Exchange, Outcome
from sidecar.ingest import files, recorded
from sidecar.ingest.files import read_exchanges


def read(tmp_path: Path, *lines: Any, name: str = "exchanges.jsonl") -> list[Exchange]:
    path = tmp_path / name
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return list(read_exchanges(path))


def in_base64(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


WHOLE = {
    "time": 1_700_000_000.5,
    "method": "POST",
    "target": "/v2/models/iris/infer",
    "request_headers": {"Content-Type": "application/json"},
    "request": '{"inputs": []}',
    "status": 200,
    "response_headers": {"Content-Type": "application/json", "X-Request-Id": "r-1"},
    "response": '{"outputs": []}',
    "duration": 0.25,
}


@pytest.mark.parametrize("name", ["exchanges.jsonl", "exchanges.jsonl.gz"])
def test_a_line_is_an_exchange(tmp_path, name):
    (exchange,) = read(tmp_path, WHOLE, name=name)
    assert (exchange.method, exchange.path) == ("POST", "/v2/models/iris/infer")
    assert (exchange.status, exchange.outcome) == (200, Outcome.OK)
    assert (exchange.request.data, exchange.response.data) == (b'{"inputs": []}', b'{"outputs": []}')
    assert exchange.response_headers["x-request-id"] == "r-1"
    assert exchange.timings.request_first == 1_700_000_000.5
    assert exchange.timings.duration == pytest.approx(0.25)
    assert not exchange.streamed


def test_what_was_not_recorded_is_not_known(tmp_path):
    (exchange,) = read(tmp_path, {"target": "/predict", "request": "[1]"})
    assert exchange.outcome is Outcome.UNOBSERVED
    assert (exchange.method, exchange.status, exchange.code) == ("POST", None, "")
    assert exchange.timings.duration is exchange.timings.time_to_first_byte is None


def test_a_line_without_a_time_has_that_of_the_line_before_and_empty_lines_are_passed_over(tmp_path):
    first, second = read(tmp_path, WHOLE, "", {"target": "/predict", "status": 503})
    assert second.timings.request_first == first.timings.request_first
    assert second.outcome is Outcome.SERVER_ERROR


def test_bytes_are_decoded_as_the_fields_say_but_text_is_taken_as_decoded(tmp_path):
    fields = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    packed = gzip.compress(b"[[1]]")
    whole, text = read(
        tmp_path,
        {"target": "/predict", "request_headers": fields, "request": in_base64(packed)},
        {"target": "/predict", "request_headers": fields, "request": "[[1]]"},
    )
    assert whole.request.data == text.request.data == b"[[1]]"
    assert whole.request.size == len(packed)


def test_a_body_that_does_not_decode_or_is_too_large_says_so_like_one_from_the_wire(tmp_path):
    fields = {"content-encoding": "gzip"}
    bad, large, bomb = read(
        tmp_path,
        {"target": "/p", "request_headers": fields, "request": in_base64(b"no gzip")},
        {"target": "/p", "request": "x" * 1_100_000},
        {"target": "/p", "request_headers": fields, "request": in_base64(gzip.compress(bytes(9_000_000)))},
    )
    assert bad.request.problem is BodyProblem.BAD_ENCODING
    assert (large.request.problem, large.request.size) == (BodyProblem.TOO_LARGE, 1_100_000)
    assert bomb.request.problem is BodyProblem.EXPANDS_TOO_MUCH


def test_credentials_in_a_recording_are_not_kept(tmp_path):
    (exchange,) = read(tmp_path, WHOLE | {"request_headers": {"Authorization": "Bearer s3cret"}})
    assert "s3cret" not in repr(exchange)


def test_events_have_their_own_times_and_make_the_answer_a_stream(tmp_path):
    events = [{"offset": 0.1, "data": '{"a":1}'}, {"offset": 0.4, "data": "[DONE]", "name": "end"}]
    (exchange,) = read(
        tmp_path, {"time": 100.0, "target": "/v1/completions", "status": 200, "events": events}
    )
    assert exchange.streamed
    assert [(e.time, e.data, e.name) for e in exchange.events] == [
        (100.1, b'{"a":1}', ""),
        (100.4, b"[DONE]", "end"),
    ]
    assert exchange.timings.time_to_first_byte == pytest.approx(0.1)
    assert exchange.timings.duration == pytest.approx(0.4)


def test_events_are_read_out_of_a_body_that_is_a_stream_by_nature(tmp_path):
    answer = {"response_headers": {"Content-Type": "text/event-stream"}, "response": "data: 1\n\ndata: 2\n\n"}
    (exchange,) = read(tmp_path, {"target": "/v1/completions", "status": 200, **answer})
    assert exchange.streamed
    assert [event.data for event in exchange.events] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("more", "outcome", "code"),
    [
        ({"grpc_status": 0}, Outcome.OK, "OK"),
        ({"grpc_status": "3"}, Outcome.CLIENT_ERROR, "INVALID_ARGUMENT"),
        ({"grpc_status": "UNAVAILABLE"}, Outcome.SERVER_ERROR, "UNAVAILABLE"),
        ({"response_headers": {"Grpc-Status": "14"}}, Outcome.SERVER_ERROR, "UNAVAILABLE"),
    ],
)
def test_a_grpc_call_ended_as_its_code_says(tmp_path, more, outcome, code):
    call = {"target": "/a.B/C", "request_headers": {"content-type": "application/grpc"}, "status": 200}
    (exchange,) = read(tmp_path, {**call, **more})
    assert (exchange.outcome, exchange.code) == (outcome, code)


@pytest.mark.parametrize(("messages", "streamed"), [(1, False), (2, True)])
def test_a_grpc_call_with_more_than_one_message_is_a_stream(tmp_path, messages, streamed):
    body = in_base64(b"\0\0\0\0\x02hi" * messages)
    call = {"target": "/a.B/C", "request_headers": {"content-type": "application/grpc"}, "response": body}
    assert read(tmp_path, call)[0].streamed is streamed


def test_a_recorded_outcome_stands(tmp_path):
    (exchange,) = read(tmp_path, {"target": "/predict", "outcome": "upstream_unreachable"})
    assert exchange.outcome is Outcome.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON: unexpected end of data, at character 3"),
        ("[1]", "a list is not an exchange; give an object with target, request, response…"),
        ({}, "target: missing; give the path that was asked, such as /v2/models/churn/infer"),
        ({"target": 3}, "target: a number is not allowed; give text such as /v2/models/churn/infer"),
        ({"target": "/p", "time": "now"}, "time: this text is not allowed; give seconds from 0 to 1e+11"),
        ({"target": "/p", "time": True}, "time: true or false is not allowed; give seconds from 0 to 1e+11"),
        ({"target": "/p", "duration": -1}, "duration: -1 is not allowed; give seconds from 0 to 86400"),
        ({"target": "/p", "status": "200"}, "status: this text is not allowed; give 100 to 999"),
        ({"target": "/p", "status": 7}, "status: 7 is not allowed; give 100 to 999"),
        (
            {"target": "/p", "request": {"a": 1}},
            'request: an object is not allowed; give text or {"base64": "…"}',
        ),
        (
            {"target": "/p", "response": {"base64": "?"}},
            "response: base64: not base64; give bytes in the standard alphabet, padded",
        ),
        (
            {"target": "/p", "request_headers": ["a"]},
            "request_headers: a list is not allowed; give an object of names and texts",
        ),
        (
            {"target": "/p", "response_headers": {"a": 1}},
            "response_headers: 'a': a number is not allowed; give text",
        ),
        ({"target": "/p", "events": 1}, 'events: a number is not allowed; give a list of {"offset", "data"}'),
        (
            {"target": "/p", "events": [{"data": "x", "offset": -1}]},
            "events[0]: offset: -1 is not allowed; give seconds from 0 to 86400",
        ),
        (
            {"target": "/p", "events": [{}]},
            'events[0]: an object is not allowed; give {"offset": seconds, "data": text}',
        ),
    ],
)
def test_a_line_that_is_no_exchange_is_named_with_what_is_wrong(tmp_path, line, problem):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, WHOLE, line)
    assert str(caught.value) == f"{tmp_path}/exchanges.jsonl:2: {problem}"


def test_a_key_that_does_not_exist_is_told_with_those_that_do(tmp_path):
    with pytest.raises(UsageError, match=r":1: 'respone' is no key of an exchange; there are .*response,"):
        read(tmp_path, {"target": "/p", "respone": ""})


def test_messages_never_quote_a_payload(tmp_path):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, {"target": "/p", "request": ["s3cret"], "outcome": "s3cret"})
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_there_or_damaged_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        list(read_exchanges(tmp_path / "none.jsonl"))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b'{"target": "/p"}\n')[:-9])
    with pytest.raises(UsageError, match=r"cut\.gz:\d: the gzip data ends early or is damaged"):
        list(read_exchanges(tmp_path / "cut.gz"))
    (tmp_path / "not.gz").write_bytes(b'{"target": "/p"}\n')
    with pytest.raises(UsageError, match=r"not\.gz:1: the gzip data"):
        list(read_exchanges(tmp_path / "not.gz"))


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 1_048_576)
    with pytest.raises(UsageError, match="a line of more than 1 MiB; is this a file of JSON lines"):
        read(tmp_path, '{"target": "' + "x" * 3_000_000)


def test_lines_are_read_as_they_are_asked_for(tmp_path):
    exchanges = read_exchanges(tmp_path / "later.jsonl")
    (tmp_path / "later.jsonl").write_text(f"{json.dumps(WHOLE)}\nnot JSON\n")
    assert len(list(itertools.islice(exchanges, 1))) == 1


_values = st.none() | st.booleans() | st.floats() | st.text(max_size=4)
_lines = st.recursive(
    _values,
    lambda s: (
        st.dictionaries(st.sampled_from(sorted(recorded._KEYS)), s, max_size=6) | st.lists(s, max_size=3)
    ),
    max_leaves=8,
)


@given(st.binary(max_size=200) | _lines.map(lambda value: json.dumps(value).encode()))
def test_whatever_a_file_holds_it_is_exchanges_or_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "any.jsonl"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        list(read_exchanges(path))
