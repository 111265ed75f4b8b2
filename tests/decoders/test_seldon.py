import pytest

from sidecar import decoders
from sidecar.inference import Operation, Undecoded
from tests.decoders.reading import decode, posted, read, refused, table
from tests.fakes import exchange

SELDON = "/api/v1.0/predictions"
IRIS = {"data": {"names": ["a", "b"], "ndarray": [[1, 2], [3, 4]]}}
CLASSES = {"data": {"names": ["no", "yes"], "ndarray": [[0.9, 0.1], [0.2, 0.8]]}, "meta": {"puid": "p-1"}}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("target", "model", "operation"),
    [
        ("/api/v1.0/predictions", "", "predict"),
        ("/api/v0.1/predictions", "", "predict"),
        ("/seldon/ns/churn/api/v1.0/predictions", "churn", "predict"),
        ("/gateway/seldon/ns/churn/api/v1.0/predictions?x=1", "churn", "predict"),
        ("/api/v1.0/explanations", "", "explain"),
        ("/transform-input", "", "other"),
        ("/transform-output", "", "other"),
        ("/aggregate", "", "other"),
    ],
)
def test_the_path_says_deployment_and_operation(target, model, operation):
    claim = decoders.claim("POST", target, {"content-type": "application/json"})
    assert (claim.protocol, claim.model.name, claim.operation) == ("seldon", model, Operation(operation))


@pytest.mark.parametrize("target", ["/api/v1.0/feedback", "/seldon/ns/churn/api/v1.0/feedback"])
def test_feedback_is_no_inference(target):
    assert decoders.claim("POST", target, {"content-type": "application/json"}) is None
    assert decoders.other_kind("POST", target) == "admin"


def test_names_of_the_answer_are_the_classes_and_the_puid_is_the_id():
    inference = read(SELDON, IRIS, CLASSES)
    assert table(inference.features) == {"a": [1, 3], "b": [2, 4]}
    assert table(inference.outputs) == {"no": [0.9, 0.2], "yes": [0.1, 0.8]}
    assert inference.request_id == "p-1" and inference.undecoded is None
    asked = read(SELDON, {**IRIS, "meta": {"puid": "mine"}}, CLASSES)
    assert asked.request_id == "mine"
    said = read(SELDON, IRIS, {"data": {"ndarray": [[1]]}}, response_headers={"seldon-puid": "h"})
    assert said.request_id == "h"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, b"json=%7B%22data%22%3A%7B%22names%22%3A%5B%22a%22%5D%2C%22ndarray%22%3A%5B%5B1%5D%5D%7D%7D"),
        ({"content-type": "application/json"}, b'{"data":{"names":["a"],"ndarray":[[1]]}}'),
        (FORM, b'{"data":{"names":["a"],"ndarray":[[1]]}}'),
        (
            {"content-type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n'
            b'{"names":["a"],"ndarray":[[1]]}\r\n--x--\r\n',
        ),
    ],
    ids=["form", "json", "json called a form", "multipart"],
)
@pytest.mark.parametrize("target", [SELDON, "/predict"])
def test_a_message_is_read_wherever_it_is(target, headers, body):
    inference = read(target, body, {"data": {"ndarray": [[0.5]]}}, request_headers=headers)
    assert inference.protocol == "seldon" and inference.undecoded is None
    assert table(inference.features) == {"a": [1]}
    assert table(inference.outputs) == {"prediction": [0.5]}


@pytest.mark.parametrize("path", [SELDON, "/predict"])
def test_a_message_may_be_the_query_of_a_get(path):
    query = "json=%7B%22data%22%3A%7B%22ndarray%22%3A%5B%5B1%2C2%5D%5D%7D%7D"
    inference = decode(
        exchange(answer=b'{"data":{"ndarray":[[0.5]]}}', method="GET", target=f"{path}?{query}")
    )
    assert (inference.protocol, table(inference.features)) == ("seldon", {"input[0]": [1], "input[1]": [2]})
    assert decoders.claim("GET", path, {}) is None


