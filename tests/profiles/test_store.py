"""A reference as a file: what is kept, and the exact sentence for each mistake."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.errors import ConfigError
from sidecar.profiles import store
from sidecar.profiles.build import ProfileBuilder
from sidecar.reference import Reference


def reference() -> Reference:
    builder = ProfileBuilder()
    builder.add(
        40, {"age": [20.5, 30.5, None, 41.0] * 10, "region": ["n", "s"] * 20}, {"churn": [True, False] * 20}
    )
    return builder.reference(created="2024-05-01T00:00:00+00:00", model="m")


def document(**changes: Any) -> dict[str, Any]:
    return {**store.to_json(reference()), **changes}


def problems(wrong: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        store.from_json(wrong, "ref.json")
    return caught.value.problems


def with_age(**changes: Any) -> dict[str, Any]:
    whole = document()
    whole["features"]["age"].update(changes)
    return whole


def test_what_is_saved_is_loaded(tmp_path: Path):
    store.save(reference(), tmp_path / "ref.json")
    assert store.load(tmp_path / "ref.json") == reference()
    assert [path.name for path in tmp_path.iterdir()] == ["ref.json"]


def test_a_device_is_written_to_and_not_replaced_by_a_file(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    store.save(reference(), pipe)
    assert b'"schema"' in os.read(reading, 65536)
    assert pipe.is_fifo()
    os.close(reading)


def test_a_link_stays_a_link_to_the_file_that_is_replaced(tmp_path: Path):
    (tmp_path / "link.json").symlink_to("ref.json")
    store.save(reference(), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert store.load(tmp_path / "ref.json") == reference()


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path):
    (tmp_path / "ref.json").mkdir()
    with pytest.raises(OSError):
        store.save(reference(), tmp_path / "ref.json")
    assert [path.name for path in tmp_path.iterdir()] == ["ref.json"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([], 'ref.json: schema: found []; give "inference-sidecar/reference/v1"'),
        ({"schema": "v0"}, 'ref.json: schema: found v0; give "inference-sidecar/reference/v1"'),
        (document(rows=-1), "ref.json: rows: found -1; give a whole number from 0"),
        (document(source="guess"), 'ref.json: source: found guess; give "given" or "learnt"'),
        (
            document(features={}, outputs={}),
            "ref.json: features: found {}; give at least one feature or output",
        ),
        (
            with_age(type="integer"),
            "ref.json: features.age.type: found integer; "
            "give one of number, category, boolean, text, timestamp",
        ),
        (with_age(null_ratio=2), "ref.json: features.age.null_ratio: found 2; give a number from 0 to 1"),
        (
            with_age(edges=[3, 2]),
            "ref.json: features.age.edges: found edges out of order; "
            "give each edge greater than the one before",
        ),
        (
            with_age(shares=[1.0]),
            "ref.json: features.age.shares: found 1 shares; give 3, one more than edges",
        ),
        (
            with_age(shares=[0.5, 0.5, 0.5]),
            "ref.json: features.age.shares: found shares that are not shares; "
            "give numbers from 0 that add up to 1",
        ),
        (with_age(min=99), "ref.json: features.age.min: found 99.0; give at most max (41.0)"),
        (with_age(rows="many"), "ref.json: features.age.rows: found many; give a whole number from 0"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_key(wrong: Any, sentence: str):
    assert problems(wrong)[0] == sentence


def test_every_problem_is_reported_at_once():
    whole = with_age(null_ratio=2, rows=None)
    whole["outputs"]["churn"]["type"] = "?"
    assert len(problems(whole)) == 3


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=["empty", "cut", "utf", "deep"]
)
def test_a_file_that_is_no_json_is_one_sentence(tmp_path: Path, content: bytes):
    path = tmp_path / "ref.json"
    path.write_bytes(content)
    with pytest.raises(
        ConfigError, match="is not JSON; make a reference with: sidecar profile DATA -o reference"
    ):
        store.load(path)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        store.load(tmp_path / "none.json")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150)
@given(st.sampled_from(["type", "rows", "null_ratio", "edges", "shares", "levels", "min", "mean"]), values)
def test_any_value_at_any_key_loads_or_is_a_problem_never_a_crash(key: str, value: Any):
    problems: list[str] = []
    try:
        assert json.dumps(store.to_json(store.from_json(with_age(**{key: value}), "ref.json")))
    except ConfigError as error:
        problems = error.problems
    assert all(problem.startswith("ref.json: ") for problem in problems)
