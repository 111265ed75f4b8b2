import numpy as np
import pytest

from sidecar.decoders import columns, json_tensors, tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded
from tests.decoders.reading import table, tensor


def columns_of(given):
    return tensors.together([json_tensors.read(t, "input") for t in json_tensors.list_of(given)])


def read(*given):
    rows, found = columns_of(list(given))
    return rows, table(found)


def reason(*given):
    with pytest.raises(Undecodable) as raised:
        columns_of(list(given))
    return raised.value.reason


@pytest.mark.parametrize("shape", [[3], [3, 1]])
@pytest.mark.parametrize("data", [[1, 2, 3], [[1], [2], [3]]])
def test_n_and_n_by_1_are_one_column_however_nested(shape, data):
    assert read(tensor("age", shape, data)) == (3, {"age": [1, 2, 3]})


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]], [[[1, 2, 3]], [[4, 5, 6]]]])
def test_n_by_d_is_d_columns_in_row_major_order(data):
    assert read(tensor("x", [2, 3], data)) == (2, {"x[0]": [1, 4], "x[1]": [2, 5], "x[2]": [3, 6]})


def test_values_are_never_changed():
    values = [True, "1.5", None, -0.0, 18446744073709551615, {"a": 1}]
    _, found = columns_of([tensor("x", [6], values)])
    assert found[0].values == values and found[0].values[0] is True


SUMMARY = {"x.norm", "x.mean", "x.sparsity", "x.dimension"}


def test_a_tensor_wider_than_a_list_of_features_is_summarised():
    assert len(read(tensor("x", [1, 256], [0.0] * 256))[1]) == 256
    for data in ([0.0] * 514, [[0.0] * 257] * 2):
        assert read(tensor("x", [2, 257], data))[1].keys() == SUMMARY


def test_a_wide_tensor_of_text_has_rows_but_no_columns():
    assert read(tensor("x", [2, 300], ["1.5"] * 600)) == (2, {})


def test_a_tensor_in_shared_memory_has_rows_but_no_columns():
    assert read({"name": "x", "shape": [4, 2], "datatype": "FP32"}) == (4, {})


def test_a_tensor_of_another_batch_size_is_a_parameter_not_a_column():
    assert read(tensor("x", [3], [1, 2, 3]), tensor("threshold", [1], [0.5])) == (3, {"x": [1, 2, 3]})


def test_of_two_tensors_of_one_name_the_last_wins():
    assert read(tensor("x", [1], [1]), tensor("x", [1], [2])) == (1, {"x": [2]})


def test_a_scalar_tensor_is_one_row():
    assert read(tensor("x", [], [7])) == (1, {"x": [7]}) == read(tensor("x", [], 7))


@pytest.mark.parametrize(
    "shape",
    [[-1, 2], [True], [2.0], ["2"], None, "2", {}, [2, 4], [2**40, 0.5], [[2]]],
)
def test_a_shape_that_is_none_or_disagrees_with_the_data_is_a_matter_of_shape(shape):
    assert reason(tensor("x", shape, [1, 2, 3])) is Undecoded.SHAPE


@pytest.mark.parametrize("shape", [[2**40], [2**40, 2**40], [2**63, 0], [2**40, 1, 1]])
def test_a_claim_of_many_rows_is_believed_to_be_too_many_and_allocates_nothing(shape):
    assert reason(tensor("x", shape, [1])) is Undecoded.TOO_MANY_ROWS


@pytest.mark.parametrize("data", [[[1, 2], 3], [[1, 2], [3]], [[[1], [2]], 3], {"0": 1}, "abcd", 5])
def test_data_nested_unevenly_is_a_matter_of_shape(data):
    assert reason(tensor("x", [2, 2], data)) is Undecoded.SHAPE


def test_a_list_among_flat_values_is_kept_as_a_value():
    assert read(tensor("x", [2, 2], [1, [2, 3], 4, 5])) == (2, {"x[0]": [1, 4], "x[1]": [[2, 3], 5]})


@pytest.mark.parametrize("shape", [[0], [0, 4]])
def test_an_empty_batch_has_no_rows(shape):
    assert reason(tensor("x", shape, [])) is Undecoded.NO_ROWS


def test_many_tensors_are_too_wide():
    many = [tensor(f"f{i}", [1], [i]) for i in range(columns.MAX_COLUMNS + 1)]
    assert reason(*many) is Undecoded.TOO_WIDE


@pytest.mark.parametrize("given", [[1], [None], [{}], [{"name": 5, "shape": [1], "data": [1]}]])
def test_what_is_no_tensor_is_a_matter_of_shape(given):
    assert reason(*given) is Undecoded.SHAPE
    with pytest.raises(Undecodable):
        columns_of({"x": 1})


def test_a_tensor_without_a_name_is_called_after_its_side():
    assert read({"shape": [1], "datatype": "FP32", "data": [1]}) == (1, {"input": [1]})


def test_data_may_be_an_array_from_behind_the_json():
    array = np.arange(6, dtype=np.uint8)
    assert read(tensor("x", [3, 2], array)) == (3, {"x[0]": [0, 2, 4], "x[1]": [1, 3, 5]})
    assert reason(tensor("x", [3, 3], array)) is Undecoded.SHAPE


@pytest.mark.parametrize("data", [[[1, 2, 3, 4]] * 2, [1, 2, 3, 4] * 2, [[[1, 2], [3, 4]]] * 2])
def test_a_tensor_of_rank_3_is_summarised_however_nested(data):
    assert read(tensor("x", [2, 2, 2], data))[1].keys() == SUMMARY
    assert reason(tensor("x", [2, 2, 3], data)) is Undecoded.SHAPE
