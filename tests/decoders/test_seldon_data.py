import base64
import struct

import pytest

from sidecar.decoders import seldon_data
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded
from tests.decoders.reading import table

HUGE = {"dim": [{"size": 9}, {"size": "99999999999"}]}
SHAPE = {"dim": [{"size": "2"}, {"size": 2}]}


def read(data, lone=""):
    rows, found = seldon_data.read(data, "input", lone)
    return rows, {
        name: [getattr(v, "tolist", lambda v=v: v)() for v in vs] for name, vs in table(found).items()
    }


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ({"ndarray": [[1, 2], [3, 4]], "names": ["a", "b"]}, {"a": [1, 3], "b": [2, 4]}),
        ({"ndarray": [[1, 2], [3, 4]]}, {"input[0]": [1, 3], "input[1]": [2, 4]}),
        ({"ndarray": [[1, 2]], "names": ["only one"]}, {"input[0]": [1], "input[1]": [2]}),
        ({"ndarray": [["x", 1.5], [None, 2]], "names": ["a", "b"]}, {"a": ["x", None], "b": [1.5, 2]}),
        ({"ndarray": [1, 2, 3], "names": ["a", "b", "c"]}, {"a": [1], "b": [2], "c": [3]}),
        ({"ndarray": ["good", "bad"]}, {"input[0]": ["good", "bad"]}),
        ({"ndarray": [{"a": 1}, {"a": 2}], "names": []}, {"a": [1, 2]}),
        (
            {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}, "names": ["a", "b"]},
            {"a": [1, 3], "b": [2, 4]},
        ),
        ({"tensor": {"shape": [2, 1], "values": [1, 2]}}, {"input[0]": [1, 2]}),
        ({"tensor": {"shape": [2], "values": [1, 2]}, "names": ["a"]}, {"a": [1, 2]}),
    ],
    ids=str,
)
def test_values_are_called_by_their_names_where_there_is_one_for_each(data, columns):
    assert read(data) == (len(next(iter(columns.values()))), columns)


@pytest.mark.parametrize(
    "values",
    [
        {"floatVal": [1.0, 2.0, 3.0, 4.0]},
        {"float_val": [1.0, 2.0, 3.0, 4.0]},
        {"int64Val": ["1", "2", "3", "4"]},
        {"dtype": "DT_FLOAT", "tensorContent": base64.b64encode(struct.pack("<4f", 1, 2, 3, 4)).decode()},
        {"dtype": 9, "tensorContent": base64.b64encode(struct.pack("<4q", 1, 2, 3, 4)).decode()},
    ],
    ids=str,
)
def test_a_tftensor_is_read_however_its_values_come(values):
    assert read({"tftensor": {"tensorShape": SHAPE, **values}, "names": ["a", "b"]}) == (
        2,
        {"a": [1, 3], "b": [2, 4]},
    )


def test_a_tftensor_repeats_its_last_value():
    assert read({"tftensor": {"tensorShape": SHAPE, "intVal": [7]}}) == (
        2,
        {"input[0]": [7, 7], "input[1]": [7, 7]},
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], Undecoded.SHAPE),
        ({}, Undecoded.SHAPE),
        ({"ndarray": []}, Undecoded.NO_ROWS),
        ({"ndarray": [[1], {"a": 1}]}, Undecoded.SHAPE),
        ({"tensor": {"shape": [2, 3], "values": [1]}}, Undecoded.SHAPE),
        ({"tensor": {"shape": "x", "values": [1]}}, Undecoded.SHAPE),
        ({"tensor": {"shape": [2**40], "values": [1]}}, Undecoded.TOO_MANY_ROWS),
        ({"tftensor": {"tensorShape": {"dim": [{"size": "x"}]}, "intVal": [1]}}, Undecoded.SHAPE),
        ({"tftensor": {"tensorShape": {"dim": [{"size": -1}]}, "intVal": [1]}}, Undecoded.SHAPE),
        ({"tftensor": {"tensorShape": HUGE, "intVal": [1]}}, Undecoded.TOO_WIDE),
        ({"tftensor": {"tensorShape": SHAPE, "dtype": "DT_FLOAT", "tensorContent": "AAA"}}, Undecoded.SHAPE),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_has_a_reason(data, reason):
    with pytest.raises(Undecodable) as raised:
        read(data)
    assert raised.value.reason is reason


def test_names_that_are_no_names_are_left_alone():
    deep = [[[1]]]
    assert read({"ndarray": [[1, 2]], "names": [deep, {}]}) == (1, {"input[0]": [1], "input[1]": [2]})
