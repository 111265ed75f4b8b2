"""What is posted as labels: hostile, mistaken, and right."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.admin import label_list
from sidecar.admin.label_list import NotLabels, read
from sidecar.monitors.labels.values import NOTHING, key_of, value_of

NOW = 1_800_000_000.0
GOOD = {"id": "a", "label": 1}


def refusal(body):
    """The sentence a body is refused with; None if it is not."""
    try:
        read(body, NOW)
    except NotLabels as error:
        return str(error)
    return None


def reading(document):
    return read(json.dumps(document).encode(), NOW)


@pytest.mark.parametrize("document", [GOOD, [GOOD], {"labels": [GOOD]}])
def test_a_label_may_stand_alone_or_in_a_list(document):
    [given_], problems = reading(document)
    assert (given_.key, given_.values, problems) == (key_of("a"), (value_of(1),), [])


def test_labels_of_all_rows_and_those_not_known_yet():
    [of_rows], _ = reading({"id": 7, "labels": [1, None, "no"]})
    assert of_rows.all_rows
    assert (of_rows.key, of_rows.values) == (key_of("7"), (value_of(1), NOTHING, value_of("no")))


def test_a_label_may_bring_its_prediction():
    [brought], problems = reading(
        {
            "prediction": None,
            "label": "x",
            "model_name": "m",
            "model_version": 3,
            "timestamp": "2026-01-31T00:00:00Z",
        }
    )
    assert problems == []
    assert (brought.prediction, brought.model, brought.version) == (NOTHING, "m", "3")
    assert brought.time == 1_769_817_600.0


WANTED = "give a number, a text, true or false"
TIMES = "give when the prediction was made: seconds since 1970, or 2026-01-31T12:00:00Z"
KEYS = "keys are id, label, labels, model_name, model_version, prediction, row, timestamp"
NEITHER = "give label, or labels for all rows of a prediction"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (7, 'not an object; give {"id": "a1", "label": 1}'),
        ({}, NEITHER),
        ({"id": "a", "label": 1, "labels": [1]}, f"{NEITHER}, not both"),
        ({"id": "a", "label": None}, f"label is null; {WANTED}"),
        ({"id": "a", "label": float("nan")}, f"label is NaN or infinite; {WANTED}"),
        ({"id": "a", "label": {"x": 1}}, f"label is an object; {WANTED}"),
        ({"id": "a", "label": ""}, f"label is empty; {WANTED}"),
        ({"id": "a", "label": "x" * 999}, "label has 999 characters; a class has at most 256"),
        ({"id": "a", "labels": [1, []]}, f"labels[1] is a list; {WANTED}"),
        ({"id": "a", "labels": []}, "labels is not a list of labels, one for each row"),
        ({"id": "a", "labels": [1], "row": 0},
         "labels are of all rows; give label with row, or labels without"),
        ({"id": "a", "label": 1, "row": -1}, "row is no row number; rows are counted from 0"),
        ({"id": "a", "label": 1, "row": True}, "row is no row number; rows are counted from 0"),
        ({"label": 1}, "no id; give the id of the prediction, or the prediction itself"),
        ({"id": "", "label": 1}, "id has 0 characters; give 1 to 256"),
        ({"id": 1.5, "label": 1}, "id is a number; give a text"),
        ({"prediction": 1, "label": 1}, "a label that brings its prediction needs model_name"),
        ({"id": "a", "label": 1, "timestamp": 17}, f"timestamp is no time; {TIMES}"),
        ({"id": "a", "label": 1, "timestamp": NOW * 1000}, f"timestamp is in the future; {TIMES}"),
        ({"id": "a", "labell": 1}, f"no such key: labell; {KEYS}"),
        ({"id": "a", "patient 4711 <b>": 1}, f"no such key: one that is no name; {KEYS}"),
    ],
)  # fmt: skip
def test_a_label_that_cannot_be_taken_is_named_and_costs_only_itself(wrong, sentence):
    given_, problems = reading([GOOD, wrong, GOOD])
    assert problems == [(1, sentence)]
    assert [each.at for each in given_] == [0, 2]


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b"7", b"null", b"{", b"[" * 100_000, b"\xff\xfe", b'{"labels": []}']
)
def test_what_is_no_list_of_labels_is_refused_in_a_sentence(body):
    assert refusal(body) or read(body, NOW)[1]


def test_more_than_may_come_at_once_is_said(monkeypatch):
    monkeypatch.setattr(label_list, "MAX_LABELS", 3)
    with pytest.raises(NotLabels, match="4 labels are too many at once; post at most 3 at a time"):
        reading([GOOD] * 4)
    given_, problems = reading([{"id": "a", "labels": [1, 2]}, {"id": "b", "labels": [1, 2]}])
    assert len(given_) == 1
    assert problems == [(1, "more than 3 labels at once; post the rest again")]


@given(st.binary(max_size=60))
def test_any_bytes_are_labels_or_a_sentence(body):
    assert refusal(body) != ""


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
keys = st.sampled_from([*sorted(label_list.KEYS), "other"])


@given(st.lists(st.dictionaries(keys, json_values, max_size=5), min_size=1, max_size=4))
def test_every_label_is_taken_or_named(document):
    given_, problems = reading({"labels": document})
    assert sorted([each.at for each in given_] + [at for at, _ in problems]) == list(range(len(document)))
