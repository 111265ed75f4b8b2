"""Every key there is, each with every value that somebody might leave there by mistake."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar import config
from sidecar.config import problems
from sidecar.config.file import dotted
from sidecar.errors import ConfigError

KEYS = sorted(problems.all_keys())
NO_NUMBERS = ("nan", ".nan", "inf", "-.inf", "1e999", "0x10", "1_000", "٣", "-5s", "9" * 50)
BAD = (
    *NO_NUMBERS, "", " ", "-1", "0", "1.5", "maybe", "x" * 5_000, "a\0b", "a\nb", "\x1b[31m", "a\u202eb",
    [], ["a"], [[]], {}, {"a": "b"}, {"": "b"}, [None],
)  # fmt: skip
# The same sections again.
UNDER_A_MODEL = ("nan", "a\0b", ["a"])


def values(key: str) -> tuple[Any, ...]:
    """What somebody might leave at `key`."""
    return UNDER_A_MODEL if key.startswith("models.<name>.") else BAD


def placed(key: str, value: Any) -> tuple[tuple[str | int, ...], Any]:
    """The path of `key`, with a name of the user's where it has one, and a tree that has `value` there."""
    path: list[str | int] = []
    for part in key.split("."):
        path += [part[:-2], 0] if part.endswith("[]") else ["mine" if part == "<name>" else part]
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    return tuple(path), value


def answered(env: dict[str, str], file: Path | None = None) -> list[str]:
    """What `sidecar check` says; nothing if all is fine."""
    try:
        config.load(str(file) if file else None, env, {}, reference=lambda path: None)
    except ConfigError as error:
        return error.problems
    return []


def said(text: str, tmp_path: Path) -> list[str]:
    """The same of a file with this text, without the file's name."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return [sentence.removeprefix(f"{file}: ") for sentence in answered({}, file)]


@pytest.mark.parametrize("key", KEYS)
def test_a_bad_value_is_one_line_that_names_its_key_and_says_what_would_be_right(key, tmp_path):
    for value in values(key):
        path, tree = placed(key, value)
        sentences = said(json.dumps(tree), tmp_path)
        about = [sentence for sentence in sentences if sentence.startswith(dotted(path))]
        # What is missing beside or below it is said as well.
        others = [sentence for sentence in sentences if sentence not in about]
        assert all("missing; " in s or "no feature has a max_age" in s for s in others), (value, others)
        assert len([s for s in about if "missing; " not in s]) <= 1, (value, about)
        assert all(s.isprintable() and len(s) < 400 for s in sentences), (value, sentences)


@pytest.mark.parametrize("key", [key for key in KEYS if problems.allowed(placed(key, None)[0]) is not str])
def test_only_texts_may_be_what_is_no_number(key, tmp_path):
    for value in NO_NUMBERS if values(key) is BAD else ("nan",):
        path, tree = placed(key, value)
        assert any(s.startswith(f"{dotted(path)}: ") for s in said(json.dumps(tree), tmp_path)), value


@pytest.mark.parametrize("key", KEYS)
def test_a_variable_is_answered_as_the_file_is(key):
    path, _ = placed(key, None)
    if 0 in path:
        return  # there is no variable for a place in a list
    variable = "SIDECAR_" + "__".join(map(str, path)).upper()
    for value in ("[", "{a: }", "!!x", "\x1b"):
        sentences = answered({variable: value})
        about = [s for s in sentences if s.startswith(variable)]
        assert len([s for s in about if "missing; " not in s]) <= 1
        assert all(s in about or "missing; " in s for s in sentences), (value, sentences)
