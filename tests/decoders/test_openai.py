"""Chat, completions and embeddings as OpenAI and those who speak like it send them."""

import base64
import struct

import pytest

from sidecar.exchange import LeftOut, Outcome
from sidecar.inference import End, Operation, Undecoded
from sidecar.slo import outcome_of
from tests.decoders.reading import decode, read, table
from tests.decoders.streams import AT, DONE, generated, generation, streamed

CHAT = "/v1/chat/completions"


def chunk(said: dict, finish: str | None = None, index: int = 0, **more: object) -> dict:
    choice = {"index": index, "delta": said, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "model": "m-1", "id": "c1", "choices": [choice], **more}


def usage(asked: int, answered: int, **more: object) -> dict:
    return {"prompt_tokens": asked, "completion_tokens": answered, **more}


ROLE, END = chunk({"role": "assistant", "content": ""}), chunk({}, "stop")


def test_the_first_token_is_the_first_content_and_not_the_role():
    said = generated(CHAT, (5, ROLE), (40, chunk({"content": "a"})), (60, chunk({"content": "b"})),
                     (80, chunk({"content": "c"})), (90, END), (91, DONE))  # fmt: skip
    assert said.first_token == pytest.approx(AT + 0.040)
    assert said.last_token == pytest.approx(AT + 0.080)
    assert said.seconds_per_token == pytest.approx(0.020)
    assert (said.output_tokens, said.counted, said.input_tokens) == (3, True, None)
    assert said.ends == [End.STOP] and said.empty == 0 and not said.truncated


def test_usage_is_cumulative_and_the_last_one_counts():
    chunks = [(n * 10, chunk({"content": "x"}, usage=usage(7, n))) for n in (1, 2, 3)]
    last = {"choices": [], "usage": usage(7, 5, prompt_tokens_details={"cached_tokens": 4})}
    said = generated(CHAT, *chunks, (40, END), (41, last), (42, DONE))
    assert (said.input_tokens, said.output_tokens, said.cached_tokens) == (7, 5, 4)
    assert not said.counted
    # Five tokens from the first part to the last, though they came in three parts.
    assert said.seconds_per_token == pytest.approx(0.020 / 4)


def test_null_usage_and_null_choices_say_nothing():
    first = {"id": "", "model": "", "choices": [], "usage": None, "prompt_filter_results": []}
    said = generated(CHAT, (1, first), (2, {"choices": None}), (9, chunk({"content": "a"}, usage=None)),
                     (10, END), (11, DONE))  # fmt: skip
    assert said.first_token == pytest.approx(AT + 0.009)
    assert said.response_model == "m-1" and said.counted


@pytest.mark.parametrize("key", ["content", "reasoning", "reasoning_content", "refusal"])
def test_thoughts_and_refusals_are_content_too(key):
    assert generated(CHAT, (1, ROLE), (9, chunk({key: "x"})), (11, DONE)).first_token == AT + 0.009


def test_tokens_that_were_thought_and_not_sent_do_not_make_the_answer_look_fast():
    last = {"choices": [], "usage": usage(7, 103, completion_tokens_details={"reasoning_tokens": 100})}
    parts = [(n * 10, chunk({"content": "x"})) for n in (1, 2, 3)]
    assert generated(CHAT, *parts, (40, last), (42, DONE)).seconds_per_token == pytest.approx(0.010)


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("stop", End.STOP),
        ("length", End.LENGTH),
        ("tool_calls", End.TOOL),
        ("function_call", End.TOOL),
        ("content_filter", End.FILTER),
        ("abort", End.ERROR),
        ("whatever comes next", End.STOP),
    ],
)
def test_reasons_to_finish_are_of_a_closed_set(reason, end):
    assert generated(CHAT, (9, chunk({"content": "x"}, reason)), (11, DONE)).ends == [end]
    answer = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": reason}]}
    assert generation(read(CHAT, {}, answer)).ends == [end]


def test_each_choice_has_its_own_end_and_the_pace_is_that_of_one():
    events = [(n * 10, chunk({"content": "x"}, index=n % 2)) for n in range(1, 9)]
    said = generated(CHAT, *events, (90, chunk({}, "length", 0)), (90, chunk({}, "stop", 1)), (91, DONE))
    assert said.ends == [End.STOP, End.LENGTH]  # in the order in which they appeared
    assert said.output_tokens == 8
    assert said.seconds_per_token == pytest.approx(0.070 / 3)


