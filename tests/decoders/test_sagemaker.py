import io

import numpy as np
import pytest

from sidecar import decoders
from sidecar.inference import Undecoded
from tests.decoders.reading import INVOCATIONS, read, refused, table
from tests.decoders.records import floats, framed, record

INVOKE = "/models/iris/invoke"
CSV = {"content-type": "text/csv"}
COLUMNS = {"input[0]": [1, 3], "input[1]": [2, 4]}


def npy():
    stream = io.BytesIO()
    np.save(stream, np.array([[1.0, 2.0], [3.0, 4.0]]))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("target", "media", "model"),
    [
        ("/models/iris/invoke", "application/json", "iris"),
        ("/endpoints/churn/invocations", "text/csv", "churn"),
        ("/endpoints/churn/invocations-response-stream", "application/json", "churn"),
        ("/endpoints/churn/async-invocations", "application/json", "churn"),
        ("/invocations", "application/x-npy", ""),
        ("/invocations", "application/x-recordio-protobuf", ""),
        ("/invocations", "text/libsvm", ""),
        ("/invocations", "application/jsonlines", ""),
    ],
)
def test_the_path_or_the_media_type_says_that_it_is_sagemaker(target, media, model):
    claim = decoders.claim("POST", target, {"content-type": media})
    assert (claim.protocol, claim.model.name) == ("sagemaker", model)
    assert decoders.claim("GET", target, {"content-type": media}) is None


@pytest.mark.parametrize("target", [INVOCATIONS, "/serving-endpoints/churn/invocations"])
def test_other_invocations_stay_mlflows_until_body_or_headers_say_otherwise(target):
    assert decoders.claim("POST", target, {"content-type": "application/json"}).protocol == "mlflow"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", b"1,2\n3,4\n"),
        ("application/json", b'{"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}'),
        ("application/jsonlines", b'{"features": [1, 2]}\n{"features": [3, 4]}\n'),
        ("application/x-npy", npy()),
        ("application/x-recordio-protobuf", framed(record(values=floats(1, 2)), record(values=floats(3, 4)))),
        ("text/libsvm", b"0:1 1:2\n0:3 1:4\n"),
        ("text/x-libsvm", b"7 0:1 1:2\n7 0:3 1:4\n"),
    ],
)
def test_every_format_has_the_same_rows(content_type, body):
    answer = b'{"predictions": [{"score": 0.5}, {"score": 0.7}]}'
    inference = read(INVOKE, body, answer, request_headers={"content-type": content_type})
    assert [list(c.values) for c in inference.features] == list(COLUMNS.values())
    assert table(inference.outputs) == {"score": [0.5, 0.7]}
    assert (inference.protocol, inference.rows, inference.undecoded) == ("sagemaker", 2, None)


@pytest.mark.parametrize(
    ("content_type", "answer", "outputs"),
    [
        ("text/csv; charset=utf-8", b"0.5\n0.7\n", {"prediction": [0.5, 0.7]}),
        ("text/csv", b"0.9,0.1\n0.2,0.8", {"prediction[0]": [0.9, 0.2], "prediction[1]": [0.1, 0.8]}),
        ("text/csv", b"0.5,0.7", {"prediction": [0.5, 0.7]}),
        ("text/html; charset=utf-8", b"0.5\n0.7\n", {"prediction": [0.5, 0.7]}),
        ("application/json", b"0.5\n0.7\n", {"prediction": [0.5, 0.7]}),
        ("application/json", b"0.5,0.7", {"prediction": [0.5, 0.7]}),
        ("application/json", framed(record({"s": floats(0.5)}), record({"s": floats(1)})), {"s": [0.5, 1]}),
        ("text/html", b"[0.5, 0.7]", {"prediction": [0.5, 0.7]}),
        ("text/csv", b'{"predictions": [0.5, 0.7]}', {"prediction": [0.5, 0.7]}),
        ("application/jsonlines", b'{"score": 0.5}\n{"score": 0.7}\n', {"score": [0.5, 0.7]}),
        (
            "application/json",
            b'{"predictions":[{"score":0.5,"predicted_label":1},{"score":0.7,"predicted_label":0}]}',
            {"score": [0.5, 0.7], "predicted_label": [1, 0]},
        ),
        (
            "application/x-recordio-protobuf",
            framed(record({"score": floats(0.5)}), record({"score": floats(0.75)})),
            {"score": [0.5, 0.75]},
        ),
        ("application/json", b"[0.5, 0.7]", {"prediction": [0.5, 0.7]}),
    ],
)
def test_an_answer_is_what_it_is_whatever_it_is_called(content_type, answer, outputs):
    inference = read(
        INVOKE, b"1,2\n3,4\n", answer, request_headers=CSV, response_headers={"content-type": content_type}
    )
    assert table(inference.outputs) == outputs and inference.undecoded is None


