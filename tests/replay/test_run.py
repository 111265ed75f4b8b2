"""`sidecar replay` as users meet it."""

import csv
import gzip
import json
import math
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "drift"
ANALYSIS = str(CASES / "car_loan_analysis_rows10000_39999.csv.gz")


def sidecar(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sidecar", *map(str, arguments)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("replay") / "reference.json"
    data = CASES / "car_loan_reference_15k.csv.gz"
    named = ["--prediction", "y_pred_proba", "--label", "repaid", "--timestamp", "timestamp"]
    assert sidecar("profile", data, *named, "-o", path).returncode == 0
    return path


def test_json_is_one_object_with_every_detection_and_the_scores_of_every_chunk(reference):
    done = sidecar("replay", ANALYSIS, "--reference", reference, "--format", "json", "--chunk", 10_000)
    found = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert found["rows"] == 30_000
    assert found["seconds"] > 0
    assert found["reference"]["source"] == "given"
    assert all(list(d) == ["row", "kind", "name", "level", "signal", "score"] for d in found["detections"])
    assert {d["level"] for d in found["detections"]} == {"event", "ticket", "page"}
    assert {d["kind"] for d in found["detections"]} == {"feature", "output"}
    assert [(chunk["row"], chunk["n"]) for chunk in found["chunks"]] == [
        (0, 10_000), (10_000, 10_000), (20_000, 10_000),
    ]  # fmt: skip
    scores = found["chunks"][2]["feature"]["car_value"]
    assert list(scores) == ["psi", "js", "tv", "ks", "null_ratio"]
    assert scores["psi"] > 1 and scores["ks"] > 0.4
    assert found["chunks"][2]["feature"]["salary_range"]["ks"] is None
    assert list(found["chunks"][0]["output"]) == ["y_pred_proba"]


def test_the_table_says_what_was_found_in_words(reference):
    shown = sidecar("replay", ANALYSIS, "--reference", reference)
    assert shown.returncode == 0
    assert "car_value" in shown.stdout and "tickets and pages" in shown.stdout


def test_without_a_reference_it_says_that_it_learnt_one(tmp_path):
    roles = ["--prediction", "y_pred_proba", "--label", "repaid", "--timestamp", "timestamp"]
    done = sidecar("replay", ANALYSIS, *roles, "--format", "json")
    found = json.loads(done.stdout)
    assert done.stderr == (
        "no reference was given: the first 5000 rows are it, right or wrong; the rest was judged\n"
    )
    assert found["reference"] == {**found["reference"], "source": "learnt", "rows": 5_000}
    assert found["chunks"][0]["row"] == 5_000

    (tmp_path / "few.csv").write_text("a\n1\n2\n")
    few = sidecar("replay", tmp_path / "few.csv", "--format", "json")
    assert "2 rows are too few to learn one (5000): nothing was judged" in few.stderr
    assert json.loads(few.stdout)["chunks"] == []


def test_outputs_that_were_not_recorded_are_said_not_to_be_judged(reference, tmp_path):
    names = "id,car_value,salary_range,debt_to_income_ratio,loan_length,repaid_loan_on_prev_car," \
        "size_of_downpayment,driver_tenure,y_pred"  # fmt: skip
    (tmp_path / "a.csv").write_text(f"{names}\n" + "1,2,0 - 20K €,1,1,True,20%,1,1\n" * 100)
    done = sidecar("replay", tmp_path / "a.csv", "--reference", reference, "--format", "json")
    assert "has no column y_pred_proba: of the outputs these are not judged" in done.stderr
    assert json.loads(done.stdout)["rows"] == 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.csv"], "gone.csv: cannot be read: no such file or directory"),
        (["gone.jsonl"], "gone.jsonl: cannot be read: no such file or directory"),
        ([ANALYSIS, "--reference", "gone.json"],
         "--reference: no file at gone.json; make one with: sidecar profile DATA -o gone.json"),
        ([ANALYSIS, "--chunk", "0"], "sidecar replay: argument --chunk: '0' is not a number of rows from 1 to"
         " 10000000 (see sidecar replay --help)"),
        ([ANALYSIS, "--timestamp", "when"], f"{ANALYSIS}: has no column 'when'; it has car_value,"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, sentence):
    failed = sidecar("replay", *arguments, "--format", "json")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith(sentence)


def test_an_empty_file_is_a_mistake(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n")
    failed = sidecar("replay", tmp_path / "a.csv")
    assert (failed.returncode, failed.stderr) == (2, f"{tmp_path}/a.csv: has no rows\n")


def exchange(at: int, mean: float) -> str:
    draw = random.Random(at)
    numbers = [draw.gauss(mean, 1.0) for _ in range(20)]
    body = {"inputs": [{"name": "x", "shape": [20], "datatype": "FP64", "data": numbers}]}
    answer = {"model_name": "m", "model_version": "1",
              "outputs": [{"name": "y", "shape": [20], "datatype": "FP64", "data": [0.5] * 20}]}  # fmt: skip
    said = {"target": "/v2/models/m/infer", "status": 200, "duration": 0.01}
    bodies = {"request": json.dumps(body), "response": json.dumps(answer)}
    return json.dumps({"time": 1_700_000_000 + at, **said, **bodies})


def test_flags_about_columns_are_said_to_mean_nothing_for_exchanges(tmp_path):
    (tmp_path / "traffic.jsonl").write_text(exchange(0, 0.0))
    done = sidecar("replay", tmp_path / "traffic.jsonl", "--label", "churned", "--timestamp", "day")
    assert done.returncode == 0
    assert "exchanges, which have no columns: --label, --timestamp says nothing here" in done.stderr


def test_recorded_exchanges_go_through_the_decoders_and_are_judged_by_model(tmp_path):
    lines = [exchange(at, 0.0 if at < 600 else 3.0) for at in range(900)]
    (tmp_path / "traffic.jsonl").write_text("\n".join(lines))
    done = sidecar("replay", tmp_path / "traffic.jsonl", "--format", "json")
    found = json.loads(done.stdout)

    assert (found["rows"], found["exchanges"], found["undecoded"]) == (18_000, 900, 0)
    pages = [d for d in found["detections"] if d["level"] == "page"]
    assert {(d["model"], d["kind"], d["name"]) for d in pages} == {("m", "feature", "x")}
    assert all(12_000 <= d["row"] < 12_400 for d in pages)
    assert found["chunks"][0]["model"] == "m"
    again = json.loads(sidecar("replay", tmp_path / "traffic.jsonl", "--format", "json").stdout)
    assert again["detections"] == found["detections"]


def test_the_configuration_says_whether_drift_may_page_for_all_or_for_one_model(reference, tmp_path):
    config = tmp_path / "sidecar.yaml"
    config.write_text(f"reference: {reference}\nmodels: {{calm: {{drift: {{page: false}}}}}}\n")

    def levels(*more: str) -> set[str]:
        done = sidecar("replay", ANALYSIS, "--config", config, *more, "--format", "json")
        return {d["level"] for d in json.loads(done.stdout)["detections"]}

    assert levels() == {"event", "ticket", "page"}
    assert levels("--model", "calm") == {"event", "ticket"}


DAY_ROWS, FIRST = 20_000, datetime(2024, 3, 4, tzinfo=UTC)


def seasonal(path: Path, days: int, at: object = None) -> Path:
    """Numbers with a daily rhythm of +-.6 deviations; `at` gives the text of a moment, if there is one."""
    draw = random.Random(5)
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["x", "y", "at"] if at else ["x", "y"])
        for row in range(days * DAY_ROWS):
            level = 0.6 * math.sin(2 * math.pi * row / DAY_ROWS)
            cells = [round(draw.gauss(level, 1.0), 4) for _ in range(2)]
            # Two rows share each moment, and nobody asks for three hours of the second day.
            moment = FIRST + timedelta(days=row // 2 * 2 / DAY_ROWS)
            if not (moment.day == 5 and 3 <= moment.hour < 6):
                out.writerow([*cells, at(moment)] if at else cells)
    return path


@pytest.fixture(scope="module")
def of_two_days(tmp_path_factory) -> Path:
    """The reference of whole days: it knows the rhythm as spread, not as hours."""
    directory = tmp_path_factory.mktemp("seasons")
    data = seasonal(directory / "two.csv", 2)
    assert sidecar("profile", data, "-o", directory / "reference.json").returncode == 0
    return directory / "reference.json"


SUMMER = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    "text",
    [
        lambda moment: moment.astimezone(SUMMER).isoformat(),
        lambda moment: moment.replace(tzinfo=None).isoformat(sep=" "),
        lambda moment: int(moment.timestamp() * 1000),
    ],
    ids=["a zone", "no zone", "milliseconds"],
)
def test_a_daily_rhythm_is_no_drift_where_rows_say_the_time(of_two_days, tmp_path, text):
    data = seasonal(tmp_path / "timed.csv", 5, text)
    done = sidecar("replay", data, "--reference", of_two_days, "--timestamp", "at", "--format", "json")
    found = json.loads(done.stdout)
    assert (done.stderr, found["timestamp"]) == ("", "at")
    known = 2 * DAY_ROWS + DAY_ROWS // 4
    assert [d for d in found["detections"] if d["level"] != "event" and d["row"] > known] == []


def test_without_a_time_the_same_rows_raise_tickets_and_it_says_why(of_two_days, tmp_path):
    data = seasonal(tmp_path / "timed.csv", 5, lambda moment: moment.isoformat())
    done = sidecar("replay", data, "--reference", of_two_days, "--format", "json")
    found = json.loads(done.stdout)
    assert done.stderr == (
        "no --timestamp was given: hours of the day are unknown, so a daily rhythm may count as drift\n"
    )
    assert found["timestamp"] is None
    assert [d for d in found["detections"] if d["level"] == "ticket"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            ["noon"] * 80,
            "no value of at says a time (ISO 8601, or a number since 1970): hours of the day are",
        ),
        (["2024-01-01"] * 79 + ["?"], "1 value of at says no time: its row counts as of the time before"),
        (
            ["2024-01-02"] * 70 + ["2024-01-01"] * 10,
            "10 rows are more than an hour older than one before them",
        ),
    ],
)
def test_times_that_cannot_be_used_are_said(of_two_days, tmp_path, cells, said):
    (tmp_path / "a.csv").write_text("x,y,at\n" + "".join(f"1,2,{cell}\n" for cell in cells))
    done = sidecar("replay", tmp_path / "a.csv", "--reference", of_two_days, "--timestamp", "at")
    assert (done.returncode, done.stderr.startswith(said)) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (
            "name",
            "predictions are fractions and the labels in 'name' texts, so nobody can tell which are right; ",
        ),
        ("empty", "no row has a label in 'empty', so there is nothing to judge; give another --label: "),
    ],
)
def test_a_column_that_holds_no_labels_is_said_with_the_columns_there_are(tmp_path, label, said):
    (tmp_path / "a.csv").write_text("score,name,empty,y\n" + "0.25,n1,,1\n0.5,n2,,0\n" * 40)
    done = sidecar("replay", tmp_path / "a.csv", "--prediction", "score", "--label", label)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(said) and last.endswith("a.csv has empty, name, score, y")
    assert "unclear" in done.stdout

    done = sidecar("replay", tmp_path / "a.csv", "--prediction", "empty", "--label", "y")
    assert "no prediction that has a label in 'y' is a value; give another --prediction: " in done.stderr


