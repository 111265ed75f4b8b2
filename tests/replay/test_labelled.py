"""Recorded predictions against their labels."""

import random

from sidecar.policy import Judgement, ModelPolicy
from sidecar.replay.labelled import LabelledRows


def labelled(predictions, labels, chunk=1_000, portions=1, policy=ModelPolicy()):
    rows = LabelledRows(policy, chunk)
    size = len(labels) // portions
    for at in range(0, len(labels), size):
        part = predictions[at : at + size]
        rows.feed(len(part), {"score": part}, labels[at : at + size])
    rows.finish()
    return rows


def test_each_chunk_has_its_figures_however_rows_are_portioned():
    predictions, labels = [1] * 2_500, ([1] * 9 + [0]) * 250
    for portions in (1, 5, 25):
        chunks = labelled(predictions, labels, portions=portions).chunks
        assert [(c["row"], c["n"], c["labelled"], c["accuracy"]) for c in chunks] == [
            (0, 1_000, 1_000, 0.9), (1_000, 1_000, 1_000, 0.9), (2_000, 500, 500, 0.9),
        ]  # fmt: skip
        assert {c["task"] for c in chunks} == {"classes"}


def test_rows_without_a_label_are_left_out():
    [chunk] = labelled([1] * 100, [1] * 40 + [None] * 60).chunks
    assert (chunk["n"], chunk["labelled"], chunk["accuracy"]) == (100, 40, 1.0)


def test_where_quality_fell_is_a_row_of_the_recording():
    chance = random.Random(4)
    labels = [int(chance.random() < 0.5) for _ in range(6_000)]
    shares = [0.9] * 3_000 + [0.6] * 3_000
    predictions = [y if chance.random() < p else 1 - y for p, y in zip(shares, labels, strict=True)]
    [fell] = labelled(predictions, labels).changes
    assert fell["fell"]
    assert 3_000 < fell["row"] < 3_400


def test_the_output_that_is_judged_can_be_named():
    rows = LabelledRows(ModelPolicy(judgement=Judgement(output="b")), 100)
    rows.feed(40, {"a": ["x"] * 40, "b": ["y"] * 40}, ["y"] * 40)
    rows.finish()
    assert rows.chunks[0]["accuracy"] == 1.0
    nowhere = LabelledRows(ModelPolicy(judgement=Judgement(output="c")), 100)
    nowhere.feed(40, {"a": ["x"] * 40}, ["y"] * 40)
    nowhere.finish()
    assert nowhere.chunks == []


def test_a_recording_is_unclear_only_if_no_chunk_could_be_judged():
    texts, classes = ["a", "b"] * 50, [0, 1] * 50
    assert labelled([0.5] * 100, texts).unclear == "classes"
    assert labelled([None] * 100, texts).unclear == "predictions"
    assert labelled([0.5] * 100, [None] * 100).unclear == "labels"
    assert labelled([0.5] * 200, [None] * 100 + classes, chunk=100).unclear == ""
