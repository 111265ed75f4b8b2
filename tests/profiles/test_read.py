"""Recorded rows from files, and a reference from them."""

import builtins
import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import UsageError
from sidecar.inference import MISSING
from sidecar.profiles.read import _cell, _values, build_profile, read_columns
from sidecar.reference import ColumnType

CSV = "age,region,member,score,label,at\n41,n,true,0.5,1,2024-01-01\n,s,false,1e-3,0,2024-01-02\n"


def write(tmp_path: Path, name: str, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def columns(path: Path, **more: Any) -> dict[str, list[Any]]:
    [(_, found)] = read_columns(path, **more)
    return found


@pytest.mark.parametrize("name", ["rows.csv", "rows.CSV", "rows.csv.gz"])
def test_csv_cells_are_null_numbers_booleans_or_text(tmp_path: Path, name: str):
    text = "\ufeff" + CSV
    assert columns(write(tmp_path, name, text)) == {
        "age": [41, None],
        "region": ["n", "s"],
        "member": [True, False],
        "score": [0.5, 0.001],
        "label": [1, 0],
        "at": ["2024-01-01", "2024-01-02"],
    }


def test_jsonl_keeps_null_and_missing_apart(tmp_path: Path):
    path = write(tmp_path, "rows.jsonl", '{"a": 1, "b": null}\n\n{"a": "x"}\n')
    assert columns(path) == {"a": [1, "x"], "b": [None, MISSING]}


def test_jsonl_may_hold_the_nan_and_infinity_that_json_libraries_write(tmp_path: Path):
    path = write(tmp_path, "rows.jsonl", '{"a": NaN}\n{"a": -Infinity}\n{"a": 1}\n')
    assert repr(columns(path)) == "{'a': [nan, -inf, 1]}"
    path = write(tmp_path, "rows.jsonl", "".join(f'{{"a": {v}}}\n' for v in ("NaN", *range(99))))
    assert build_profile(path, []).features["a"].type is ColumnType.NUMBER


@pytest.mark.parametrize("line", [r'{"\ud800": 1}', '{"a": ' + "9" * 5000 + "}", "[" * 100_000])
def test_jsonl_that_no_reference_could_hold_is_one_sentence(tmp_path: Path, line: str):
    with pytest.raises(UsageError, match="line 1: is not JSON"):
        columns(write(tmp_path, "rows.jsonl", line + "\n"))


def test_a_line_that_is_too_long_is_said_to_be_that(tmp_path: Path):
    """Not that it is no JSON: cut where reading stopped, no line is."""
    path = write(tmp_path, "rows.jsonl", '{"a": "' + "x" * 16 * 1024**2 + '"}\n')
    with pytest.raises(UsageError, match="line 1: is longer than 16 MiB"):
        columns(path)


def test_parquet_is_read_with_its_types(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"a": [1.5, None], "b": ["x", "y"]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    assert columns(tmp_path / "rows.parquet") == {"a": [1.5, None], "b": ["x", "y"]}


def test_without_pyarrow_the_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *more: Any, **others: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'inference-sidecar\[parquet\]'"):
        columns(write(tmp_path, "rows.parquet", b"PAR1"))


def test_rows_come_in_chunks_and_progress_ends_at_the_end(tmp_path: Path):
    path = write(tmp_path, "rows.csv", "a\n" + "1\n" * 25)
    told: list[tuple[int, int]] = []
    sizes = [rows for rows, _ in read_columns(path, chunk_rows=10, progress=lambda *at: told.append(at))]

    assert sizes == [10, 10, 5]
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("rows.txt", "a\n1\n", "unknown kind of file; give .csv, .jsonl"),
        ("rows.csv", "a,b\n1\n", "line 2: 1 cell, but the header names 2"),
        ("rows.csv", "a,a\n1,2\n", "the column 'a' is there twice"),
        ("rows.csv", b"a\n\xff\xfe\n", "is not UTF-8 text"),
        ("rows.csv", 'a\n"' + "x" * 1_000_100, "line"),
        ("rows.csv", "a\n", "has no rows"),
        ("rows.csv", "", "has no rows"),
        ("rows.jsonl", "{\n", "line 1: is not JSON"),
        ("rows.jsonl", "[1]\n", "line 1: is not an object"),
        ("rows.parquet", b"nothing", "is not a parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, content: str | bytes, sentence: str
):
    with pytest.raises(UsageError) as caught:
        build_profile(write(tmp_path, name, content), [])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ((["a"], "a"), "--label: 'a' is the --prediction already; a column is one of the two"),
        ((["a"], "b", "b"), "--timestamp: 'b' is the --label already; a column is one of the two"),
    ],
)
def test_a_column_is_one_thing(tmp_path: Path, named: tuple[Any, ...], sentence: str):
    with pytest.raises(UsageError) as caught:
        build_profile(write(tmp_path, "rows.csv", "a,b\n1,2\n"), *named)
    assert str(caught.value) == sentence
    assert build_profile(write(tmp_path, "rows.csv", "a,b\n1,2\n"), ["a", "a"]).outputs.keys() == {"a"}


def test_a_file_that_is_not_there_is_said_before_its_kind(tmp_path: Path):
    for name, why in (("gone", "no such file or directory"), ("", "is a directory")):
        with pytest.raises(UsageError) as caught:
            build_profile(tmp_path / name, [])
        assert str(caught.value) == f"{tmp_path / name}: cannot be read: {why}"


def test_damaged_gzip_and_absent_files_are_one_sentence(tmp_path: Path):
    cut = write(tmp_path, "rows.csv.gz", CSV * 100)
    cut.write_bytes(cut.read_bytes()[:-20])
    for path in (cut, tmp_path / "none.csv", tmp_path):
        with pytest.raises(UsageError):
            build_profile(path, [])
    plain = tmp_path / "plain.csv.gz"
    plain.write_text(CSV)
    with pytest.raises(UsageError, match="the gzip data ends early or is damaged"):
        build_profile(plain, [])


def test_predictions_are_outputs_and_label_and_timestamp_are_neither(tmp_path: Path):
    found = build_profile(write(tmp_path, "rows.csv", CSV), ["score"], "label", "at")

    assert list(found.features) == ["age", "region", "member"]
    assert list(found.outputs) == ["score"]
    assert found.features["member"].type is ColumnType.BOOLEAN
    assert found.created


def test_a_column_that_was_named_but_is_not_there_is_told_with_those_that_are(tmp_path: Path):
    with pytest.raises(UsageError, match="has no column 'churn'; it has age, at, label"):
        build_profile(write(tmp_path, "rows.csv", CSV), ["churn"])


CELLS = ["1", "-2", "+3", "007", "4.0", "1e3", "", "nan", "x", "true", "9" * 18, "9" * 30, " 5"]


@given(st.lists(st.sampled_from(CELLS), min_size=1, max_size=6))
def test_a_column_read_at_once_is_what_its_cells_are_one_by_one(cells: list[str]):
    at_once, one_by_one = _values(tuple(cells)), [_cell(cell) for cell in cells]
    assert repr([_number(value) for value in at_once]) == repr([_number(value) for value in one_by_one])


def _number(value: Any) -> Any:
    """Whole numbers among others may be floats."""
    return float(value) if type(value) is int else value
