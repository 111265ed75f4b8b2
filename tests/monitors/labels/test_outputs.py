"""Which output is compared with the label."""

import numpy as np
import pytest

from sidecar.inference import Column
from sidecar.monitors.labels.outputs import candidate, decided, judged


def outputs(**columns):
    return [
        Column(name.replace("_0", "[0]").replace("_1", "[1]").replace("_2", "[2]"), v)
        for name, v in columns.items()
    ]


@pytest.mark.parametrize(
    ("columns", "name", "found"),
    [
        ({"a": [1.5]}, "", [1.5]),
        ({"a": [1.5], "b": [2.5]}, "b", [2.5]),
        ({"a": [1.5]}, "nowhere", None),
        ({"score": [0.3], "label": ["yes"]}, "", ["yes"]),
        ({"score": [0.3], "label": [None, True]}, "", [None, True]),
        ({"p_0": [0.9, 0.2], "p_1": [0.1, 0.8]}, "", [0.1, 0.8]),
        ({"p_0": [0.1, 0.2], "p_1": [0.7, 0.2], "p_2": [0.2, 0.6]}, "", [1, 2]),
        ({"p_0": [0.1], "p_1": [0.7]}, "", [0.1]),  # no probabilities: they do not add up
        ({"p_0": [0.5, None], "p_1": [0.5, 1.0]}, "", [0.5, None]),
        ({"p_0": [0.5], "p_1": [0.2, 0.3]}, "", [0.5]),
        ({}, "", None),
    ],
)
def test_the_one_that_was_named_or_holds_classes_or_probabilities_or_is_the_first(columns, name, found):
    values = judged(outputs(**columns), name)
    assert (values if values is None else list(values)) == found


def test_classes_in_arrays_are_classes():
    chosen = judged([Column("p", np.array([0.5])), Column("c", np.array([3]))], "")
    assert list(chosen) == [3]


def test_many_matrices_at_once_are_decided_as_one_by_one():
    every = [
        {"p_0": [0.9, 0.2], "p_1": [0.1, 0.8]},
        {"p_0": np.array([0.4]), "p_1": np.array([0.6])},
        {"p_0": [0.9, 0.2], "p_1": [0.1, 0.7]},
        {"p_0": [0.5, None], "p_1": [0.5, 1.0]},
        {"p_0": [[1.0]], "p_1": [0.0]},
        {"p_0": [float("inf")], "p_1": [-float("inf")]},
        {"p_0": [0.1, 0.2], "p_1": [0.7, 0.2], "p_2": [0.2, 0.6]},
        {"p_0": [0.1], "p_1": [0.7], "p_2": [0.1]},
    ]
    together = decided([candidate(outputs(**columns), "") for columns in every])
    alone = [judged(outputs(**columns), "") for columns in every]
    assert [list(values) for values in together] == [list(values) for values in alone]
    assert [list(values) for values in together] == [
        [0.1, 0.8], [0.6], [0.9, 0.2], [0.5, None], [[1.0]], [float("inf")], [1, 2], [0.1],
    ]  # fmt: skip
