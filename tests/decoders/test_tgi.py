"""Text Generation Inference, and Text Embeddings Inference on its paths."""

import pytest

from sidecar.inference import End
from tests.decoders.reading import INVOCATIONS, decode, read, table
from tests.decoders.streams import AT, generated, generation, streamed

PATH = "/generate_stream"


def token(at: float, text: str = "x", special: bool = False, **more: object) -> tuple[float, dict]:
    return at, {"token": {"id": 1, "text": text, "special": special}, "generated_text": None,
                "details": None, **more}  # fmt: skip


def details(reason: str = "eos_token", **more: object) -> dict:
    return {"finish_reason": reason, "generated_tokens": 5, **more}


def test_the_last_event_has_the_text_and_what_it_took():
    last = token(60, "</s>", special=True, generated_text="xx", details=details(input_length=9))
    said = generated(PATH, token(20), token(40), last)
    assert (said.input_tokens, said.output_tokens, said.counted) == (9, 5, False)
    assert said.first_token == pytest.approx(AT + 0.020)
    assert said.last_token == pytest.approx(AT + 0.040)
    assert (said.ends, said.truncated) == ([End.STOP], False)


def test_without_details_the_tokens_are_counted():
    said = generated(PATH, token(20), token(40), token(60, generated_text="xxx"))
    assert (said.output_tokens, said.counted, said.ends) == (3, True, [End.STOP])


@pytest.mark.parametrize(
    ("reason", "end"), [("length", End.LENGTH), ("eos_token", End.STOP), ("stop_sequence", End.STOP)]
)
def test_reasons_are_of_a_closed_set(reason, end):
    assert generated(PATH, token(60, generated_text="x", details=details(reason))).ends == [end]


def test_a_stream_that_never_had_its_text_is_truncated_and_an_error_is_an_error():
    assert generated(PATH, token(20), token(40)).ends == [End.TRUNCATED]
    inference = decode(streamed(PATH, token(20), (30, {"error": "oops", "error_type": "generation"})))
    assert inference.error == "error" and generation(inference).ends == [End.ERROR]


def test_an_answer_in_one_piece_alone_or_in_a_list():
    answer = {"generated_text": "x", "details": details("length", prefill=[{}, {}, {}])}
    for whole in (answer, [answer]):
        said = generation(read("/generate", {"inputs": "x"}, whole))
        assert (said.input_tokens, said.output_tokens, said.ends) == (3, 5, [End.LENGTH])
        assert said.empty == 0
    assert generation(read("/generate", {"inputs": "x"}, {"generated_text": ""})).empty == 1


def test_a_body_of_its_kind_elsewhere_is_read_but_promises_no_end():
    said = generation(read(INVOCATIONS, {"inputs": "x"}, [{"generated_text": "x", "details": details()}]))
    assert said.output_tokens == 5
    said = generated(INVOCATIONS, token(20), token(40), asked={"inputs": "x"})
    assert (said.output_tokens, said.truncated, said.ends) == (2, False, [End.STOP])


def test_vectors_of_embedders_on_the_same_paths():
    inference = read("/embed", {"inputs": ["a", "b"]}, [[3.0, 4.0], [1.0, 0.0]])
    assert table(inference.outputs)["embedding.norm"] == [5.0, 1.0] and inference.rows == 2
    cohere = read("/v2/embed", {"texts": ["a"]}, {"embeddings": {"float": [[3.0, 4.0]]}})
    assert table(cohere.outputs)["embedding.dimension"] == [2]
