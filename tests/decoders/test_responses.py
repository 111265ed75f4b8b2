"""The Responses API."""

import pytest

from sidecar.inference import End
from tests.decoders.reading import read
from tests.decoders.streams import AT, generated, generation

PATH = "/v1/responses"
USAGE = {
    "input_tokens": 20, "output_tokens": 11, "total_tokens": 31,
    "input_tokens_details": {"cached_tokens": 16},
}  # fmt: skip


def response(status: str = "completed", **more: object) -> dict:
    return {"id": "resp_1", "object": "response", "model": "m-1", "status": status, "output": [], **more}


def typed(at: float, kind: str, **more: object) -> tuple[float, str, dict]:
    return at, kind, {"type": kind, **more}


def test_usage_is_in_the_last_event_and_no_mark_follows():
    said = generated(
        PATH,
        typed(1, "response.created", response=response("in_progress", usage=None)),
        typed(5, "response.output_item.added", item={"type": "message", "id": "i"}),
        typed(10, "response.output_text.delta", delta=""),
        typed(20, "response.output_text.delta", delta="x"),
        typed(30, "response.output_text.delta", delta="x"),
        typed(40, "response.completed", response=response(usage=USAGE)),
    )
    assert (said.input_tokens, said.output_tokens, said.cached_tokens) == (20, 11, 16)
    assert said.first_token == pytest.approx(AT + 0.020)
    assert said.seconds_per_token == pytest.approx(0.001)
    assert (said.ends, said.truncated, said.empty) == ([End.STOP], False, 0)


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_the_status_inside_the_last_event_says_how_it_ended(kind):
    for details, end in (
        ({"reason": "max_output_tokens"}, End.LENGTH),
        ({"reason": "content_filter"}, End.FILTER),
        (None, End.LENGTH),
    ):
        last = response("incomplete", incomplete_details=details, usage=USAGE)
        events = [typed(9, "response.output_text.delta", delta="x"), typed(10, kind, response=last)]
        assert generated(PATH, *events).ends == [end]


def test_calls_of_functions_are_counted_once():
    item = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    said = generated(
        PATH,
        typed(5, "response.output_item.added", item=item),
        typed(10, "response.function_call_arguments.delta", delta="{"),
        typed(40, "response.completed", response=response(output=[item], usage=USAGE)),
    )
    assert (said.tool_calls, said.ends, said.empty) == (1, [End.TOOL], 0)


def test_a_failed_response_is_an_error_and_so_is_an_error_event():
    failed = response("failed", error={"code": "server_error", "message": "secret"})
    inference = read(PATH, {}, failed)
    assert inference.error == "server_error" and generation(inference).ends == [End.ERROR]
    for last in (typed(9, "response.failed", response=failed), typed(9, "error", code="x")):
        said = generated(PATH, last)
        assert (said.ends, said.truncated) == ([End.ERROR], False)


def test_without_its_last_event_a_stream_is_truncated():
    assert generated(PATH, typed(9, "response.output_text.delta", delta="x")).truncated


def test_a_response_in_one_piece():
    message = {"type": "message", "content": [{"type": "output_text", "text": "x"}]}
    inference = read(PATH, {"model": "m", "input": "x"}, response(output=[message], usage=USAGE))
    said = generation(inference)
    assert (said.input_tokens, said.output_tokens, said.ends, said.empty) == (20, 11, [End.STOP], 0)
    assert inference.request_id == "resp_1" and said.response_model == "m-1"
    assert generation(read(PATH, {}, response())).empty == 1
