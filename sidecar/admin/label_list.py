"""What somebody posts as labels: JSON to values, with a sentence about each label that cannot be taken.

A label, a list of them, or {"labels": [...]}. Pure. What is wrong with one costs that one; only what is no
list of labels at all costs the whole. The trap: nothing that was posted is repeated in an error but
numbers, since it may be anybody's data and the error may end up in a log.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sidecar.decoders import json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.monitors.labels.values import NOTHING, Value, key_of, value_of
from sidecar.monitors.labels.waiting import Given
from sidecar.names import clean

# 4 MiB are 50,000 labels of 80 bytes; both take well under a second, and a larger job can post several times.
MAX_BYTES = 4 * 1024 * 1024
MAX_LABELS = 50_000
_MAX_TEXT = 256
# Clocks of two hosts differ; a prediction of tomorrow is a mistake.
_AHEAD_SECONDS = 300.0
# The oldest that can be meant: milliseconds or days for seconds would be before, or far ahead.
_OLDEST = 946_684_800.0
KEYS = frozenset({"id", "label", "labels", "row", "model_name", "model_version", "prediction", "timestamp"})
_SHAPE = 'give a label such as {"id": "a1", "label": 1}, a list of them, or {"labels": [...]}'
Problems = list[tuple[int, str]]


class NotLabels(Exception):
    """The body is no list of labels; says why in one sentence."""


class _Wrong(Exception):
    """This label cannot be taken; says why in one sentence."""


def read(body: bytes, now: float) -> tuple[list[Given], Problems]:
    """The labels that can be taken, and what is wrong with the others by their place. Raises NotLabels.

    `now` is wall clock.
    """
    try:
        document = json_text.read(body)
    except Undecodable as error:
        raise NotLabels(f"the body is not JSON: {error}") from error
    entries = _entries(document)
    if not entries:
        raise NotLabels(f"there is no label in it; {_SHAPE}")
    if len(entries) > MAX_LABELS:
        raise NotLabels(
            f"{len(entries):,} labels are too many at once; post at most {MAX_LABELS:,} at a time"
        )
    given: list[Given] = []
    problems: Problems = []
    rows = 0
    for at, entry in enumerate(entries):
        try:
            label = _label(at, entry, now)
            rows += len(label.values)
            if rows > MAX_LABELS:
                raise _Wrong(f"more than {MAX_LABELS:,} labels at once; post the rest again")
            given.append(label)
        except _Wrong as wrong:
            problems.append((at, str(wrong)))
    return given, problems


def _entries(document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        raise NotLabels(_SHAPE)
    inside = document.get("labels")
    if len(document) == 1 and isinstance(inside, list) and not _is_of_rows(inside):
        return inside
    return [document]


def _is_of_rows(labels: list[Any]) -> bool:
    """Whether these are labels of rows, and not objects with a label each."""
    return bool(labels) and not any(isinstance(label, dict) for label in labels)


def _label(at: int, entry: Any, now: float) -> Given:
    if not isinstance(entry, dict):
        raise _Wrong('not an object; give {"id": "a1", "label": 1}')
    if unknown := entry.keys() - KEYS:
        raise _Wrong(f"no such key: {_shown(min(unknown))}; keys are {', '.join(sorted(KEYS))}")
    values = tuple(_values(entry))
    key = _key(entry)
    row = _row(entry)
    prediction = _prediction(entry)
    model, version = _text(entry, "model_name"), _text(entry, "model_version")
    time = _time(entry, now)
    if prediction is None and key is None:
        raise _Wrong("no id; give the id of the prediction, or the prediction itself")
    if prediction is not None and not model:
        raise _Wrong("a label that brings its prediction needs model_name")
    if prediction is not None and "labels" in entry:
        raise _Wrong("labels of several rows cannot bring a prediction; give one label for each row")
    return Given(at, values, key, row, "labels" in entry, model, version, prediction, time)


def _values(entry: dict[str, Any]) -> Iterator[Value]:
    if ("label" in entry) == ("labels" in entry):
        raise _Wrong("give label, or labels for all rows of a prediction" + _also(entry))
    if "label" in entry:
        yield _value(entry["label"], "label")
        return
    labels = entry["labels"]
    if not isinstance(labels, list) or not labels:
        raise _Wrong("labels is not a list of labels, one for each row")
    if "row" in entry:
        raise _Wrong("labels are of all rows; give label with row, or labels without")
    for row, label in enumerate(labels):
        yield NOTHING if label is None else _value(label, f"labels[{row}]")


def _also(entry: dict[str, Any]) -> str:
    return ", not both" if "label" in entry else ""


def _value(found: Any, where: str) -> Value:
    if isinstance(found, str) and len(found) > _MAX_TEXT:
        raise _Wrong(f"{where} has {len(found):,} characters; a class has at most {_MAX_TEXT}")
    value = value_of(found)
    if value == NOTHING:
        what = "empty" if isinstance(found, str) else "NaN or infinite" if _is_number(found) else _kind(found)
        raise _Wrong(f"{where} is {what}; give a number, a text, true or false")
    return value


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _prediction(entry: dict[str, Any]) -> Value | None:
    if "prediction" not in entry:
        return None
    found = entry["prediction"]
    # A model that answered null was wrong, and its label says so.
    return NOTHING if found is None else _value(found, "prediction")


def _key(entry: dict[str, Any]) -> int | None:
    found = entry.get("id")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise _Wrong(f"id is {_kind(found)}; give a text")
    text = str(found)
    if not 0 < len(text) <= _MAX_TEXT:
        raise _Wrong(f"id has {len(text):,} characters; give 1 to {_MAX_TEXT}")
    return key_of(text)


def _row(entry: dict[str, Any]) -> int | None:
    found = entry.get("row")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 2**31:
        raise _Wrong("row is no row number; rows are counted from 0")
    return found


def _text(entry: dict[str, Any], key: str) -> str:
    found = entry.get(key)
    if found is None:
        return ""
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)  # "version": 3
    if not isinstance(found, str) or len(found) > _MAX_TEXT:
        raise _Wrong(f"{key} is {_kind(found)}; give a text of at most {_MAX_TEXT} characters")
    return clean(found)


def _time(entry: dict[str, Any], now: float) -> float | None:
    found = entry.get("timestamp")
    if found is None:
        return None
    want = "give when the prediction was made: seconds since 1970, or 2026-01-31T12:00:00Z"
    seconds = _seconds(found)
    if seconds is None or not math.isfinite(seconds) or seconds < _OLDEST:
        raise _Wrong(f"timestamp is no time; {want}")
    if seconds > now + _AHEAD_SECONDS:
        raise _Wrong(f"timestamp is in the future; {want}")
    return seconds


def _seconds(found: Any) -> float | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, int | float):
        return float(found) if abs(found) < 1e15 else None
    if not isinstance(found, str) or len(found) > 64:
        return None
    try:
        parsed = datetime.fromisoformat(found)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _kind(found: Any) -> str:
    kinds = {dict: "an object", list: "a list", bool: "true or false", float: "a number", int: "a number"}
    return kinds.get(type(found), "something else") if found is not None else "null"


def _shown(key: str) -> str:
    """The beginning of a key, if it looks like one: a typing mistake is worth showing, data is not."""
    return key if key.isascii() and key.isidentifier() and len(key) <= 30 else "one that is no name"
