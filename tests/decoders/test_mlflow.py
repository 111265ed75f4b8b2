import pytest

from sidecar import decoders
from sidecar.inference import MISSING, Operation, Undecoded
from tests.decoders.reading import INVOCATIONS, read, refused, table, tensor

CSV = {"content-type": "text/csv; charset=utf-8"}


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("/invocations", ""),
        ("/serving-endpoints/churn/invocations", "churn"),
    ],
)
def test_invocations_are_claimed_wherever_they_are(target, model):
    claim = decoders.claim("POST", target, {"content-type": "application/json"})
    assert (claim.protocol, claim.model.name) == ("mlflow", model)
    assert decoders.claim("GET", target, {}) is None


@pytest.mark.parametrize(
    ("body", "features"),
    [
        (
            {"dataframe_split": {"columns": ["a", "b"], "index": [9], "data": [[1, "x"]]}},
            {"a": [1], "b": ["x"]},
        ),
        ({"dataframe_split": {"data": [[1, 2]]}}, {"input[0]": [1], "input[1]": [2]}),
        ({"dataframe_records": [{"a": 1}, {"b": None}]}, {"a": [1, MISSING], "b": [MISSING, None]}),
        ({"instances": [{"a": 1}], "params": {"t": 1}}, {"a": [1]}),
        ({"inputs": {"a": [1, 2], "b": ["x", "y"]}}, {"a": [1, 2], "b": ["x", "y"]}),
        ({"inputs": [[1, 2]]}, {"input[0]": [1], "input[1]": [2]}),
    ],
)
def test_every_form_of_a_scoring_request_is_read(body, features):
    inference = read(INVOCATIONS, body, {"predictions": [0.5] * len(next(iter(features.values())))})
    assert table(inference.features) == features
    assert inference.protocol == "mlflow" and inference.undecoded is None


def test_open_inference_under_invocations_belongs_to_open_inference():
    request = {"id": "7", "inputs": [tensor("x", [1, 2], [1, 2])]}
    answer = {"model_name": "m", "model_version": "2", "outputs": [tensor("p", [1], [0.5])]}
    inference = read(INVOCATIONS, request, answer)
    assert (inference.protocol, inference.model.name, inference.request_id) == ("v2", "m", "7")
    assert table(inference.features) == {"x[0]": [1], "x[1]": [2]}
    assert table(inference.outputs) == {"p": [0.5]}


@pytest.mark.parametrize(
    ("body", "protocol", "operation"),
    [
        ({"messages": [], "model": "m"}, "openai", Operation.CHAT),
        ({"prompt": "x", "model": "m"}, "openai", Operation.GENERATE),
        ({"inputs": "once upon a time", "model": "m"}, "tgi", Operation.GENERATE),
    ],
)
def test_generative_bodies_under_invocations_are_generative(body, protocol, operation):
    inference = read(INVOCATIONS, body, {"choices": []})
    assert (inference.protocol, inference.operation, inference.model.name) == (protocol, operation, "m")
    assert inference.undecoded is None and inference.features == []


def test_csv_with_a_header_has_names_and_its_predictions_are_json():
    inference = read(
        INVOCATIONS,
        b'age,city\r\n31,"Bern, BE"\r\n,"a ""b"""\r\n',
        {"predictions": [1, 0]},
        request_headers=CSV,
    )
    assert table(inference.features) == {"age": [31, None], "city": ["Bern, BE", 'a "b"']}
    assert table(inference.outputs) == {"prediction": [1, 0]}


def test_json_lines_are_instances():
    lines = {"content-type": "application/jsonlines"}
    inference = refused(INVOCATIONS, b'{"features": [1, 2]}\n{"features": [3, 4]}\n', request_headers=lines)
    assert table(inference.features) == {"features[0]": [1, 3], "features[1]": [2, 4]}


def test_a_model_named_by_the_answers_header_is_taken():
    inference = read(
        INVOCATIONS, {"inputs": [1]}, {"predictions": [1]}, response_headers={"served-model-name": "churn-3"}
    )
    assert inference.model.name == "churn-3"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, Undecoded.SHAPE),
        ({"dataframe_split": []}, Undecoded.SHAPE),
        ({"dataframe_records": []}, Undecoded.NO_ROWS),
        ({"inputs": {"a": [1], "b": [1, 2]}}, Undecoded.SHAPE),
        ({"surprise": 1}, Undecoded.SHAPE),
        ("text", Undecoded.SHAPE),
    ],
)
def test_other_bodies_that_succeed_have_a_reason(body, reason):
    assert read(INVOCATIONS, body, {"predictions": [1]}).undecoded is reason


def test_parquet_is_a_content_type_we_do_not_read():
    parquet = {"content-type": "application/vnd.apache.parquet"}
    assert read(INVOCATIONS, b"PAR1", {"predictions": [1]}, request_headers=parquet).undecoded is (
        Undecoded.CONTENT_TYPE
    )
