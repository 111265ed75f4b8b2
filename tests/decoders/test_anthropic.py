"""Messages, whole and streamed."""

import pytest

from sidecar.exchange import Outcome
from sidecar.inference import End
from sidecar.slo import outcome_of
from tests.decoders.reading import decode, read
from tests.decoders.streams import AT, generated, generation, streamed

PATH = "/v1/messages"


def typed(at: float, kind: str, **more: object) -> tuple[float, str, dict]:
    return at, kind, {"type": kind, **more}


def delta(at: float, **more: object) -> tuple[float, str, dict]:
    return typed(at, "content_block_delta", index=0, delta={"type": "text_delta", **more})


MESSAGE = {"id": "msg_1", "model": "m-1", "usage": {"input_tokens": 25, "output_tokens": 1,
           "cache_read_input_tokens": 10}}  # fmt: skip
START = typed(1, "message_start", message=MESSAGE)
OPENED = typed(2, "content_block_start", index=0, content_block={"type": "text", "text": ""})
STOP = typed(90, "message_stop")


def ended(reason: str | None = "end_turn", output: int = 15) -> tuple[float, str, dict]:
    return typed(80, "message_delta", delta={"stop_reason": reason}, usage={"output_tokens": output})


def test_input_is_said_at_the_start_and_output_cumulatively_at_the_end():
    said = generated(PATH, START, OPENED, typed(3, "ping"), delta(20, text="a"), delta(48, text="b"),
                     ended(output=7), ended(), STOP)  # fmt: skip
    assert (said.input_tokens, said.output_tokens, said.cached_tokens) == (25, 15, 10)
    assert said.first_token == pytest.approx(AT + 0.020)
    assert said.seconds_per_token == pytest.approx(0.002)
    assert (said.ends, said.truncated, said.counted, said.empty) == ([End.STOP], False, False, 0)
    assert said.response_model == "m-1"


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("end_turn", End.STOP),
        ("stop_sequence", End.STOP),
        ("max_tokens", End.LENGTH),
        ("model_context_window_exceeded", End.LENGTH),
        ("tool_use", End.TOOL),
        ("pause_turn", End.TOOL),
        ("refusal", End.FILTER),
    ],
)
def test_reasons_to_stop_are_of_a_closed_set(reason, end):
    assert generated(PATH, START, delta(9, text="a"), ended(reason), STOP).ends == [end]


def test_a_tool_is_content_from_its_name_on():
    block = typed(30, "content_block_start", index=1, content_block={"type": "tool_use", "name": "f"})
    said = generated(PATH, START, OPENED, block, delta(40, partial_json="{"), ended("tool_use"), STOP)
    assert (said.tool_calls, said.ends) == (1, [End.TOOL])
    assert said.first_token == pytest.approx(AT + 0.030)


def test_thoughts_are_content_and_signatures_are_none():
    said = generated(PATH, START, delta(5, signature="x"), delta(9, thinking="x"), ended(), STOP)
    assert said.first_token == pytest.approx(AT + 0.009)


def test_an_error_under_200_is_the_servers():
    seen = streamed(PATH, START, delta(9, text="a"), typed(10, "error", error={"type": "overloaded_error"}))
    inference = decode(seen)
    assert inference.error == "overloaded_error"
    assert generation(inference).ends == [End.ERROR]
    assert outcome_of(seen, inference) is Outcome.SERVER_ERROR


def test_without_message_stop_a_stream_is_truncated():
    for events in ([START, delta(9, text="a")], [START, delta(9, text="a"), ended()]):
        assert generated(PATH, *events).ends == [End.TRUNCATED]


def test_what_had_been_generated_when_the_client_left_is_counted():
    said = generated(PATH, START, delta(9, text="a"), delta(10, text="b"), outcome=Outcome.CLIENT_CLOSED)
    assert (said.input_tokens, said.ends) == (25, [End.CLIENT_CLOSED])
    # The first event's own count of the output is where it starts, not what it came to.
    assert (said.output_tokens, said.counted) == (2, True)


def test_a_message_in_one_piece():
    content = [{"type": "text", "text": "x"}, {"type": "tool_use", "name": "f", "input": {}}]
    answer = {"id": "msg_1", "type": "message", "model": "m-1", "content": content,
              "stop_reason": "tool_use", "usage": {"input_tokens": 26, "output_tokens": 6}}  # fmt: skip
    said = generation(read(PATH, {"model": "m"}, answer))
    assert (said.input_tokens, said.output_tokens, said.tool_calls) == (26, 6, 1)
    assert (said.ends, said.empty) == ([End.TOOL], 0)
    assert generation(read(PATH, {}, {"content": [], "stop_reason": "end_turn"})).empty == 1
