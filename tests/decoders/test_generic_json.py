import pytest

from sidecar import decoders
from sidecar.inference import MISSING, Undecoded
from tests.decoders.reading import GENERIC, read, refused, table, tensor


@pytest.mark.parametrize(
    ("body", "features"),
    [
        ({"age": 31, "city": "Bern"}, {"age": [31], "city": ["Bern"]}),
        ({"age": 31, "tags": ["a"]}, {"age": [31], "tags": [["a"]]}),
        ({"age": 31, "home": {"zip": 1}}, {"age": [31], "home": [{"zip": 1}]}),
        ([{"a": 1}, {"b": 2}], {"a": [1, MISSING], "b": [MISSING, 2]}),
        ([[1, 2], [3, 4]], {"input[0]": [1, 3], "input[1]": [2, 4]}),
        ([5.1, 3.5], {"input[0]": [5.1], "input[1]": [3.5]}),
        (["a", "b"], {"input[0]": ["a", "b"]}),
        ({"features": [5.1, 3.5]}, {"features[0]": [5.1], "features[1]": [3.5]}),
        ({"id": "x", "features": [5.1, 3.5]}, {"features[0]": [5.1], "features[1]": [3.5]}),
        ({"id": "x", "features": {"a": 1}}, {"a": [1]}),
        ({"data": [[1, 2], [3, 4]], "threshold": 0.5}, {"data[0]": [1, 3], "data[1]": [2, 4]}),
        ({"threshold": 0.5, "rows": [{"a": 1}, {"a": 2}]}, {"a": [1, 2]}),
        ({"df": {"a": [1, 2], "b": [3, 4]}}, {"a": [1, 2], "b": [3, 4]}),
        ({"data": {"df": {"a": 1, "b": 2}}}, {"a": [1], "b": [2]}),
        ({"data": {"names": ["a", "b"], "ndarray": [[1, 2], [3, 4]]}}, {"a": [1, 3], "b": [2, 4]}),
        ({"columns": ["a"], "data": [[1], [2]]}, {"a": [1, 2]}),
        ({"texts": ["good", "bad"]}, {"texts": ["good", "bad"]}),
        ({"text": "good"}, {"text": ["good"]}),
        ({"instances": [[1], [2]]}, {"input[0]": [1, 2]}),
        (7, {"input[0]": [7]}),
    ],
    ids=str,
)
def test_rows_are_found_where_people_put_them(body, features):
    inference = refused(GENERIC, body)
    assert table(inference.features) == features
    assert inference.rows == len(next(iter(features.values())))


def test_open_inference_tensors_are_recognised_on_any_path():
    inference = refused(GENERIC, {"inputs": [tensor("x", [2], [1, 2])]})
    assert table(inference.features) == {"x": [1, 2]}


def test_evidence_says_which_habit_was_followed():
    assert "the object is one row" in refused(GENERIC, {"age": 1}).evidence


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/vnd.x+json; v=1"},
        {"x": "no type"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "text/plain"},
    ],
)
def test_content_types_are_hints(headers):
    assert refused(GENERIC, {"a": 1}, request_headers=headers).protocol == "json"


def test_csv_and_json_lines_are_rows():
    csv = read(
        GENERIC,
        b"a,b\n1,2\n",
        b"0.5\n",
        request_headers={"content-type": "text/csv"},
        response_headers={"content-type": "text/csv"},
    )
    assert table(csv.features) == {"a": [1], "b": [2]}
    assert table(csv.outputs) == {"prediction": [0.5]}
    lines = refused(
        GENERIC, b'{"a": 1}\n{"a": 2}\n', request_headers={"content-type": "application/x-ndjson"}
    )
    assert table(lines.features) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("method", "target", "content_type"),
    [
        ("GET", "/predict", "application/json"),
        ("HEAD", "/predict", ""),
        ("OPTIONS", "/predict", "application/json"),
        ("DELETE", "/predict", "application/json"),
        ("POST", "/metrics", "application/json"),
        ("POST", "/health", "application/json"),
        ("POST", "/login", "application/json"),
        ("POST", "/api/v1.0/feedback", "application/json"),
        ("POST", "/v2/repository/models/m/unload", "application/json"),
        ("POST", "/reload", ""),
        ("POST", "/contact", "application/x-www-form-urlencoded"),
        ("POST", "/upload", "image/png"),
        ("POST", "/grpc.health.v1.Health/Check", "application/grpc"),
        ("POST", "/inference.GRPCInferenceService/ServerLive", "application/grpc"),
    ],
)
def test_what_is_not_inference_is_left_alone(method, target, content_type):
    assert decoders.claim(method, target, {"content-type": content_type}) is None


@pytest.mark.parametrize("target", ["/", "/predict", "/api/v1/loans/check", "/predict/health", "/iris"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_json_that_is_posted_anywhere_else_is_inference(method, target):
    assert decoders.claim(method, target, {"content-type": "application/json"}).protocol == "json"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Undecoded.EMPTY_BODY),
        (b"a=1&b=2", Undecoded.NOT_JSON),
        ({}, Undecoded.NO_ROWS),
        ([], Undecoded.NO_ROWS),
        ([1, {"a": 1}], Undecoded.SHAPE),
        ({"columns": ["a"], "data": [[1, 2]]}, Undecoded.SHAPE),
    ],
)
def test_bodies_without_rows_that_succeed_have_a_reason(body, reason):
    assert read(GENERIC, body, {"prediction": 1}).undecoded is reason
