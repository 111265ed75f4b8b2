import pytest

from sidecar.decoders import output_tensors
from tests.decoders.reading import table, tensor


def read(given, **how):
    rows, found = output_tensors.read(given, "prediction", **how)
    return rows, table(found)


def kinds(datatype, values):
    (found,) = read(tensor("p", [len(values)], values, datatype))[1].values()
    return [type(value) for value in found]


@pytest.mark.parametrize("datatype", ["FP16", "BF16", "FP32", "FP64"])
def test_a_score_is_a_float_however_it_is_written(datatype):
    assert kinds(datatype, [1, 0.5, 0]) == [float] * 3


@pytest.mark.parametrize("datatype", ["INT8", "INT64", "UINT8", "UINT64"])
def test_a_class_is_an_integer_however_it_is_written(datatype):
    assert kinds(datatype, [1.0, 2, 0.0]) == [int] * 3
    assert kinds(datatype, [1.5, None, float("nan")]) == [float, type(None), float]


def test_a_boolean_may_be_written_as_a_number():
    assert read(tensor("p", [4], [1, 0, True, 2], "BOOL"))[1] == {"p": [True, False, True, 2]}


@pytest.mark.parametrize("datatype", ["BYTES", "", None, 5, [], "FP7", "fp32"])
def test_other_values_are_left_as_they_are(datatype):
    values = ["a", 1, 1.0, None, True, {}]
    assert read(tensor("p", [6], values, datatype))[1] == {"p": values}


def test_a_score_beyond_any_float_is_left():
    assert read(tensor("p", [1], [10**400]))[1] == {"p": [10**400]}


def test_the_best_class_and_its_score():
    texts = ["0.75:2:vir:ginica", "0.25:0:setosa", "-1.5e-3:0:setosa", "-2:1:b"]
    assert read(tensor("p", [2, 2], texts, "BYTES"), classified=True) == (
        2,
        {"p": ["vir:ginica", "setosa"], "p.score": [0.75, -0.0015]},
    )


def test_without_labels_the_index_is_the_class():
    for texts in (["0.5:1", "0.5:0"], ["0.5:1:", "0.5:0:a"]):
        assert read(tensor("p", [2, 1], texts, "BYTES"), classified=True)[1] == {
            "p": [1, 0],
            "p.score": [0.5, 0.5],
        }


@pytest.mark.parametrize("texts", [["12:30", "x"], ["a:1", "b:2"], ["1:", "1:1"], ["1:-1", "1:1"], [1, 2]])
def test_what_is_no_classification_is_text(texts):
    assert read(tensor("p", [2], texts, "BYTES"), classified=True)[1] == {"p": texts}


def test_a_time_of_day_that_nobody_asked_to_be_a_classification_is_text():
    assert read(tensor("p", [2], ["12:30", "13:45"], "BYTES"))[1] == {"p": ["12:30", "13:45"]}