def test_fragments_of_a_tool_call_are_one_call():
    def call(index: int, **more: object) -> dict:
        return chunk({"tool_calls": [{"index": index, **more}]})

    said = generated(CHAT, (5, ROLE), (10, call(0, id="a", function={"name": "f"})), (20, call(0)),
                     (30, call(1, id="b")), (40, chunk({}, "tool_calls")), (41, DONE))  # fmt: skip
    assert (said.tool_calls, said.ends, said.empty) == (2, [End.TOOL], 0)
    assert said.first_token == pytest.approx(AT + 0.010)


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([], [End.TRUNCATED]),
        ([(9, chunk({"content": "x"}))], [End.TRUNCATED]),
        (
            [(9, chunk({"content": "x"})), (10, END), (11, chunk({"content": "y"}, index=1))],
            [End.TRUNCATED] * 2,
        ),
    ],
)
def test_a_stream_without_its_mark_in_which_a_choice_did_not_end_is_truncated(events, ends):
    seen = streamed(CHAT, *events)
    inference = decode(seen)
    assert outcome_of(seen, inference) is Outcome.TRUNCATED
    assert generation(inference).ends == ends


def test_servers_that_never_send_the_mark_end_well_when_the_body_does_and_every_choice_said_why():
    events = [(9, chunk({"content": "x"})), (10, END), (11, chunk({"content": "y"}, "length", 1))]
    seen = streamed(CHAT, *events)
    inference = decode(seen)
    assert outcome_of(seen, inference) is Outcome.OK
    assert generation(inference).ends == [End.STOP, End.LENGTH]
    for outcome in (Outcome.TRUNCATED, Outcome.UPSTREAM_RESET):
        cut = streamed(CHAT, *events, outcome=outcome)
        inference = decode(cut)
        assert outcome_of(cut, inference) is outcome
        assert generation(inference).ends == [End.TRUNCATED] * 2


def test_of_a_long_stream_without_the_mark_an_end_that_was_seen_will_do():
    parts = [(9, chunk({"content": "x"})), (10, chunk({"content": "y"}, index=1))]
    between = LeftOut(2, 400)
    said = generated(CHAT, *parts, (9_000, END), left_out=between)
    assert not said.truncated and End.TRUNCATED not in said.ends
    assert generated(CHAT, *parts, (9_000, chunk({"content": "z"})), left_out=between).truncated


@pytest.mark.parametrize("outcome", [Outcome.TRUNCATED, Outcome.UPSTREAM_RESET])
def test_a_stream_that_was_cut_is_read_as_far_as_it_came(outcome):
    seen = streamed(CHAT, (9, chunk({"content": "x"})), (19, chunk({"content": "x"})), outcome=outcome)
    inference = decode(seen)
    said = generation(inference)
    assert (said.output_tokens, said.counted, said.ends) == (2, True, [End.TRUNCATED])
    assert outcome_of(seen, inference) is outcome and inference.undecoded is None


def test_a_client_that_leaves_ends_what_had_not_ended():
    parts = [(9, chunk({"content": "x"})), (19, chunk({"content": "x"}, index=1)), (20, END)]
    said = generated(CHAT, *parts, outcome=Outcome.CLIENT_CLOSED)
    assert said.ends == [End.STOP, End.CLIENT_CLOSED]
    assert said.output_tokens == 2 and not said.truncated
    assert generated(CHAT, outcome=Outcome.CLIENT_CLOSED).ends == [End.CLIENT_CLOSED]


def test_a_client_that_leaves_with_the_mark_has_its_answer():
    events = [(9, chunk({"content": "x"})), (10, END), (11, DONE)]
    seen = streamed(CHAT, *events, outcome=Outcome.CLIENT_CLOSED)
    inference = decode(seen)
    assert outcome_of(seen, inference) is Outcome.OK and generation(inference).ends == [End.STOP]
    early = streamed(CHAT, *events[:2], outcome=Outcome.CLIENT_CLOSED)
    assert outcome_of(early, decode(early)) is Outcome.CLIENT_CLOSED


def test_an_error_after_the_first_event_is_the_servers():
    seen = streamed(CHAT, (9, chunk({"content": "x"})), (10, {"error": {"type": "overloaded"}}))
    inference = decode(seen)
    assert inference.error == "overloaded" and generation(inference).ends == [End.ERROR]
    assert outcome_of(seen, inference) is Outcome.SERVER_ERROR


def test_an_answer_with_nothing_in_it_is_empty_and_one_that_was_cut_is_not():
    assert generated(CHAT, (5, ROLE), (9, END), (11, DONE)).empty == 1
    assert generated(CHAT, (5, ROLE)).empty == 0
    for message, empty in (({"content": ""}, 1), ({"content": None, "tool_calls": [{}]}, 0)):
        answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        assert generation(read(CHAT, {}, answer)).empty == empty


def test_pauses_of_more_than_a_second_are_stalls_but_the_wait_for_the_first_token_is_none():
    times = (1500, 1600, 2700, 2800, 4000, 5000)
    parts = [(time, chunk({"content": "x"})) for time in times]
    assert generated(CHAT, (1, ROLE), *parts, (9000, END), (9001, DONE)).stalls == 2


