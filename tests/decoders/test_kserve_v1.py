import base64

import pytest

from sidecar import decoders
from sidecar.inference import MISSING, Operation, Undecoded
from tests.decoders.reading import V1, read, refused, table

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("target", "name", "version", "operation"),
    [
        ("/v1/models/m:predict", "m", "", "predict"),
        ("/v1/models/m%3Apredict", "m", "", "predict"),
        ("/V1/Models/m:Predict", "m", "", "predict"),
        ("/v1/models/m/versions/3:predict", "m", "3", "predict"),
        ("/v1/models/m/labels/canary:predict", "m", "canary", "predict"),
        ("/v1/models/m:explain", "m", "", "explain"),
        ("/v1/models/m:classify", "m", "", "predict"),
        ("/prefix/v1/models/m:regress?x=1", "m", "", "predict"),
    ],
)
def test_the_path_says_model_version_and_operation(target, name, version, operation):
    claim = decoders.claim("POST", target, JSON)
    assert (claim.protocol, claim.model.name, claim.model.version) == ("v1", name, version)
    assert claim.operation is Operation(operation)


@pytest.mark.parametrize("target", ["/v1/models", "/v1/models/m", "/v1/models/m/versions/3/metadata"])
def test_listing_and_metadata_are_not_inference(target):
    assert decoders.claim("GET", target, JSON) is None
    assert decoders.other_kind("GET", target) == "metadata"


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_rows_may_be_lists_objects_or_scalars(key):
    assert table(refused(V1, {key: [[1, 2], [3, 4]]}).features) == {"input[0]": [1, 3], "input[1]": [2, 4]}
    assert table(refused(V1, {key: [{"a": 1}, {"a": None, "b": 2}]}).features) == {
        "a": [1, None],
        "b": [MISSING, 2],
    }
    assert table(refused(V1, {key: [5, "x", None]}).features) == {"input[0]": [5, "x", None]}


def test_inputs_that_are_an_object_are_columns():
    inference = read(V1, {"inputs": {"a": [1, 2], "b": [[3, 4], [5, 6]]}}, {"outputs": {"p": [0.1, 0.2]}})
    assert table(inference.features) == {"a": [1, 2], "b[0]": [3, 5], "b[1]": [4, 6]}
    assert table(inference.outputs) == {"p": [0.1, 0.2]}


def test_bytes_in_b64_are_never_text_nor_taken_for_a_wrapping():
    # An object is no number and no level to any monitor.
    assert table(refused(V1, {"instances": [{"image": {"b64": "AAEC"}}]}).features) == {
        "image": [{"b64": "AAEC"}]
    }
    inference = read(V1, {"instances": [{"b64": "AAEC"}] * 2}, {"predictions": [{"b64": "AAEC"}] * 2})
    assert (inference.rows, inference.features, inference.outputs) == (2, [], [])
    assert inference.undecoded is None


def test_a_structured_cloudevent_brings_an_id_and_perhaps_its_data_in_base64():
    event = {"content-type": "application/cloudevents+json; charset=utf-8"}
    inference = refused(V1, {"id": "e-1", "data": {"instances": [[1]]}}, request_headers=event)
    assert (inference.request_id, table(inference.features)) == ("e-1", {"input[0]": [1]})
    packed = base64.b64encode(b'{"instances": [[2]]}').decode()
    inference = read(V1, {"id": 7, "data_base64": packed}, {"predictions": [1]}, request_headers=event)
    assert (inference.request_id, table(inference.features)) == ("7", {"input[0]": [2]})
    broken = {"id": "e", "data_base64": "x"}
    assert read(V1, broken, {"predictions": [1]}, request_headers=event).undecoded is Undecoded.NOT_JSON


def test_images_as_nested_lists_are_rows_that_are_summarised():
    inference = refused(V1, {"instances": [[[0, 1], [1, 0]]] * 3})
    assert inference.rows == 3
    assert table(inference.features)["input.mean"] == [0.5, 0.5, 0.5]
    assert len(inference.features) == 4


@pytest.mark.parametrize(
    ("predictions", "outputs"),
    [
        ([0, 1], {"prediction": [0, 1]}),
        (["a", "b"], {"prediction": ["a", "b"]}),
        ([[0.9], [0.1]], {"prediction": [0.9, 0.1]}),
        ([[0.9, 0.1], [0.2, 0.8]], {"prediction[0]": [0.9, 0.2], "prediction[1]": [0.1, 0.8]}),
        ([{"label": "a", "p": 0.9}, {"label": "b", "p": 0.8}], {"label": ["a", "b"], "p": [0.9, 0.8]}),
        ({"label": "a"}, {"label": ["a"]}),
        (0.5, {"prediction": [0.5]}),
        ([None, 1.5], {"prediction": [None, 1.5]}),
    ],
)
def test_predictions_may_be_scalars_lists_or_objects(predictions, outputs):
    inference = read(V1, {"instances": [[1], [2]]}, {"predictions": predictions})
    assert table(inference.outputs) == outputs
    assert inference.undecoded is None


def test_regress_and_its_examples_are_read():
    request = {"context": {"c": 1}, "examples": [{"a": 1}, {"a": 2, "c": 9}]}
    inference = read("/v1/models/m:regress", request, {"results": [0.5, 1.5]})
    assert table(inference.features) == {"c": [1, 9], "a": [1, 2]}
    assert table(inference.outputs) == {"prediction": [0.5, 1.5]}


def test_an_empty_label_of_classify_is_its_position():
    answer = {"result": [[["", 0.1], ["", 0.9]]]}
    assert table(read("/v1/models/m:classify", {"examples": [{"a": 1}]}, answer).outputs) == {
        "label": ["1"],
        "score": [0.9],
    }


def test_an_explanation_has_features_and_no_outputs():
    inference = read("/v1/models/m:explain", {"instances": [[1]]}, {"data": {"anchor": ["x > 1"]}})
    assert inference.operation is Operation.EXPLAIN
    assert table(inference.features) == {"input[0]": [1]}
    assert inference.outputs == [] and inference.undecoded is None


def test_an_error_object_in_a_200_is_an_error():
    assert read(V1, {"instances": [1]}, {"error": {"type": "overloaded"}}).error == "overloaded"
    assert read(V1, {"instances": [1]}, {"predictions": [1], "error": "ignored"}).error == ""


@pytest.mark.parametrize(
    ("request_", "answer", "reason"),
    [
        ({"instances": []}, {"predictions": [1]}, Undecoded.NO_ROWS),
        ({"instances": [[1], {"a": 1}]}, {"predictions": [1]}, Undecoded.SHAPE),
        ({"other": 1}, {"predictions": [1]}, Undecoded.SHAPE),
        ({"instances": [1]}, {"something": 1}, Undecoded.SHAPE),
        ({"instances": [1]}, b"", Undecoded.EMPTY_BODY),
        ({"instances": [1]}, {"predictions": []}, Undecoded.NO_ROWS),
        ({"instances": [{"a": 1}, {"a": [2]}], "x": {}}, {"predictions": [{"a": 1}, 2]}, Undecoded.SHAPE),
        ({"examples": [1]}, {"results": [1]}, Undecoded.SHAPE),
    ],
)
def test_what_cannot_be_read_of_a_success_has_a_reason(request_, answer, reason):
    assert read(V1, request_, answer).undecoded is reason
