import base64
import json

import pytest

from sidecar.inference import Undecoded
from tests.decoders.reading import V2, read, refused, table, tensor

RECORDS = [{"age": 31, "city": "Bern"}, {"age": None, "city": "Genf"}]


def encoded(content_type, values, shape=None, **more):
    parameters = {"content_type": content_type}
    return tensor("x", shape or [len(values)], values, "BYTES", parameters=parameters, **more)


def features(*inputs, **more):
    return table(refused(V2, {"inputs": list(inputs), **more}).features)


def as64(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("content_type", ["np", "str", "datetime", "pd", "hg_json", "", None, 5, ["base64"]])
def test_most_content_types_say_nothing_that_columns_need_to_know(content_type):
    assert features(encoded(content_type, ["2026-01-01", "b"])) == {"x": ["2026-01-01", "b"]}
    assert features(tensor("x", [1], [1]), parameters={"content_type": content_type}) == {"x": [1]}


def test_base64_is_its_text_and_never_kept_if_it_is_none():
    values = [as64("Zürich".encode()), as64(b"\x89PNG"), "no base64", "", None]
    assert features(encoded("base64", values)) == {"x": ["Zürich", "<binary>", "no base64", "", None]}
    assert features(encoded("base64", [[as64(b"a")], [as64(b"b")]], [2, 1])) == {"x": ["a", "b"]}


@pytest.mark.parametrize(
    "frame",
    [
        RECORDS,
        {"age": {"0": 31, "1": None}, "city": {"0": "Bern", "1": "Genf"}},
        {"columns": ["age", "city"], "index": [0, 1], "data": [[31, "Bern"], [None, "Genf"]]},
    ],
)
def test_a_data_frame_in_json_is_its_columns_in_any_orientation(frame):
    inference = refused(V2, {"inputs": [encoded("pd_json", [json.dumps(frame)])]})
    assert table(inference.features) == {"age": [31, None], "city": ["Bern", "Genf"]}
    assert inference.rows == 2


def test_a_data_frame_may_come_a_row_in_each_text():
    found = features(encoded("pd_json", [json.dumps(record) for record in RECORDS]))
    assert found == {"age": [31, None], "city": ["Bern", "Genf"]}
    assert features(encoded("pd_json", ['{"age": 1}'])) == {"age": [1]}


@pytest.mark.parametrize("text", ["", "{", "5", "null", "[]", '{"a": {"0": 1}, "b": {}}', 7, None])
def test_what_is_no_data_frame_has_a_reason(text):
    inference = read(V2, {"inputs": [encoded("pd_json", [text])]}, b"")
    assert inference.undecoded in (Undecoded.SHAPE, Undecoded.NOT_JSON, Undecoded.NO_ROWS)


def test_a_tensor_overrides_the_content_type_of_the_request():
    request = {"parameters": {"content_type": "base64"}}
    assert features(tensor("x", [1], [as64(b"a")], "BYTES"), **request) == {"x": ["a"]}
    assert features(encoded("str", [as64(b"a")]), **request) == {"x": [as64(b"a")]}


def test_content_types_are_those_of_outputs_too():
    answer = {"model_name": "m", "outputs": [encoded("base64", [as64(b"yes")])]}
    assert table(read(V2, {"inputs": [tensor("x", [1], [1])]}, answer).outputs) == {"x": ["yes"]}