@pytest.mark.parametrize(
    ("message", "features"),
    [
        ({"jsonData": {"age": 31}}, {"age": [31]}),
        ({"jsonData": [[1, 2]]}, {"input[0]": [1], "input[1]": [2]}),
        ({"strData": "hello"}, {"strData": ["hello"]}),
        ({"binData": "AAEC"}, {}),
        ({"customData": {"@type": "x"}}, {}),
    ],
)
@pytest.mark.parametrize("target", [SELDON, "/predict", "/anything"])
def test_other_kinds_of_data_are_read_too(target, message, features):
    inference = read(target, message, {"strData": "yes"})
    assert (inference.protocol, inference.rows, table(inference.features)) == ("seldon", 1, features)
    assert table(inference.outputs) == {"prediction": ["yes"]}
    assert inference.undecoded is None


def test_an_answer_in_json_data_is_read_by_habit():
    inference = read(SELDON, IRIS, {"jsonData": {"predictions": [1, 0]}})
    assert table(inference.outputs) == {"prediction": [1, 0]}


@pytest.mark.parametrize("status", [1, "1", "FAILURE"])
def test_a_status_that_failed_is_an_error_without_its_info(status):
    answer = {"status": {"status": status, "info": "age 31", "code": -1, "reason": "MICROSERVICE_BAD_DATA"}}
    inference = read(SELDON, IRIS, answer)
    assert (inference.error, inference.outputs) == ("MICROSERVICE_BAD_DATA", [])
    assert inference.undecoded is None
    assert read(SELDON, IRIS, {"status": {"status": status, "reason": "é" * 99}}).error == "error"
    good = {**CLASSES, "status": {"status": "SUCCESS", "code": 200}}
    assert read(SELDON, IRIS, good).error == ""


def test_a_graph_of_one_names_its_model_and_its_image_the_version():
    path = {"requestPath": {"clf": "registry:5000/team/iris:0.1"}}
    inference = read(SELDON, IRIS, {**CLASSES, "meta": path})
    assert (inference.model.name, inference.model.version) == ("clf", "0.1")
    deployed = read("/seldon/ns/churn" + SELDON, IRIS, {**CLASSES, "meta": path})
    assert (deployed.model.name, deployed.model.version) == ("churn", "0.1")
    two = {"requestPath": {"clf": "iris:0.1", "scaler": "x:2"}}
    graph = read(SELDON, IRIS, {**CLASSES, "meta": two})
    assert (graph.model.name, graph.undecoded) == ("", None)
    untagged = read(SELDON, IRIS, {**CLASSES, "meta": {"requestPath": {"clf": "registry:5000/iris"}}})
    assert (untagged.model.name, untagged.model.version) == ("clf", "")


def test_a_step_of_a_graph_has_an_id_and_no_columns():
    inference = read("/transform-input", {**IRIS, "meta": {"puid": "p"}}, CLASSES)
    assert (inference.operation, inference.request_id) == (Operation.OTHER, "p")
    assert inference.features == inference.outputs == [] and inference.undecoded is None


@pytest.mark.parametrize(
    ("message", "answer", "reason"),
    [
        ({}, CLASSES, Undecoded.SHAPE),
        ([1], CLASSES, Undecoded.SHAPE),
        ({"data": []}, CLASSES, Undecoded.SHAPE),
        (b"not json", CLASSES, Undecoded.NOT_JSON),
        (IRIS, {"meta": {}}, Undecoded.SHAPE),
        (IRIS, [1], Undecoded.SHAPE),
    ],
)
def test_what_cannot_be_read_of_a_success_has_a_reason(message, answer, reason):
    assert read(SELDON, message, answer).undecoded is reason


def test_a_refused_message_has_its_features():
    assert table(refused(SELDON, IRIS).features) == {"a": [1, 3], "b": [2, 4]}


def test_data_of_somebody_else_is_not_taken_for_a_message():
    for body in ({"data": [[1, 2]]}, {"data": {"age": 1}}, {"data": {"tensor": 1}}, {"age": 1}):
        assert decode(posted("/predict", body)).protocol == "json"
