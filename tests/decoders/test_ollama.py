"""Ollama: one object, or by default one a line."""

import pytest

from sidecar.inference import End
from tests.decoders.reading import decode, read, table
from tests.decoders.streams import AT, generated, generation, streamed

CHAT, GENERATE = "/api/chat", "/api/generate"


def line(at: float, content: str = "", **more: object) -> tuple[float, dict]:
    return at, {"model": "llama3.2", "message": {"role": "assistant", "content": content}, "done": False,
                **more}  # fmt: skip


LAST = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 3}


def test_the_last_line_says_what_it_took():
    said = generated(CHAT, line(20, "The"), line(40, " sky"), line(60, **LAST))
    assert (said.input_tokens, said.output_tokens, said.counted) == (26, 3, False)
    assert said.first_token == pytest.approx(AT + 0.020)
    assert said.seconds_per_token == pytest.approx(0.010)
    assert (said.ends, said.truncated, said.response_model) == ([End.STOP], False, "llama3.2")


def test_an_input_that_was_cached_may_go_unsaid():
    last = {key: value for key, value in LAST.items() if key != "prompt_eval_count"}
    assert generated(CHAT, line(20, "a"), line(60, **last)).input_tokens is None


def test_without_done_a_stream_is_truncated_and_an_error_line_is_an_error():
    assert generated(CHAT, line(20, "a"), line(40, "b")).ends == [End.TRUNCATED]
    seen = streamed(CHAT, line(20, "a"), (30, {"error": "out of memory"}))
    inference = decode(seen)
    assert inference.error == "error" and generation(inference).ends == [End.ERROR]


def test_tools_are_counted_and_end_the_answer():
    call = {"function": {"name": "f", "arguments": {}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call, call]}
    said = generated(CHAT, (20, {"message": message, "done": False}), line(60, **LAST))
    assert (said.tool_calls, said.ends, said.empty) == (2, [End.TOOL], 0)


@pytest.mark.parametrize(("reason", "empty"), [("load", 0), ("unload", 0), ("stop", 1)])
def test_loading_a_model_is_no_empty_answer(reason, empty):
    said = generation(read(GENERATE, {"model": "m"}, {"response": "", "done": True, "done_reason": reason}))
    assert said.empty == empty


def test_an_answer_in_one_piece():
    answer = {"model": "llama3.2", "response": "blue", **LAST, "done_reason": "length"}
    said = generation(read(GENERATE, {"model": "m", "stream": False}, answer))
    assert (said.input_tokens, said.output_tokens, said.ends) == (26, 3, [End.LENGTH])


def test_embeddings_of_both_kinds():
    many = read("/api/embed", {"input": ["a", "b"]}, {"embeddings": [[3.0, 4.0], [0.0, 1.0]],
                                                     "prompt_eval_count": 4})  # fmt: skip
    assert table(many.outputs) == {"embedding.norm": [5.0, 1.0], "embedding.dimension": [2, 2]}
    assert (many.rows, generation(many).input_tokens) == (2, 4)
    one = read("/api/embeddings", {"prompt": "a"}, {"embedding": [3.0, 4.0]})
    assert (one.rows, table(one.outputs)["embedding.norm"]) == (1, [5.0])