def test_one_line_of_json_lines_is_one_prediction():
    lines = {"content-type": "application/jsonlines"}
    inference = read(
        INVOKE, b'{"features": [1]}', b'{"score": 0.5}', request_headers=lines, response_headers=lines
    )
    assert (table(inference.features), table(inference.outputs)) == ({"features[0]": [1]}, {"score": [0.5]})


def test_headers_name_the_model_the_variant_and_the_id():
    headers = {
        **CSV,
        "x-amzn-sagemaker-target-model": "iris.tar.gz",
        "x-amzn-sagemaker-target-variant": "blue",
        "x-amzn-sagemaker-inference-id": "i-1",
    }
    inference = read(INVOCATIONS, b"1,2\n3,4\n", b"0\n1\n", request_headers=headers, response_headers=CSV)
    assert (inference.protocol, inference.request_id) == ("sagemaker", "i-1")
    assert (inference.model.name, inference.model.version) == ("iris.tar.gz", "blue")
    component = {**CSV, "x-amzn-sagemaker-inference-component": "part"}
    assert refused(INVOCATIONS, b"1,2\n", request_headers=component).model.name == "part"


def test_an_answering_variant_is_the_version_where_none_was_asked_for():
    answered = {"content-type": "text/csv", "x-amzn-invoked-production-variant": "green"}
    inference = read(
        "/endpoints/churn/invocations", b"1\n", b"0\n", request_headers=CSV, response_headers=answered
    )
    assert (inference.model.name, inference.model.version) == ("churn", "green")


def test_its_csv_has_no_header_also_where_the_first_row_is_not_all_numbers():
    assert table(refused(INVOKE, b"31,Bern\n45,Zug\n", request_headers=CSV).features) == {
        "input[0]": [31, 45],
        "input[1]": ["Bern", "Zug"],
    }
    assert table(refused(INVOKE, b",Bern\n", request_headers=CSV).features) == {
        "input[0]": [None],
        "input[1]": ["Bern"],
    }
    # Somebody sent one all the same.
    assert table(refused(INVOKE, b"age,city\n31,Bern\n", request_headers=CSV).features) == {
        "age": [31],
        "city": ["Bern"],
    }


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        ("application/x-image", b"\xff\xd8", Undecoded.CONTENT_TYPE),
        ("application/x-npy", b"\xff\xd8", Undecoded.CONTENT_TYPE),
        ("application/x-recordio-protobuf", b"\xff\xd8", Undecoded.CONTENT_TYPE),
        ("text/libsvm", b"x:y", Undecoded.SHAPE),
        ("application/jsonlines", b"{", Undecoded.NOT_JSON),
        ("application/json", b"{}", Undecoded.SHAPE),
    ],
)
def test_what_cannot_be_read_of_a_success_has_a_reason(content_type, body, reason):
    headers = {"content-type": content_type}
    assert read(INVOKE, body, {"predictions": [1]}, request_headers=headers).undecoded is reason
