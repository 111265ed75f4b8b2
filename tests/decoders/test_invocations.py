import pytest

from sidecar.inference import Undecoded
from tests.decoders.reading import INVOCATIONS, read, refused, table

SAGEMAKER = {"content-type": "application/json", "x-amzn-sagemaker-inference-id": "i"}
CSV = {"content-type": "text/csv"}


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "mlflow"),
        ({"dataframe_records": [{"a": 1}]}, "mlflow"),
        ({"instances": [{"a": 1}]}, "mlflow"),
        ({"inputs": {"a": [1]}}, "mlflow"),
        ({"instances": [{"features": [1]}]}, "sagemaker"),
        ({"instances": [{"data": {"features": {"values": [1]}}, "configuration": {}}]}, "sagemaker"),
        ([[1]], "sagemaker"),
    ],
)
def test_the_body_says_whose_it_is(body, protocol):
    assert refused(INVOCATIONS, body).protocol == protocol


def test_mlflow_on_sagemaker_is_mlflow_and_anything_else_with_its_headers_is_sagemaker():
    frame = {"dataframe_records": [{"a": 1}]}
    assert refused(INVOCATIONS, frame, request_headers=SAGEMAKER).protocol == "mlflow"
    assert refused(INVOCATIONS, {"instances": [[1]]}, request_headers=SAGEMAKER).protocol == "sagemaker"


def test_records_with_a_feature_called_features_are_records():
    inference = refused(INVOCATIONS, {"instances": [{"features": [3], "age": 31}]})
    assert (inference.protocol, table(inference.features)) == ("mlflow", {"features": [[3]], "age": [31]})


def test_an_answer_without_a_content_type_is_read_by_what_it_is():
    untyped = {"x": "y"}
    inference = read(INVOCATIONS, [[5.1, 3.5], [6.2, 2.9]], b"[\n 8.6,\n 9.1\n]", response_headers=untyped)
    assert table(inference.outputs) == {"prediction": [8.6, 9.1]} and inference.undecoded is None


def test_a_text_that_is_no_table_is_not_json():
    html = {"content-type": "text/html"}
    inference = read(INVOCATIONS, [[1]], b"<html>fine</html>", response_headers=html)
    assert inference.undecoded is Undecoded.NOT_JSON


def test_a_bare_answer_is_only_read_as_csv_where_it_says_so():
    frame = {"dataframe_records": [{"a": 1}]}
    assert read(INVOCATIONS, frame, b"0.5\n0.7\n", response_headers={"content-type": "text/html"}).undecoded
    assert table(read(INVOCATIONS, frame, b"0.5\n", response_headers=CSV).outputs) == {"prediction": [0.5]}
