import pytest

from sidecar import decoders
from sidecar.exchange import StreamEvent
from sidecar.inference import End, Operation, Undecoded
from tests.decoders.reading import decode, posted, read

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("target", "protocol", "operation"),
    [
        ("/v1/chat/completions", "openai", Operation.CHAT),
        ("/openai/v1/chat/completions", "openai", Operation.CHAT),
        ("/v1/completions", "openai", Operation.GENERATE),
        ("/v1/embeddings", "openai", Operation.EMBED),
        ("/v1/responses", "openai", Operation.GENERATE),
        ("/v1/audio/transcriptions", "openai", Operation.OTHER),
        ("/v1/messages", "anthropic", Operation.CHAT),
        ("/api/chat", "ollama", Operation.CHAT),
        ("/api/generate", "ollama", Operation.GENERATE),
        ("/api/embeddings", "ollama", Operation.EMBED),
        ("/generate", "tgi", Operation.GENERATE),
        ("/generate_stream", "tgi", Operation.GENERATE),
        ("/embed", "tgi", Operation.EMBED),
        ("/rerank", "rerank", Operation.RERANK),
        ("/v2/rerank", "rerank", Operation.RERANK),
    ],
)
def test_the_path_says_protocol_and_operation(target, protocol, operation):
    claim = decoders.claim("POST", target, JSON)
    assert (claim.protocol, claim.operation) == (protocol, operation)
    assert decoders.claim("GET", target, JSON) is None


@pytest.mark.parametrize("target", ["/v1/messages/count_tokens", "/tokenize", "/api/pull", "/api/show"])
def test_their_housekeeping_is_not_inference(target):
    assert decoders.claim("POST", target, JSON) is None


def test_only_the_model_is_read_of_a_request():
    inference = read(
        "/v1/chat/completions", {"model": "tiny", "messages": [{"content": "secret"}]}, {"choices": []}
    )
    assert inference.model.name == "tiny"
    assert inference.features == [] and inference.outputs == [] and inference.undecoded is None
    assert "secret" not in str(inference)


def test_a_deployment_in_the_path_is_the_model():
    inference = read(
        "/openai/deployments/my-gpt/chat/completions?api-version=1", {"model": "other"}, {"choices": []}
    )
    assert inference.model.name == "my-gpt"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", [], {"model": None}])
def test_a_request_that_cannot_be_read_is_not_undecoded_since_its_answer_says_all(body):
    inference = read("/v1/chat/completions", body, {"choices": [], "usage": {"prompt_tokens": 7}})
    assert inference.undecoded is None and inference.model.name == ""
    assert inference.generation.input_tokens == 7


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"not json", Undecoded.NOT_JSON), (b"", Undecoded.EMPTY_BODY), ([], Undecoded.SHAPE)],
)
def test_an_answer_that_cannot_be_read_is_undecoded_since_its_tokens_are_not_counted(answer, reason):
    assert read("/v1/chat/completions", {"model": "m"}, answer).undecoded is reason


def test_an_error_object_in_a_200_is_an_error_of_its_kind():
    assert (
        read("/v1/chat/completions", {}, {"error": {"type": "overloaded_error"}}).error == "overloaded_error"
    )
    assert read("/v1/chat/completions", {}, {"error": None, "choices": []}).error == ""


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (StreamEvent(1, b'{"error": {"type": "server_error"}}'), "server_error"),
        (StreamEvent(1, b'{"error": "out of memory", "error_type": "generation"}'), "error"),
        (
            StreamEvent(1, b'{"type":"error","error":{"type":"overloaded_error"}}', "error"),
            "overloaded_error",
        ),
        (StreamEvent(1, b"oops", "error"), "error"),
        (StreamEvent(1, b'{"choices":[{"delta":{"content":"\\"error\\": {}"}}]}'), ""),
        (StreamEvent(1, b"[DONE]"), ""),
    ],
)
def test_an_error_among_the_events_of_a_stream_is_an_error(event, error):
    fine = StreamEvent(1, b'{"choices":[{"delta":{}}]}')
    seen = posted("/v1/chat/completions", {"model": "m"}, streamed=True, events=[fine, event])
    assert decode(seen).error == error


CONVERSATION = {"model": "m", "messages": [{"role": "user", "content": "secret"}]}


@pytest.mark.parametrize("target", ["/score", "/invocations", "/my/agent"])
def test_a_conversation_is_one_wherever_it_is_posted(target):
    answer = {
        "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3},
    }
    inference = read(target, CONVERSATION, answer)
    assert (inference.protocol, inference.operation) == ("openai", Operation.CHAT)
    assert (inference.features, inference.rows, inference.undecoded) == ([], 0, None)
    assert inference.generation.input_tokens == 3
    assert "secret" not in repr(inference)


def test_a_stream_on_a_path_of_its_own_ends_as_it_pleases():
    part = StreamEvent(1, b'{"choices":[{"delta":{"content":"x"}}]}')
    seen = posted("/my/agent", CONVERSATION, streamed=True, events=[part])
    assert decode(seen).generation.ends == [End.STOP]


@pytest.mark.parametrize("messages", [[], ["a"], [{"age": 1}], "text", [{"role": 1}]])
def test_a_feature_called_messages_is_no_conversation(messages):
    assert read("/score", {"messages": messages, "age": 41}, {"prediction": 1}).protocol == "json"


def test_the_compatible_route_of_tgi_is_told_by_its_answer():
    inference = read("/", {"inputs": "secret"}, [{"generated_text": "a b"}])
    assert (inference.protocol, inference.operation) == ("tgi", Operation.GENERATE)
    assert inference.features == [] and inference.generation.ends == [End.STOP]
    classified = read("/", {"inputs": "hi"}, [{"label": "POSITIVE", "score": 0.9}])
    assert (classified.protocol, classified.generation) == ("json", None)


def test_pairs_to_be_scored_are_told_by_the_body():
    asked = {"model": "m", "text_1": "q", "text_2": ["a", "b"]}
    answer = {"data": [{"index": 0, "score": 0.1}, {"index": 1, "score": 0.9}]}
    inference = read("/score", asked, answer)
    assert (inference.protocol, inference.operation) == ("rerank", Operation.RERANK)
    assert inference.outputs[0].values == [0.1, 0.9] and inference.rows == 2
