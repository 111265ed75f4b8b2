import pytest

from sidecar.inference import Undecoded
from tests.decoders.reading import GENERIC, read, table

ONE, TWO = {"age": 31}, [{"age": 31}, {"age": 45}]


@pytest.mark.parametrize(
    ("body", "answer", "outputs"),
    [
        (ONE, 0.5, {"prediction": [0.5]}),
        (ONE, [0.5], {"prediction": [0.5]}),
        (ONE, [0.1, 0.9], {"prediction[0]": [0.1], "prediction[1]": [0.9]}),
        (ONE, {"prediction": "hi", "probability": 0.9}, {"prediction": ["hi"], "probability": [0.9]}),
        (
            ONE,
            {"label": 1, "probabilities": [0.1, 0.9]},
            {"label": [1], "probabilities[0]": [0.1], "probabilities[1]": [0.9]},
        ),
        (ONE, {"result": {"label": "a", "p": 0.5}}, {"label": ["a"], "p": [0.5]}),
        (ONE, {"churn": 0.83}, {"churn": [0.83]}),
        (ONE, {"status": "ok", "data": {"score": 0.5}}, {"score": [0.5]}),
        (TWO, [0.5, 0.7], {"prediction": [0.5, 0.7]}),
        (TWO, [[0.1, 0.9], [0.2, 0.8]], {"prediction[0]": [0.1, 0.2], "prediction[1]": [0.9, 0.8]}),
        (
            TWO,
            {"predictions": [0, 1], "scores": [0.5, 0.7], "label": "both"},
            {"prediction": [0, 1], "scores": [0.5, 0.7]},
        ),
        (TWO, [{"label": "lo"}, {"label": "hi"}], {"label": ["lo", "hi"]}),
        (TWO, {"results": [{"y": 1}, {"y": None}]}, {"y": [1, None]}),
    ],
    ids=str,
)
def test_predictions_are_found_by_what_they_are_called(body, answer, outputs):
    inference = read(GENERIC, body, answer)
    assert table(inference.outputs) == outputs
    assert inference.undecoded is None


def test_the_answer_may_name_model_and_version():
    inference = read(GENERIC, ONE, {"prediction": 1, "model_name": "churn", "model_version": 3})
    assert (inference.model.name, inference.model.version) == ("churn", "3")


def test_an_answer_without_anything_like_a_prediction_is_a_matter_of_shape():
    inference = read(GENERIC, ONE, {"status": "ok", "took": 3})
    assert inference.undecoded is Undecoded.SHAPE and inference.features


@pytest.mark.parametrize("answer", [{"predictions": []}, []])
def test_an_empty_list_of_predictions_has_no_rows(answer):
    assert read(GENERIC, ONE, answer).undecoded is Undecoded.NO_ROWS


def test_an_error_object_is_an_error_but_a_number_called_error_is_not():
    assert read(GENERIC, ONE, {"error": "model not loaded"}).error == "error"
    inference = read(GENERIC, ONE, {"error": 0.25})
    assert inference.error == "" and table(inference.outputs) == {"error": [0.25]}


def test_a_text_answer_is_not_json():
    assert read(GENERIC, ONE, b"Thank you").undecoded is Undecoded.NOT_JSON
    plain = {"content-type": "text/plain"}
    assert read(GENERIC, ONE, b"OK", response_headers=plain).undecoded is Undecoded.NOT_JSON


def test_a_word_from_bentoml_is_its_prediction():
    bentoml = {"content-type": "text/plain; charset=utf-8", "x-bentoml-request-id": "1"}
    inference = read(GENERIC, ONE, b"spam", response_headers=bentoml)
    assert table(inference.outputs) == {"prediction": ["spam"]} and inference.undecoded is None
    assert table(read(GENERIC, ONE, b"0.5", response_headers=bentoml).outputs) == {"prediction": [0.5]}
    long = read(GENERIC, ONE, b"once upon a time " * 20, response_headers=bentoml)
    assert long.undecoded is Undecoded.NOT_JSON
