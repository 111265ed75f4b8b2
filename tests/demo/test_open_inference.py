import pytest

from sidecar.demo.open_inference import BadRequest, answer_of, metadata_of, request_of, rows_of


def test_rows_come_back_as_they_were_sent_with_their_nulls():
    rows = [{"a": 1.5, "b": None}, {"a": 2.5, "b": 3.0}]

    assert rows_of(request_of(rows)) == rows


def test_each_feature_is_a_tensor_with_one_value_a_row():
    message = request_of([{"a": 1.0}, {"a": 2.0}])

    assert message["inputs"] == [{"name": "a", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]}]


def test_the_answer_has_a_label_and_a_score_a_row_and_the_id_of_the_request():
    answer = answer_of([("sky", 0.75)], "r1")

    assert answer["id"] == "r1"
    assert [output["data"] for output in answer["outputs"]] == [["sky"], [0.75]]
    assert "id" not in answer_of([("sky", 0.75)])


def test_the_metadata_names_every_input():
    assert [tensor["name"] for tensor in metadata_of(["a", "b"])["inputs"]] == ["a", "b"]


@pytest.mark.parametrize(
    "message",
    [
        None, [], 3, "inputs", {}, {"inputs": None}, {"inputs": []}, {"inputs": [{}]}, {"inputs": ["a"]},
        {"inputs": [{"name": "a", "data": 3}]},
        {"inputs": [{"name": "a", "data": []}]},
        {"inputs": [{"name": "a", "data": ["x"]}]},
        {"inputs": [{"name": "a", "data": [[1.0]]}]},
        {"inputs": [{"name": "a", "data": [1]}, {"name": "b", "data": [1, 2]}]},
    ],
)  # fmt: skip
def test_a_message_that_is_no_request_is_refused(message):
    with pytest.raises(BadRequest):
        rows_of(message)
