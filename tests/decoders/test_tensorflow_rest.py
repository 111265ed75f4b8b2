import pytest

from sidecar.decoders import columns, tensorflow_rest
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded
from tests.decoders.reading import V1, read, refused, table

CLASSIFY = "/v1/models/m:classify"


def test_the_column_form_has_a_tensor_per_input_and_per_output():
    request = {"signature_name": "s", "inputs": {"age": [31, 45], "x": [[1, 2], [3, 4]]}}
    inference = read(V1, request, {"outputs": {"score": [0.5, 0.7], "label": [["a"], ["b"]]}})
    assert table(inference.features) == {"age": [31, 45], "x[0]": [1, 3], "x[1]": [2, 4]}
    assert table(inference.outputs) == {"score": [0.5, 0.7], "label": ["a", "b"]}
    assert inference.undecoded is None


def test_an_input_of_another_batch_size_has_no_column_and_costs_none():
    inference = refused(V1, {"inputs": {"x": [1, 2, 3], "threshold": 0.5, "vocabulary": ["a", "b"]}})
    assert (inference.rows, table(inference.features)) == (3, {"x": [1, 2, 3]})


def test_inputs_without_a_batch_are_one_row():
    assert table(refused(V1, {"inputs": {"age": 31, "city": "Bern"}}).features) == {
        "age": [31],
        "city": ["Bern"],
    }


def test_bytes_are_no_feature_and_no_output():
    picture = {"b64": "AAEC"}
    inference = read(
        V1,
        {"inputs": {"image": [picture, picture], "age": [1, 2]}},
        {"outputs": {"image_bytes": [picture, picture], "score": [0.5, 0.7]}},
    )
    assert table(inference.features) == {"image": [picture, picture], "age": [1, 2]}
    assert table(inference.outputs) == {"score": [0.5, 0.7]}


def test_an_object_where_a_tensor_should_be_is_not_taken_apart():
    raw = {"dims": ["1", "2"], "dataType": 1, "rawData": "AACAPwAAAEA="}
    assert table(refused(V1, {"inputs": {"x": raw}}).features) == {"x": [raw]}


def test_the_context_joins_every_example_and_the_example_wins():
    document = {"context": {"user": "u", "age": 1}, "examples": [{"age": 31}, {"city": "Zug"}]}
    assert tensorflow_rest.joined(document) == [
        {"user": "u", "age": 31},
        {"user": "u", "age": 1, "city": "Zug"},
    ]


@pytest.mark.parametrize("key", ["result", "results"])
def test_classify_has_the_best_label_and_regress_a_number_under_either_key(key):
    request = {"examples": [{"a": 1}, {"a": 2}]}
    pairs = [[["x", 0.1], ["y", 0.9]], [["", 0.6], ["y", 0.4]]]
    assert table(read(CLASSIFY, request, {key: pairs}).outputs) == {"label": ["y", "0"], "score": [0.9, 0.6]}
    regressed = read("/v1/models/m:regress", request, {key: [1.5, 2.5]})
    assert table(regressed.outputs) == {"prediction": [1.5, 2.5]}


def test_a_few_bytes_of_context_never_become_a_matrix_of_millions():
    document = {"examples": [{}] * 90_000, "context": {str(i): 1 for i in range(900)}}
    with pytest.raises(Undecodable) as raised:
        tensorflow_rest.joined(document)
    assert raised.value.reason is Undecoded.TOO_WIDE
    with pytest.raises(Undecodable) as raised:
        tensorflow_rest.of_inputs({str(i): [1] for i in range(columns.MAX_COLUMNS + 1)})
    assert raised.value.reason is Undecoded.TOO_WIDE


@pytest.mark.parametrize("inputs", [{}, {"a": []}, {"a": [], "b": []}])
def test_inputs_without_rows_have_a_reason(inputs):
    assert read(V1, {"inputs": inputs}, {"outputs": [1]}).undecoded is Undecoded.NO_ROWS
