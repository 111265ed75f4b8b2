import pytest

from sidecar.decoders import columns
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import MISSING, Undecoded
from tests.decoders.reading import table


def reason(call, *given):
    with pytest.raises(Undecodable) as raised:
        call(*given)
    return raised.value.reason


def test_lists_are_columns_by_position():
    assert table(columns.of_rows([[1, "a"], [2, "b"]])) == {"input[0]": [1, 2], "input[1]": ["a", "b"]}


def test_objects_are_columns_by_key_and_null_is_not_missing():
    found = table(columns.of_rows([{"a": 1, "b": None}, {"b": 2, "c": 3}]))
    assert found == {"a": [1, MISSING], "b": [None, 2], "c": [MISSING, 3]}


def test_objects_of_equal_size_but_other_keys_are_ragged():
    assert table(columns.of_rows([{"a": 1}, {"b": 2}])) == {"a": [1, MISSING], "b": [MISSING, 2]}


def test_scalars_are_one_column():
    assert table(columns.of_rows([1, None, "x"])) == {"input[0]": [1, None, "x"]}
    assert table(columns.of_rows([1], "p", "p")) == {"p": [1]}


def test_a_null_row_is_missing_everywhere():
    assert table(columns.of_rows([{"a": 1}, None])) == {"a": [1, MISSING]}
    assert table(columns.of_rows([[1, 2], None])) == {"input[0]": [1, MISSING], "input[1]": [2, MISSING]}


def test_short_rows_are_missing_at_their_end():
    assert table(columns.of_rows([[1], [2, 3], []])) == {
        "input[0]": [1, 2, MISSING],
        "input[1]": [MISSING, 3, MISSING],
    }


def test_rows_of_different_kinds_are_a_matter_of_shape():
    assert reason(columns.of_rows, [[1], {"a": 1}]) is Undecoded.SHAPE
    assert reason(columns.of_rows, [[1], 2]) is Undecoded.SHAPE


def test_rows_of_lists_are_summarised_but_a_nested_value_among_others_is_kept():
    found = table(columns.of_rows([[[3, 0], [4, 0]], [[1, 1], [1, 1]]]))
    assert found == {
        "input.norm": [5, 2],
        "input.mean": [1.75, 1],
        "input.sparsity": [0.5, 0],
        "input.dimension": [4, 4],
    }
    assert table(columns.of_rows([[1, [2, 3]]])) == {"input[0]": [1], "input[1]": [[2, 3]]}


def test_a_row_with_too_many_names_is_too_wide_one_with_too_many_positions_is_summarised():
    wide = columns.MAX_COLUMNS + 1
    assert reason(columns.of_rows, [{str(i): i for i in range(wide)}]) is Undecoded.TOO_WIDE
    assert reason(columns.of_rows, [{str(i): i} for i in range(wide)]) is Undecoded.TOO_WIDE
    assert table(columns.of_rows([list(range(wide))]))["input.dimension"] == [wide]
    assert len(columns.of_rows([[0] * 256])) == 256
    assert columns.of_rows([[0] * 257], "x", "y")[0].name == "y.norm"


@pytest.mark.parametrize(
    "rows",
    [
        [[[1, 2], [3]]],
        [[[1, 2]], [[1, 2], [3, 4]]],
        [[[1, 2], 3]],
        [[["a"]]],
        [[[{}]]],
        [[[]]],
        [[], []],
        [[0] * 300, [0] * 301],
        [["x"] * 300],
        [[[0] * 1000] * 1001],
    ],
)
def test_what_is_uneven_no_number_or_too_large_has_rows_but_no_columns(rows):
    assert columns.of_rows(rows) == []


def test_a_few_bytes_of_ragged_rows_do_not_become_a_huge_matrix():
    rows = [{}] * 50_000 + [{str(i): i for i in range(100)}]
    assert reason(columns.of_rows, rows) is Undecoded.TOO_WIDE
    assert reason(columns.of_rows, [[]] * 50_000 + [[0] * 100]) is Undecoded.TOO_WIDE


def test_no_rows_and_too_many_rows_have_their_own_reasons():
    assert reason(columns.of_rows, []) is Undecoded.NO_ROWS
    assert reason(columns.of_rows, [0] * (columns.MAX_ROWS + 1)) is Undecoded.TOO_MANY_ROWS


def test_rows_of_a_table_are_as_wide_as_its_names():
    assert table(columns.of_table(["a", "b"], [[1, 2], [3, 4]])) == {"a": [1, 3], "b": [2, 4]}
    assert reason(columns.of_table, ["a", "b"], [[1]]) is Undecoded.SHAPE
    assert reason(columns.of_table, ["a"], ["x"]) is Undecoded.SHAPE
    assert table(columns.of_table(["a", "a", 3], [[1, 2, 4]])) == {"a": [2], "3": [4]}


def test_columns_of_an_object_need_equally_many_rows():
    assert columns.of_columns({"a": [1, 2], "b": [[3, 4], [5, 6]]})[0] == 2
    found = columns.of_columns({"a": [1, 2], "b": [[3, 4], [5, 6]]})[1]
    assert table(found) == {"a": [1, 2], "b[0]": [3, 5], "b[1]": [4, 6]}
    assert reason(columns.of_columns, {"a": [1], "b": [1, 2]}) is Undecoded.SHAPE
    assert reason(columns.of_columns, {}) is Undecoded.NO_ROWS


@pytest.mark.parametrize("name", ["__proto__", "__class__", "{}", "", " a", "a\u202eb", "x" * 10_000])
def test_any_text_may_be_a_name(name):
    assert table(columns.of_rows([{name: 1}])) == {name: [1]}


def test_a_name_is_not_repeated_for_its_columns_without_bound():
    assert columns.named([[1], [2]], 2, "x" * 500)[1].name == "x" * 500 + "[1]"
    assert reason(columns.named, [[1], [2]], 2, "x" * 10_000) is Undecoded.TOO_WIDE
