import pytest

from sidecar import decoders
from sidecar.decoders import columns
from sidecar.inference import Undecoded
from tests.decoders.reading import decode, read, refused, table
from tests.fakes import exchange

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


def asked(target, answer=b'{"prediction": 1}'):
    return decode(exchange(answer=answer, method="GET", target=target))


def test_a_form_is_one_row_of_its_fields():
    inference = read("/predict", b"age=31&city=Z%C3%BCrich&income=1e3&note=", b"1", request_headers=FORM)
    assert table(inference.features) == {"age": [31], "city": ["Zürich"], "income": [1000.0], "note": [None]}
    assert inference.undecoded is None


def test_a_query_on_a_path_that_asks_a_model_is_one_row():
    inference = asked("/api/predict?age=31&city=Bern")
    assert (inference.protocol, inference.rows) == ("json", 1)
    assert table(inference.features) == {"age": [31], "city": ["Bern"]}
    assert table(inference.outputs) == {"prediction": [1]}


@pytest.mark.parametrize(
    "target",
    ["/predict", "/predict?", "/predict?refresh", "/predictions?user=7", "/score?user=7", "/search?q=predict",
     "/predict/history?page=2", "/v1/models?name=m", "/models/m/invoke?x=1", "/invocations?x=1", "/?a=1"],
)  # fmt: skip
def test_any_other_get_is_no_inference(target):
    assert decoders.claim("GET", target, {"content-type": "application/json"}) is None
    assert decoders.claim("HEAD", "/predict?age=31", {}) is None


def test_a_name_that_comes_again_has_a_list():
    assert table(asked("/predict?x=1&x=2&y=a").features) == {"x": [[1, 2]], "y": ["a"]}


def test_json_that_curl_calls_a_form_is_json():
    body = {"age": 31, "note": "a=b"}
    assert table(refused("/predict", body, request_headers=FORM).features) == {"age": [31], "note": ["a=b"]}
    assert read("/predict", b"plain words", b"1", request_headers=FORM).undecoded is Undecoded.NOT_JSON


def test_files_are_worth_their_size_and_fields_are_features():
    body = (
        b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n31\r\n'
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n\x00\x01\x02\r\n--x--\r\n'
    )
    inference = read("/classify", body, {"label": "cat"}, request_headers=MULTIPART)
    assert (inference.protocol, table(inference.features)) == ("json", {"age": [31], "image.size": [3]})
    assert table(inference.outputs) == {"label": ["cat"]} and inference.undecoded is None
    assert decoders.claim("POST", "/upload", MULTIPART) is None


def test_more_fields_than_anybody_looks_at_have_a_reason():
    body = b"&".join(b"f%d=1" % i for i in range(columns.MAX_COLUMNS + 1))
    assert read("/predict", body, b"1", request_headers=FORM).undecoded is Undecoded.TOO_WIDE
    same = b"&".join([b"a=1"] * (columns.MAX_COLUMNS + 1))
    assert read("/predict", same, b"1", request_headers=FORM).undecoded is Undecoded.TOO_WIDE
    long = "&".join(f"f{i}=1" for i in range(columns.MAX_COLUMNS + 1))
    assert asked(f"/predict?{long}").undecoded is Undecoded.TOO_WIDE
    assert read("/predict", b"&&=&", b"1", request_headers=FORM).undecoded in (None, Undecoded.NO_ROWS)