def test_of_a_long_stream_the_parts_between_are_counted_and_timed():
    parts = [(n * 10, chunk({"content": "x"})) for n in (1, 2)]
    between = LeftOut(2, 1_000, [AT + 0.03 + n * 0.01 + (1.5 if n > 500 else 0) for n in range(1_000)])
    last = 11_520.0
    said = generated(CHAT, *parts, (last + 10, END), (last + 11, DONE), left_out=between)
    assert (said.output_tokens, said.counted, said.stalls) == (1_002, True, 1)
    assert said.last_token == pytest.approx(AT + 11.520)
    assert said.ends == [End.STOP]


def test_of_a_choice_that_may_have_ended_in_between_nothing_is_claimed():
    parts = [
        (10, chunk({"content": "x"})),
        (11, chunk({"content": "x"}, index=1)),
        (9_000, END),
        (9_001, DONE),
    ]
    between = LeftOut(2, 3, [AT + 1, AT + 2, AT + 3])
    said = generated(CHAT, *parts, left_out=between)
    assert said.ends == [End.STOP] and said.empty == 0


def test_without_its_end_a_stream_is_neither_truncated_nor_counted():
    seen = streamed(CHAT, (9, chunk({"content": "x"})), left_out=LeftOut(1, 0, (), False))
    inference = decode(seen)
    said = generation(inference)
    assert (said.output_tokens, said.ends, said.truncated) == (None, [], False)
    assert said.first_token is not None
    assert inference.undecoded is Undecoded.BODY_TOO_LARGE
    assert outcome_of(seen, inference) is Outcome.OK


def test_an_answer_in_one_piece_says_what_it_took():
    answer = {"id": "c1", "model": "m-1", "usage": usage(35, 8), "choices": [
        {"index": 0, "message": {"content": "x"}, "finish_reason": "length"},
        {"index": 1, "message": {"content": "x"}, "finish_reason": "stop"},
    ]}  # fmt: skip
    inference = read(CHAT, {"model": "m"}, answer)
    said = generation(inference)
    assert (said.input_tokens, said.output_tokens, said.counted) == (35, 8, False)
    assert said.ends == [End.LENGTH, End.STOP]
    assert (said.first_token, said.seconds_per_token, said.streamed) == (None, None, False)
    assert (inference.model.name, said.response_model, inference.request_id) == ("m", "m-1", "c1")


def test_completions_have_their_text_beside_the_reason():
    events = [(n, {"choices": [{"index": 0, "text": "x", "finish_reason": None}]}) for n in (10, 20)]
    last = {"choices": [{"index": 0, "text": "x", "finish_reason": "length"}]}
    said = generated("/v1/completions", *events, (30, last), (31, DONE))
    assert (said.output_tokens, said.ends) == (3, [End.LENGTH])


def test_no_text_is_kept():
    secret = "my secret"
    events = [(9, chunk({"content": secret, "tool_calls": [{"id": secret}]}, "stop")), (11, DONE)]
    asked = {"model": "m", "messages": [{"role": "user", "content": secret}], "user": secret}
    assert secret not in repr(decode(streamed(CHAT, *events, asked=asked)))
    answer = {"choices": [{"message": {"content": secret, "tool_calls": [{"id": secret}]}}]}
    assert secret not in repr(read(CHAT, asked, answer))


@pytest.mark.parametrize("hostile", [-1, 2**62, 1.5, "7", None, True, [7]])
def test_a_count_that_is_none_is_not_counted(hostile):
    answer = {"choices": [{"message": {"content": "x"}}], "usage": usage(hostile, hostile)}
    said = generation(read(CHAT, {}, answer))
    assert (said.input_tokens, said.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [("text", 1), (["a", "b", "c"], 3), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([], 0), (None, 0)],
)
def test_the_inputs_of_embeddings_are_its_rows(asked, rows):
    inference = read("/v1/embeddings", {"model": "m", "input": asked}, {"data": []})
    assert (inference.operation, inference.rows, inference.features) == (Operation.EMBED, rows, [])


def test_of_embeddings_norm_and_dimension_are_the_outputs():
    packed = base64.b64encode(struct.pack("<2f", 3.0, 4.0)).decode()
    answer = {
        "data": [{"index": 1, "embedding": [0.6, 0.8, 0.0]}, {"index": 0, "embedding": packed}],
        "model": "e",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    inference = read("/v1/embeddings", {"input": ["a", "b"]}, answer)
    assert table(inference.outputs) == {"embedding.norm": [5.0, 1.0], "embedding.dimension": [2, 3]}
    assert inference.rows == 2 and inference.model.name == "e"
    assert generation(inference).input_tokens == 5


def test_moderations_and_pictures_are_counted_and_not_read():
    inference = read("/v1/moderations", {"model": "m"}, {"results": [], "usage": {"prompt_tokens": 3}})
    assert inference.generation is None and inference.operation is Operation.OTHER
