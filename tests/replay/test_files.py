"""Which columns of a recorded file are what."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sidecar.errors import UsageError
from sidecar.profiles.read import build_profile
from sidecar.reference import ColumnProfile, ColumnType
from sidecar.replay.files import Roles, holds_exchanges, read_rows
from tests.fakes import reference

NUMBER = ColumnType.NUMBER
GIVEN = reference(
    [ColumnProfile("age", NUMBER, 10, shares=(1.0,)), ColumnProfile("pay", NUMBER, 10, shares=(1.0,))],
    [ColumnProfile("score", NUMBER, 10, shares=(1.0,))],
)


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_with_a_reference_only_its_own_columns_count(tmp_path):
    file = write(tmp_path / "a.csv", "id,age,pay,score,truth\n1,41,2.5,0.3,1\n")
    [(rows, features, outputs, times, *_)] = read_rows(file, GIVEN, Roles(), 5_000)
    assert (rows, features, outputs, times) == (1, {"age": [41], "pay": [2.5]}, {"score": [0.3]}, None)


def test_embeddings_are_judged_by_the_numbers_that_stand_for_them(tmp_path):
    vectors = np.random.default_rng(0).normal(1, 1, size=(1_100, 20)).round(3).tolist()
    file = write(tmp_path / "a.jsonl", "".join(json.dumps({"age": 41, "e": v}) + "\n" for v in vectors))
    given = build_profile(file, ["e"])
    [(rows, _, outputs, *_)] = read_rows(file, given, Roles(), 5_000)

    assert set(outputs) == {"e.norm", "e.mean", "e.sparsity", "e.dimension", "e.cosine"}
    assert {len(values) for values in outputs.values()} == {rows}
    assert outputs["e.norm"][0] == pytest.approx(np.linalg.norm(vectors[0]))
    assert -1 <= min(outputs["e.cosine"]) < max(outputs["e.cosine"]) <= 1


def test_what_stands_for_texts_is_no_column_that_a_file_lacks(tmp_path):
    texts = "".join(f"note {at} of {at % 7} words\n" for at in range(6_000))
    file = write(tmp_path / "a.csv", "comment\n" + texts)
    given = build_profile(file, [])
    assert "comment.length" in given.features
    assert sum(rows for rows, *_ in read_rows(file, given, Roles(), 5_000)) == 6_000

    other = write(tmp_path / "b.csv", "comment.length\n7\n")
    with pytest.raises(UsageError, match="has no column 'comment'"):
        list(read_rows(other, given, Roles(), 5_000))


def test_outputs_that_were_not_recorded_are_left_out(tmp_path):
    file = write(tmp_path / "a.csv.gz", "age,pay\n41,2.5\n")
    [(_, _, outputs, *_)] = read_rows(file, GIVEN, Roles(), 5_000)
    assert outputs == {}


def test_without_a_reference_every_column_is_a_feature_but_those_said_to_be_something_else(tmp_path):
    file = write(tmp_path / "a.jsonl", '{"age": 41, "score": 0.3, "truth": 1, "at": "2024-01-01"}\n')
    roles = Roles(["score"], "truth", "at")
    [(_, features, outputs, times, predictions, labels, names, _)] = read_rows(file, None, roles, 5_000)
    assert (features, outputs, times) == ({"age": [41]}, {"score": [0.3]}, [1704067200.0])
    assert (predictions, labels, names) == ({"score": [0.3]}, [1], "age, at, score, truth")


@pytest.mark.parametrize(
    ("header", "given", "roles", "sentence"),
    [
        ("age,score", GIVEN, Roles(),
         "has no column 'pay', which the reference has as a feature; give --partial to judge those that are"
         " there"),
        ("score", GIVEN, Roles(),
         "has no column 'age' (and 1 more), which the reference has as a feature; give --partial to judge"
         " those that are there"),
        ("b,a", GIVEN, Roles(partial=True), "has no column of the reference; it has a, b"),
        ("a,b", None, Roles(["y"]), "has no column 'y'; it has a, b"),
        ("age,pay", GIVEN, Roles(timestamp="at"), "has no column 'at'; it has age, pay"),
    ],
)  # fmt: skip
def test_a_missing_column_is_one_sentence(tmp_path, header, given, roles, sentence):
    file = write(tmp_path / "a.csv", f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    with pytest.raises(UsageError) as error:
        list(read_rows(file, given, roles, 5_000))
    assert str(error.value) == f"{file}: {sentence}"


def test_partial_judges_the_columns_that_are_there(tmp_path):
    file = write(tmp_path / "a.csv", "pay\n2.5\n")
    [(_, features, *_)] = read_rows(file, GIVEN, Roles(partial=True), 5_000)
    assert features == {"pay": [2.5]}


def test_times_are_seconds_parts_of_them_or_iso_text_and_never_go_back(tmp_path):
    cells = ["100", "2001-09-09T01:46:40Z", "soon", "", "50", "1000000001000000", "2100-01-01"]
    file = write(tmp_path / "a.csv", "age,at\n" + "".join(f"1,{cell}\n" for cell in cells))
    portions = read_rows(file, None, Roles(timestamp="at"), 2)
    times = [time for portion in portions for time in portion.times]
    assert times == [100.0, 1e9, 1e9, 1e9, 1e9, 1000000001.0, 4102444800.0]


@pytest.mark.parametrize(
    ("line", "exchanges"),
    [
        ({"target": "/v2/models/m/infer", "request": "{}"}, True),
        ({"target": "http://model/predict"}, True),
        ({"target": 1, "age": 41}, False),
        ({"target": "yes", "age": 41}, False),
        ({"age": 41}, False),
        ([1], False),
    ],
)
def test_the_first_line_says_whether_a_file_holds_exchanges(tmp_path, line, exchanges):
    for name in ("a.jsonl", "a.ndjson.gz"):
        assert holds_exchanges(write(tmp_path / name, "\n" + json.dumps(line) + "\n")) is exchanges


def test_what_is_no_json_lines_holds_no_exchanges(tmp_path):
    assert not holds_exchanges(write(tmp_path / "a.csv", "target\n/v2\n"))
    assert not holds_exchanges(write(tmp_path / "a.jsonl", ""))
    assert not holds_exchanges(write(tmp_path / "b.jsonl", "not json\n"))
