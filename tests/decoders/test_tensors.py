import numpy as np
import pytest

from sidecar.decoders import tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Column, Undecoded
from tests.decoders.reading import table

SUMMARY = {"x.norm", "x.mean", "x.sparsity", "x.dimension"}


@pytest.mark.parametrize("shape", [[2, 2, 2], [1, 2, 2, 2], [2, 4] + [1] * 10_000, [1] * 40 + [8]])
@pytest.mark.parametrize("values", [[0.5] * 8, np.full(8, 0.5, np.float32), [[[0.5] * 4] * 2]])
def test_a_tensor_of_higher_rank_is_summarised(shape, values):
    given = values if isinstance(values, np.ndarray) else tensors.flat(values)
    rows, found = tensors.columns_of_flat("x", shape, given)
    assert rows == shape[0] and {column.name for column in found} == SUMMARY
    assert table(found)["x.mean"] == [0.5] * rows and table(found)["x.dimension"] == [8 / rows] * rows


def test_an_array_of_many_rows_is_spread_into_views_of_itself():
    rows = tensors.FEW_ROWS
    whole = (np.arange(3 * rows) % 100).astype(np.int8)
    for shape, names in (([rows, 3], ["x[0]", "x[1]", "x[2]"]), ((3 * rows,), ["x"]), ([3 * rows, 1], ["x"])):
        count, found = tensors.columns_of_flat("x", shape, whole)
        assert count == shape[0] and [column.name for column in found] == names
        assert all(np.shares_memory(column.values, whole) for column in found)
        assert np.stack([column.values for column in found], 1).ravel().tolist() == whole.tolist()


def test_an_array_of_few_rows_is_lists_of_what_it_holds():
    for dtype, kind in ((np.int8, int), (np.float32, float), (np.bool_, bool)):
        whole = np.array([0, 1, 1, 0, 1, 0], dtype)
        for shape in ([2, 3], (6,), [6, 1]):
            _, found = tensors.columns_of_flat("x", shape, whole)
            assert {type(column.values) for column in found} == {list}
            assert {type(value) for column in found for value in column.values} == {kind}
            assert np.array([column.values for column in found], dtype).T.ravel().tolist() == whole.tolist()


@pytest.mark.parametrize("shape", [[0], [0, 4], [3, 0], [2, 0, 5], [0, 2**70]])
def test_a_tensor_without_values_has_no_columns(shape):
    assert tensors.columns_of_flat("x", shape, np.zeros(0)) == (shape[0], [])


@pytest.mark.parametrize(
    "shape",
    [[-2, -3], [2, -1], [7], [2, 4], [5, 2**64], [1, 2**32, 2**32, 2**32], [True] * 6, [6.0], "6", None],
)
@pytest.mark.parametrize("values", [[0] * 6, np.zeros(6)])
def test_a_shape_that_disagrees_with_flat_values_is_a_matter_of_shape(shape, values):
    with pytest.raises(Undecodable) as raised:
        tensors.columns_of_flat("x", shape, values)
    assert raised.value.reason is Undecoded.SHAPE


@pytest.mark.parametrize(
    ("given", "rows", "names"),
    [
        ([(2, ["a"])], 2, ["a"]),
        ([(2, ["a"]), (2, ["b", "c"])], 2, ["a", "b", "c"]),
        ([(3, ["a"]), (1, ["threshold"])], 3, ["a"]),
        ([(1, ["a"]), (1, ["a"])], 1, ["a"]),
    ],
)
def test_tensors_together_have_the_rows_of_the_largest_batch(given, rows, names):
    tables = [(n, [Column(name, [0] * n) for name in found]) for n, found in given]
    together = tensors.together(tables)
    assert (together[0], [column.name for column in together[1]]) == (rows, names)


def test_tensors_together_may_be_none_or_too_wide():
    for tables, reason in (
        ([], Undecoded.NO_ROWS),
        ([(0, [])], Undecoded.NO_ROWS),
        ([(1, [Column(f"{t}[{i}]", [0]) for i in range(256)]) for t in range(4)], Undecoded.TOO_WIDE),
    ):
        with pytest.raises(Undecodable) as raised:
            tensors.together(tables)
        assert raised.value.reason is reason


def test_the_extent_of_a_shape_is_not_followed_beyond_any_data():
    rows, size = tensors.extent_of([1, *[2**60] * 1000])
    assert rows == 1 and size.bit_length() < 200
    assert tensors.extent_of([]) == (1, 1) and tensors.extent_of((3, 0)) == (3, 0)
