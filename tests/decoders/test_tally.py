"""What holds for every generative protocol, whatever comes."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar import decoders
from sidecar.decoders import columns
from sidecar.decoders.tally import STALL_SECONDS
from sidecar.exchange import BodyProblem, LeftOut, Outcome, StreamEvent
from sidecar.inference import End, Inference, Undecoded
from sidecar.slo import outcome_of
from tests.decoders.reading import decode, posted
from tests.decoders.streams import DONE, generation, streamed

PATHS = [
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/pooling", "/v1/messages",
    "/api/chat", "/api/generate", "/api/embed", "/generate", "/embed", "/rerank", "/v1/score",
    "/v1/images/generations", "/invocations",
]  # fmt: skip
WORDS = [
    "choices", "delta", "message", "content", "text", "tool_calls", "function_call", "index", "finish_reason",
    "usage", "prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens", "error", "type",
    "data", "embedding", "embeddings", "object", "response", "output", "status", "item", "content_block",
    "input_tokens", "output_tokens", "stop_reason", "done", "done_reason", "eval_count", "prompt_eval_count",
    "generated_text", "token", "special", "details", "prefill", "results", "relevance_score", "score",
    "messages", "prompt", "input", "inputs", "documents", "texts", "text_2", "id", "code", "model",
    "incomplete_details",
]  # fmt: skip
KINDS = [
    "stop", "length", "tool_calls", "error", "response", "message_start", "content_block_start",
    "content_block_delta", "message_delta", "message_stop", "response.completed", "response.failed",
    "response.output_text.delta", "response.output_item.added", "function_call", "tool_use", "[DONE]", "AAAA",
]  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers(-3, 5) | st.integers() | st.floats()
    | st.sampled_from(KINDS) | st.text(max_size=4)
)  # fmt: skip
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
        | st.fixed_dictionaries({"type": st.sampled_from(KINDS), "delta": inner, "response": inner})
    ),
    max_leaves=25,
)
bodies = documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=30)
events = st.builds(
    StreamEvent, st.floats(0, 100), bodies | st.just(DONE.encode()), st.sampled_from(["", "error", "ping"])
)
runs = st.builds(
    LeftOut, st.integers(0, 6), st.integers(0, 9), st.lists(st.floats(0, 100), max_size=9), st.booleans()
)


def check(inference: Inference) -> None:
    assert inference.undecoded is not Undecoded.INTERNAL
    assert 0 <= inference.rows <= columns.MAX_ROWS
    assert len({len(column.values) for column in inference.outputs}) <= 1
    if inference.generation is None:
        return
    said = inference.generation
    for count in (said.input_tokens, said.output_tokens, said.cached_tokens, said.stalls, said.empty):
        assert count is None or (type(count) is int and count >= 0)
    assert all(type(end) is End for end in said.ends)
    assert said.seconds_per_token is None or said.seconds_per_token >= 0
    assert (said.first_token is None) == (said.last_token is None)
    assert not (said.truncated and inference.error)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    target=st.sampled_from(PATHS),
    asked=bodies,
    answer=bodies,
    came=st.lists(events, max_size=6),
    run=runs,
    streamed=st.booleans(),
    outcome=st.sampled_from(Outcome),
    problem=st.none() | st.sampled_from(BodyProblem),
)
def test_whatever_comes_is_read_or_has_a_reason(target, asked, answer, came, run, streamed, outcome, problem):
    seen = posted(target, asked, answer, outcome=outcome, streamed=streamed, events=came, left_out=run)
    seen.response.problem = problem
    inference = decode(seen)
    check(inference)
    assert inference.undecoded is None or outcome is Outcome.OK
    assert outcome_of(seen, inference) in Outcome
    json.dumps(decoders.explain(seen), allow_nan=False)


def test_a_stream_that_was_not_observed_is_not_read():
    said = generation(decode(streamed(PATHS[0], (1, {"choices": []}), outcome=Outcome.UNOBSERVED)))
    assert said.ends == [] and not said.truncated


@pytest.mark.parametrize("problem", [BodyProblem.GAP, BodyProblem.UNKNOWN_ENCODING])
def test_a_stream_without_its_end_says_why_it_could_not_be_read(problem):
    seen = streamed(PATHS[0], left_out=LeftOut(to_the_end=False))
    seen.response.problem = problem
    assert decode(seen).undecoded in (Undecoded.BODY_GAP, Undecoded.BODY_ENCODING)


def test_usage_that_was_said_before_the_end_was_lost_is_kept():
    last = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}}
    inference = decode(streamed(PATHS[0], (1, last), left_out=LeftOut(1, 0, (), False)))
    assert generation(inference).output_tokens == 9 and inference.undecoded is None


def test_a_second_is_no_stall_yet():
    parts = [(n * STALL_SECONDS * 1000, {"choices": [{"delta": {"content": "x"}}]}) for n in range(4)]
    assert generation(decode(streamed(PATHS[0], *parts, (4_000, DONE)))).stalls == 0
