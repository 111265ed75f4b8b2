"""`sidecar explain`, from the command line to what is printed."""

import json
from pathlib import Path

import pytest

from sidecar.cli import main
from tests.decoders import captures

CAPTURE = str(captures.WIRE / "v2-rest" / "mls_iris_flat.request")
POST = b"POST /score HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


def raw(tmp_path: Path, body: bytes) -> str:
    path = tmp_path / "x.request"
    path.write_bytes(POST % (len(body), body))
    return str(path)


def test_a_capture_is_explained_for_a_person(capsys):
    assert main(["explain", CAPTURE]) == 0
    text = capsys.readouterr().out
    for part in ("POST /v2/models/iris/versions/v1.2/infer → 200", "v2, predict", "predict[0]", "5.1, 6.2"):
        assert part in text
    assert "features have no names" in text


def test_json_is_one_object_a_line(capsys):
    assert main(["explain", CAPTURE, "--format", "json"]) == 0
    [said] = map(json.loads, capsys.readouterr().out.splitlines())
    assert said["inference"] and said["rows"] == 2 and said["status"] == 200
    assert list(said["features"]) == [f"predict[{i}]" for i in range(4)]


@pytest.mark.parametrize("case", captures.CASES)
def test_every_capture_can_be_explained(case, capsys):
    assert main(["explain", str(captures.WIRE / f"{case}.request")]) == 0
    assert capsys.readouterr().out


def test_the_payload_of_a_configuration_is_followed(tmp_path, capsys):
    config = tmp_path / "sidecar.yaml"
    config.write_text("payload: {rows: deep.rows, features: [age]}")
    path = raw(tmp_path, b'{"deep": {"rows": [[41]]}, "more": 1}')
    assert main(["explain", path, "--config", str(config), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["features"] == {"age": [41]}


def test_a_long_target_stays_on_its_line(tmp_path, capsys):
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"time": 1.0, "method": "POST", "target": "/x" * 500, "request": "{}"}))
    assert main(["explain", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"1. POST {'/x' * 500} → no answer"


def test_what_the_configuration_says_of_the_model_is_said_to_be_from_there(tmp_path, capsys):
    config, path = tmp_path / "sidecar.yaml", raw(tmp_path, b'{"age": 41}')
    config.write_text("model: {name: churn, version: 3}")
    assert main(["explain", path, "--config", str(config)]) == 0
    text = capsys.readouterr().out
    assert "churn, version 3 (from the configuration)\n" in text and "set model.name" not in text

    assert main(["explain", CAPTURE, "--config", str(config), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == {
        "name": "iris", "version": "v1.2", "name_from": "traffic", "version_from": "traffic",
    }  # fmt: skip
    assert main(["explain", path]) == 0
    text = capsys.readouterr().out
    assert "not named, version not said\n" in text and "set model.name" in text


def test_the_names_of_a_reference_are_given(tmp_path, capsys):
    data, reference = tmp_path / "iris.csv", tmp_path / "r.json"
    data.write_text("a,b,c,d\n" + "1,2,3,4\n" * 50)
    assert main(["profile", str(data), "-o", str(reference)]) == 0
    config = tmp_path / "sidecar.yaml"
    config.write_text("reference: r.json")
    capsys.readouterr()
    assert main(["explain", CAPTURE, "--config", str(config), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said["features"]) == list("abcd") and said["advice"] == []


def test_no_control_character_of_a_payload_reaches_the_terminal(tmp_path, capsys):
    path = raw(tmp_path, json.dumps({"\x1b[31m": "\x1b]0;x\x07", "[bold]b": "\u202ex"}).encode())
    assert main(["explain", path]) == 0
    text = capsys.readouterr().out
    assert "[bold]b" in text
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give a FILE, or --recent"),
        (["x", "--recent"], "give a FILE, or --recent"),
        (["--recent", "abc"], "'abc' is no number; give the one that sidecar explain --recent puts before"),
        (["/nowhere"], "cannot be read"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(arguments, told, capsys):
    assert main(["explain", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_file_without_exchanges_fails(tmp_path, capsys):
    (tmp_path / "x.jsonl").write_text("\n")
    assert main(["explain", str(tmp_path / "x.jsonl")]) == 1
    assert "no exchanges" in capsys.readouterr().err


def test_asking_nobody_is_a_sentence(tmp_path, capsys):
    assert main(["explain", "--recent", "--admin", f"unix:{tmp_path}/none"]) == 1
    assert "no sidecar answers" in capsys.readouterr().err
