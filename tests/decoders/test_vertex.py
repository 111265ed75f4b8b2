import pytest

from sidecar import decoders
from sidecar.inference import Operation, Undecoded
from tests.decoders.reading import read, refused, table

VERTEX = "/v1/projects/p/locations/europe-west4/endpoints/77:predict"


@pytest.mark.parametrize(
    ("verb", "operation"), [("predict", "predict"), ("rawPredict", "predict"), ("explain", "explain")]
)
def test_an_endpoint_is_claimed_by_its_verb(verb, operation):
    claim = decoders.claim("POST", VERTEX.replace("predict", verb), {"content-type": "application/json"})
    assert (claim.protocol, claim.model.name, claim.operation) == ("vertex", "", Operation(operation))
    assert decoders.claim("GET", VERTEX, {}) is None


@pytest.mark.parametrize(
    ("said", "name", "version"),
    [
        ({"modelDisplayName": "churn", "modelVersionId": "3", "deployedModelId": "9"}, "churn", "3"),
        ({"model": "projects/p/locations/l/models/123@4", "modelVersionId": 4}, "123", "4"),
        ({"deployedModelId": "9"}, "9", ""),
        ({}, "", ""),
    ],
)
def test_the_answer_says_which_of_the_deployed_models_it_was(said, name, version):
    request = {"instances": [[1, 2], [3, 4]], "parameters": {"k": 2}}
    inference = read(VERTEX, request, {"predictions": [1, 0], **said})
    assert (inference.model.name, inference.model.version) == (name, version)
    assert table(inference.features) == {"input[0]": [1, 3], "input[1]": [2, 4]}
    assert table(inference.outputs) == {"prediction": [1, 0]}


def test_a_raw_prediction_is_read_by_habit():
    target = VERTEX.replace("predict", "rawPredict")
    deployed = {"x-vertex-ai-deployed-model-id": "9"}
    inference = read(target, {"age": 31}, {"score": 0.5}, response_headers=deployed)
    assert (inference.protocol, inference.model.name) == ("vertex", "9")
    assert (table(inference.features), table(inference.outputs)) == ({"age": [31]}, {"score": [0.5]})


def test_an_error_object_is_an_error_by_its_code():
    error = {"error": {"code": 400, "message": "age 31", "status": "INVALID_ARGUMENT"}}
    assert read(VERTEX, {"instances": [1]}, error).error == "400"


def test_an_explanation_has_features_and_no_outputs():
    inference = read(VERTEX.replace("predict", "explain"), {"instances": [[1]]}, {"explanations": [{}]})
    assert (table(inference.features), inference.outputs) == ({"input[0]": [1]}, [])


def test_what_is_not_read_has_a_reason():
    png = {"content-type": "image/png"}
    assert read(VERTEX, b"\x89PNG", {"predictions": [1]}, request_headers=png).undecoded is (
        Undecoded.CONTENT_TYPE
    )
    assert read(VERTEX, {"instances": []}, {"predictions": [1]}).undecoded is Undecoded.NO_ROWS


def test_a_container_on_a_path_of_its_own_is_read_as_json_with_instances():
    inference = refused("/predict", {"instances": [[1, 2]], "parameters": {"k": 2}})
    assert (inference.protocol, table(inference.features)) == ("json", {"input[0]": [1], "input[1]": [2]})
    assert "it has instances" in inference.evidence
