import math

import numpy as np
import pytest

from sidecar.decoders import summaries
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded
from tests.decoders.reading import table

DTYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


def test_four_quantities_of_each_row():
    found = table(summaries.of_flat("x", 2, [3, 0, 4, 0, 1, 1, 1, 1]))
    assert found == {
        "x.norm": [5.0, 2.0],
        "x.mean": [1.75, 1.0],
        "x.sparsity": [0.5, 0.0],
        "x.dimension": [4.0, 4.0],
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_datatype_overflows_in_its_own_arithmetic(dtype):
    largest = (
        np.finfo(dtype).max / 1e10 if dtype == "f8" else 60_000 if dtype[0] == "f" else np.iinfo(dtype).max
    )
    values = np.full((2, 10, 50), largest, dtype)
    found = table(summaries.of_array("x", values))
    assert found["x.mean"] == pytest.approx([float(values[0, 0, 0])] * 2)
    if dtype != "f8":
        assert found["x.norm"] == pytest.approx([math.sqrt(500) * float(values[0, 0, 0])] * 2)


def test_every_column_is_float64_also_of_booleans_and_big_endian_or_strided_arrays():
    for values in (np.ones((3, 4, 2), bool), np.ones((3, 8), ">i4"), np.ones((3, 16), "f4")[:, ::2]):
        for column in summaries.of_array("x", values):
            assert column.values.dtype == np.float64 and column.values.shape == (3,)
        assert table(summaries.of_array("x", values))["x.mean"] == [1.0] * 3


@pytest.mark.parametrize("broken", [None, math.nan])
def test_null_and_nan_make_their_row_nan_and_no_other(broken):
    found = table(summaries.of_flat("x", 2, [broken, 0.0, 3.0, 4.0]))
    assert math.isnan(found["x.norm"][0]) and math.isnan(found["x.mean"][0])
    assert (found["x.norm"][1], found["x.sparsity"]) == (5.0, [0.5, 0.0])


def test_infinity_is_infinity():
    assert table(summaries.of_flat("x", 1, [math.inf, 1.0]))["x.norm"] == [math.inf]


@pytest.mark.parametrize("values", [["1.5", 2], [{}, 1], [[1], 2], [10**400, 1]])
def test_what_is_no_number_has_no_summary(values):
    assert summaries.of_flat("x", 1, values) == []


def test_empty_rows_and_objects_have_no_summary():
    assert summaries.of_array("x", np.zeros((3, 0))) == summaries.of_array("x", np.array([["a"]])) == []


def test_bounds():
    assert summaries.of_flat("x", 1, [0] * (summaries.MOST_CELLS + 1)) == []
    with pytest.raises(Undecodable) as raised:
        summaries.of_flat("x" * 10_000, 1, [1, 2])
    assert raised.value.reason is Undecoded.TOO_WIDE


def test_floats_go_with_their_norm_as_long_as_somebody_looks():
    def of_norm(values):
        norm, *others = summaries.of_array("e", values)
        assert [column.vectors for column in others] == [None, None, None]
        return norm.vectors

    assert of_norm(np.ones((2, 384), np.float16)).shape == (2, 384)
    assert of_norm(np.ones((2, 4_096), np.float32)).shape == (2, 4_096)
    assert of_norm(np.ones((2, 4_097), np.float32)) is None
    assert of_norm(np.ones((2, 384), np.int64)) is None
    assert "array" not in repr(Column("e.norm", [1.0], np.ones((1, 384))))
