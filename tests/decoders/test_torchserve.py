import pytest

from sidecar import decoders
from sidecar.inference import Operation, Undecoded
from tests.decoders.reading import read, refused, table

TORCHSERVE = "/predictions/cats/2.0"
UNSTATED: dict[str, str] = {"x-request-id": "r"}


def test_the_path_names_model_version_and_operation():
    for method in ("POST", "PUT"):
        claim = decoders.claim(method, TORCHSERVE, {})
        assert (claim.protocol, claim.model.name, claim.model.version) == ("torchserve", "cats", "2.0")
    assert decoders.claim("POST", "/explanations/sum", {}).operation is Operation.EXPLAIN
    assert decoders.claim("GET", TORCHSERVE, {}) is None


def test_json_is_read_by_habit():
    assert table(refused(TORCHSERVE, {"age": 31}).features) == {"age": [31]}
    assert table(refused(TORCHSERVE, [[1, 2], [3, 4]]).features) == {"input[0]": [1, 3], "input[1]": [2, 4]}


def test_whatever_else_is_posted_is_one_row_of_so_many_bytes():
    for content_type in ("image/jpeg", "application/octet-stream"):
        inference = read(
            TORCHSERVE, b"\xff\xd8\xff", {"tabby": 0.6}, request_headers={"content-type": content_type}
        )
        assert (inference.rows, table(inference.features)) == (1, {"input.size": [3]})
        assert inference.undecoded is None
    untyped = refused(TORCHSERVE, b"\xff\xd8\xff", request_headers=UNSTATED)
    assert table(untyped.features) == {"input.size": [3]}
    text = refused(TORCHSERVE, b"so good", request_headers={"content-type": "text/plain"})
    assert table(text.features) == {"input[0]": ["so good"]}


def test_files_of_a_form_are_worth_their_size_and_json_in_them_is_read():
    headers = {"content-type": "multipart/form-data; boundary=x"}
    part = (
        b'--x\r\nContent-Disposition: form-data; name="data"; filename="f"\r\nContent-Type: %s\r\n\r\n%s\r\n'
    )
    image = refused(TORCHSERVE, part % (b"image/png", b"\x89PNG") + b"--x--\r\n", request_headers=headers)
    assert table(image.features) == {"data.size": [4]}
    rows = part % (b"application/json", b"[[1, 2], [3, 4]]") + b"--x--\r\n"
    assert table(refused(TORCHSERVE, rows, request_headers=headers).features) == {
        "data[0]": [1, 3],
        "data[1]": [2, 4],
    }


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        (b"[\n  8.6\n]", {"prediction": [8.6]}),
        (b"8.6", {"prediction": [8.6]}),
        (b"tabby cat", {"prediction": ["tabby cat"]}),
        (b'"tabby cat"', {"prediction": ["tabby cat"]}),
        (b'{\n  "tabby": 0.61,\n  "tiger cat": 0.3\n}', {"label": ["tabby"], "score": [0.61]}),
        (b'{"churn": 0.3, "stay": 0.7, "label": 1}', {"label": [1]}),
        (b'{"prediction": "no", "probability": 0.2}', {"prediction": ["no"], "probability": [0.2]}),
    ],
)
def test_an_answer_may_be_json_a_label_or_scores_by_label(answer, outputs):
    inference = read(TORCHSERVE, {"age": 31}, answer, response_headers=UNSTATED)
    assert table(inference.outputs) == outputs and inference.undecoded is None


def test_an_error_in_a_200_is_an_error_by_its_type():
    error = {"code": 503, "type": "InternalServerException", "message": "Prediction failed: age 31"}
    inference = read(TORCHSERVE, {"age": 31}, error)
    assert (inference.error, inference.outputs) == ("InternalServerException", [])


def test_an_explanation_has_features_and_no_outputs():
    inference = read("/explanations/sum", {"age": 31}, {"age": 0.5, "city": 0.1})
    assert (table(inference.features), inference.outputs) == ({"age": [31]}, [])
    assert inference.undecoded is None


@pytest.mark.parametrize(
    ("request_", "answer", "reason"),
    [
        (b"", b"1", Undecoded.EMPTY_BODY),
        ({"age": 1}, b"", Undecoded.EMPTY_BODY),
        ({"age": 1}, {"low": 0.3, "high": 0.6}, Undecoded.SHAPE),
        ({"age": 1}, {"high": 0.9, "low": 0.6}, Undecoded.SHAPE),
        ({"age": 1}, b"once upon a time " * 20, Undecoded.NOT_JSON),
        ({"age": 1}, b"\xff\xd8\xff", Undecoded.NOT_JSON),
        (b"{bad", b"1", Undecoded.NOT_JSON),
    ],
)
def test_what_cannot_be_read_of_a_success_has_a_reason(request_, answer, reason):
    assert read(TORCHSERVE, request_, answer).undecoded is reason
