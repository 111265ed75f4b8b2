import pytest

from sidecar.decoders import habits
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded
from tests.decoders.reading import table


@pytest.mark.parametrize(
    ("document", "columns", "habit"),
    [
        ({"rows": [{"a": 1}, {"a": 2}], "threshold": 0.1}, {"a": [1, 2]}, "a list of rows"),
        ({"df": {"a": [1, 2], "b": [3, 4]}}, {"a": [1, 2], "b": [3, 4]}, "an object of columns"),
        ({"age": 31, "tags": ["x"]}, {"age": [31], "tags": [["x"]]}, "the object is one row"),
        ({"names": ["a"], "ndarray": [[1], [2]]}, {"a": [1, 2]}, "names and rows apart"),
        ([1, 2], {"input[0]": [1], "input[1]": [2]}, "a list is one row"),
        ({"instances": [[1]]}, {"input[0]": [1]}, "it has instances"),
        (True, {"input[0]": [True]}, "it is one value"),
    ],
    ids=str,
)
def test_rows_are_found_and_the_habit_is_told(document, columns, habit):
    rows, found, told = habits.find_rows(document)
    assert (rows, table(found), told) == (len(next(iter(columns.values()))), columns, habit)


def test_wrappings_are_taken_off_three_times_and_no_more():
    deep = {"data": {"data": {"data": {"age": 31, "city": "Bern"}}}}
    assert table(habits.find_rows(deep)[1]) == {"age": [31], "city": ["Bern"]}
    (column,) = habits.find_rows({"data": deep})[1]
    assert column.name == "data"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], Undecoded.NO_ROWS),
        ({}, Undecoded.NO_ROWS),
        ([1, [2]], Undecoded.SHAPE),
        ({"columns": ["a"], "data": [[1, 2]]}, Undecoded.SHAPE),
    ],
)
def test_what_has_no_rows_has_a_reason(document, reason):
    with pytest.raises(Undecodable) as raised:
        habits.find_rows(document)
    assert raised.value.reason is reason
