"""Exchanges out of the messages of Envoy's external processing: as captured, cut, mixed up and made up."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.exchange import BodyProblem, Exchange, Outcome
from sidecar.ingest.ext_proc_messages import Part, Said, read
from sidecar.ingest.ext_proc_stream import ProcessedStream
from sidecar.wire.http2_headers import Fields
from sidecar.wire.limits import Limits
from sidecar.wire.pending import Accounts

CASES = Path(__file__).parent.parent / "cases" / "ingest" / "envoy-ext-proc"
STREAMS = {"json": 1, "sse": 3, "gzip": 7, "grpc": 9}


def messages(name: str) -> list[bytes]:
    paths = CASES.glob(f"*.s{STREAMS[name]}.req.*.msg")
    return [path.read_bytes() for path in sorted(paths, key=lambda path: int(path.name.split(".")[-2]))]


def exchange_of(messages: list[bytes], **more: bool) -> Exchange | None:
    """The exchange of messages that came a tenth of a second apart, the first at 100 s."""
    stream = ProcessedStream(accounts := Accounts(Limits()))
    for number, message in enumerate(messages):
        said = read(message)
        assert said is not None
        assert not stream.ended
        stream.take(said, 100 + number / 10)
    exchange = stream.finish(**more)
    assert accounts.bodies.used == accounts.heads.used == 0
    return exchange


def test_a_captured_exchange_has_both_bodies_its_fields_and_the_times_at_which_they_came():
    exchange = exchange_of(messages("json"))
    assert exchange is not None
    assert (exchange.method, exchange.target, exchange.status) == ("POST", "/json", 200)
    assert exchange.outcome is Outcome.OK
    assert json.loads(exchange.request.data) == {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    assert json.loads(exchange.response.data) == {"len": 34}
    assert exchange.request_headers["content-type"] == "application/json"
    assert exchange.request_headers["x-request-id"] == "b4f21004-9b7d-46ea-a71f-9ac4230d3a90"
    # The request's end is its third message, the answer's head the fourth, its end the sixth.
    assert exchange.timings.time_to_first_byte == pytest.approx(0.1)
    assert exchange.timings.duration == pytest.approx(0.3)


def test_fields_that_may_be_credentials_are_not_kept():
    exchange = exchange_of(messages("json"))
    assert exchange is not None
    assert "user-agent" not in exchange.request_headers
    assert "x-forwarded-proto" not in exchange.request_headers


def test_a_captured_stream_of_events_has_each_with_its_time():
    exchange = exchange_of(messages("sse"))
    assert exchange is not None
    assert exchange.streamed
    assert [event.data for event in exchange.events] == [b'{"i": %d}' % i for i in range(5)]
    assert [event.time for event in exchange.events] == pytest.approx([100.4, 100.5, 100.6, 100.7, 100.8])


def test_a_captured_answer_in_gzip_is_decoded_and_its_size_is_that_on_the_wire():
    exchange = exchange_of(messages("gzip"))
    assert exchange is not None
    assert json.loads(exchange.response.data) == {"len": 34}
    assert exchange.response.size == 31


def test_a_captured_grpc_call_ends_with_its_trailers_and_has_the_code_they_say():
    exchange = exchange_of(messages("grpc"))
    assert exchange is not None
    assert (exchange.code, exchange.outcome, exchange.status) == ("OK", Outcome.OK, 200)
    assert not exchange.streamed
    assert exchange.request.data[:5] == bytes([0, 0, 0, 0, 0x4F])
    assert exchange.response.data[5:].startswith(b"\x0a\x04iris")


@pytest.mark.parametrize("name", STREAMS)
def test_an_answer_that_stops_anywhere_is_never_said_to_have_ended(name):
    whole = messages(name)
    for count in range(1, len(whole)):
        exchange = exchange_of(whole[:count])
        assert exchange is not None
        told = exchange.status is not None
        assert exchange.outcome is (Outcome.UNOBSERVED if told else Outcome.CLIENT_CLOSED)
        assert exchange_of(whole[:count], ours=True).outcome is Outcome.UNOBSERVED  # type: ignore[union-attr]


def test_without_a_request_there_is_no_exchange():
    assert exchange_of(messages("json")[1:]) is None
    assert exchange_of([]) is None


def stream(*said: Said) -> Exchange | None:
    one = ProcessedStream(Accounts(Limits()))
    for number, each in enumerate(said):
        one.take(each, 100 + number)
    return one.finish()


def fields(method: str = "", status: int | None = None, grpc_status: str = "", **kept: str) -> Fields:
    return Fields(
        method, "/a.B/C", status, {k.replace("_", "-"): v for k, v in kept.items()}, grpc_status, ""
    )


ASKED = Said(Part.REQUEST_HEADERS, False, True, fields("POST", content_type="application/grpc"))


def test_a_grpc_call_that_fails_at_once_has_its_code_in_its_only_head():
    head = fields(status=200, grpc_status="14", content_type="application/grpc")
    exchange = stream(ASKED, Said(Part.RESPONSE_HEADERS, False, True, head))
    assert exchange is not None
    assert (exchange.code, exchange.outcome) == ("UNAVAILABLE", Outcome.SERVER_ERROR)


def test_a_grpc_answer_without_trailers_is_cut_short():
    exchange = stream(
        ASKED,
        Said(Part.RESPONSE_HEADERS, False, False, fields(status=200)),
        Said(Part.RESPONSE_BODY, False, True, data=b"\0\0\0\0\0"),
    )
    assert exchange is not None
    assert exchange.outcome is Outcome.TRUNCATED


def test_messages_either_way_make_a_call_a_stream():
    exchange = stream(
        ASKED,
        Said(Part.RESPONSE_HEADERS, False, False, fields(status=200)),
        Said(Part.RESPONSE_BODY, False, False, data=b"\0\0\0\0\0" * 2),
        Said(Part.RESPONSE_TRAILERS, False, True, fields(grpc_status="0")),
    )
    assert exchange is not None
    assert exchange.streamed


def test_an_answer_that_ends_before_its_request_is_complete():
    asked = Said(Part.REQUEST_HEADERS, False, False, fields("POST"))
    exchange = stream(asked, Said(Part.RESPONSE_HEADERS, False, True, fields(status=413)))
    assert exchange is not None
    assert (exchange.status, exchange.outcome) == (413, Outcome.CLIENT_ERROR)


def test_interim_answers_are_passed_over():
    exchange = stream(
        Said(Part.REQUEST_HEADERS, False, True, fields("POST")),
        Said(Part.RESPONSE_HEADERS, False, False, fields(status=103)),
        Said(Part.RESPONSE_HEADERS, False, True, fields(status=204)),
    )
    assert exchange is not None
    assert exchange.status == 204


def test_a_body_past_the_capture_limit_is_counted_and_not_kept():
    exchange = stream(
        Said(Part.REQUEST_HEADERS, False, False, fields("POST")),
        *[Said(Part.REQUEST_BODY, False, False, data=bytes(64_000)) for _ in range(20)],
        Said(Part.REQUEST_BODY, False, True),
        Said(Part.RESPONSE_HEADERS, False, True, fields(status=200)),
    )
    assert exchange is not None
    assert exchange.request.problem is BodyProblem.TOO_LARGE
    assert exchange.request.size == 1_280_000


def test_a_message_without_observability_mode_waits_for_an_answer():
    assert [read(message).waits for message in messages("json")] == [False] * 6  # type: ignore[union-attr]
    said = read(messages("json")[1].removesuffix(b"\x50\x01"))
    assert said is not None
    assert said.waits


@pytest.mark.parametrize(
    "message", [b"", b"\xff", b"\x50\x01", b"\x12\x05\x0a", gzip.compress(b"x", mtime=0)]
)
def test_what_is_no_message_is_none(message):
    assert read(message) is None


@given(st.binary(max_size=400), st.integers(0, 30), st.integers(0, 470))
def test_no_bytes_make_reading_raise(data, number, cut):
    every = [message for name in STREAMS for message in messages(name)]
    message = every[number % len(every)]
    accounts = Accounts(Limits())
    one = ProcessedStream(accounts)
    for part in (*messages("json")[:2], message[:cut] + data + message[cut:], data, message[:cut]):
        said = read(part)
        if said is not None:
            one.take(said, 1.0)
    one.finish()
    assert accounts.bodies.used == accounts.heads.used == 0


@given(st.permutations(range(6)), st.integers(0, 6))
def test_messages_in_any_order_are_survived(order, count):
    whole = messages("json")
    one = ProcessedStream(Accounts(Limits()))
    for number in order[:count]:
        one.take(read(whole[number]), float(number))  # type: ignore[arg-type]
    one.finish()
