"""`sidecar replay` as users meet it."""

import json
import os
import random
import subprocess
import sys
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
