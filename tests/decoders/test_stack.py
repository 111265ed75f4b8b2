import numpy as np
import pytest

from sidecar.decoders import columns
from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.stack import stacked
from sidecar.inference import MISSING, Column, Undecoded
from tests.decoders.reading import table


def one(rows, **values):
    return rows, [Column(name, those) for name, those in values.items()]


def test_rows_of_each_part_come_below_those_of_the_one_before():
    rows, found = stacked([one(1, a=[1], b=["x"]), one(2, a=[2, 3], b=["y", "z"])])
    assert rows == 3
    assert table(found) == {"a": [1, 2, 3], "b": ["x", "y", "z"]}


def test_one_part_stays_as_it_is_and_none_has_no_rows():
    part = one(1, a=[1])
    assert stacked([part]) is part
    assert stacked([]) == (0, []) and stacked([(0, []), (0, [])]) == (0, [])


def test_arrays_of_one_type_stay_an_array_and_others_become_a_list():
    _, found = stacked([one(1, a=np.array([1.0])), one(1, a=np.array([2.0]))])
    assert isinstance(found[0].values, np.ndarray) and found[0].values.tolist() == [1.0, 2.0]
    _, found = stacked([one(1, a=np.array([1.0])), one(1, a=["x"]), one(1, a=np.array([True]))])
    assert found[0].values == [1.0, "x", True] and type(found[0].values[2]) is bool


def test_a_column_that_a_part_does_not_have_is_missing_there():
    rows, found = stacked([one(1, a=np.array([1.0])), one(2, b=["x", "y"]), one(0), one(1, b=["z"], a=[4])])
    assert rows == 4
    assert table(found) == {"a": [1.0, MISSING, MISSING, 4], "b": [MISSING, "x", "y", "z"]}


def test_rows_columns_and_cells_are_bounded():
    for parts, reason in (
        ([one(60_000, a=[1] * 60_000)] * 2, Undecoded.TOO_MANY_ROWS),
        ([one(1, **{f"c{part}_{i}": [1] for i in range(600)}) for part in range(2)], Undecoded.TOO_WIDE),
        ([one(90_000, **{f"c{i}": [] for i in range(12)}), one(1, z=[1])], Undecoded.TOO_WIDE),
    ):
        with pytest.raises(Undecodable) as raised:
            stacked(parts)
        assert raised.value.reason is reason
    assert columns.MAX_ROWS == 100_000