def test_a_file_without_the_references_timestamp_is_judged_and_it_says_so(reference, tmp_path):
    rows = [line.split(",") for line in _unpacked(ANALYSIS)[:200]]
    at = rows[0].index("timestamp") if "timestamp" in rows[0] else None
    kept = [[cell for i, cell in enumerate(row) if i != at] for row in rows]
    (tmp_path / "a.csv").write_text("".join(",".join(row) + "\n" for row in kept))
    done = sidecar("replay", tmp_path / "a.csv", "--reference", reference)
    assert done.returncode == 0
    assert "has no column 'timestamp', the reference's timestamp: hours of the day are unknown" in done.stderr


def _unpacked(path: str) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def broken(path: Path, rows: int = 4_000) -> Path:
    """Rows in which x is a thousand times itself from 1,000 to 2,000, and y half null from 3,000 on."""
    draw = random.Random(6)
    with open(path, "w") as file:
        file.write("x,y\n")
        for row in range(rows):
            x = draw.gauss(5.0, 1.0) * (1_000 if 1_000 <= row < 2_000 else 1)
            y = "" if row >= 3_000 and row % 2 else draw.gauss(0.0, 1.0)
            file.write(f"{x},{y}\n")
    return path


def test_problems_with_the_data_are_said_with_their_rows(tmp_path):
    good = broken(tmp_path / "good.csv", 1_000)
    assert sidecar("profile", good, "-o", tmp_path / "reference.json").returncode == 0
    data = broken(tmp_path / "bad.csv")
    found = json.loads(
        sidecar("replay", data, "--reference", tmp_path / "reference.json", "--format", "json").stdout
    )
    problems = {(p["feature"], p["problem"]): p for p in found["problems"]}
    assert set(problems) == {("x", "unit_change"), ("x", "out_of_range_surge"), ("y", "null_surge")}
    assert list(problems["x", "unit_change"]) == ["row", "until", "feature", "problem", "text"]
    assert problems["x", "unit_change"]["text"] == "values are 1,000 times the reference's"
    assert 1_000 <= problems["x", "unit_change"]["row"] < 1_512
    assert 2_000 < problems["x", "unit_change"]["until"] < 3_500
    assert 3_000 <= problems["y", "null_surge"]["row"] < 3_512
    assert problems["y", "null_surge"]["until"] is None

    shown = sidecar("replay", data, "--reference", tmp_path / "reference.json").stdout
    assert "null_surge" in shown and "3 problems with the data" in shown
    calm = sidecar("replay", good, "--reference", tmp_path / "reference.json").stdout
    assert "no problem with the data" in calm


def test_problems_of_recorded_exchanges_have_their_model_and_its_row(tmp_path):
    lines = [exchange(at, 0.0 if at < 600 else 1e6) for at in range(900)]
    (tmp_path / "traffic.jsonl").write_text("\n".join(lines))
    done = sidecar("replay", tmp_path / "traffic.jsonl", "--format", "json")
    found = json.loads(done.stdout)["problems"]
    assert done.stderr == ""
    assert {(p["model"], p["feature"]) for p in found} == {("m", "x")}
    assert all(12_000 <= p["row"] < 12_600 for p in found)
