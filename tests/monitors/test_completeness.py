"""Which rows are complete."""

import numpy as np

from sidecar.batch import CleanColumn, State
from sidecar.monitors.completeness import LEARNT_AFTER_ROWS, AlwaysPresent, complete_rows, required
from sidecar.reference import ColumnProfile, ColumnType, Expectation


def columns(**states):
    return {n: CleanColumn(n, ColumnType.NUMBER, np.array(s, np.uint8)) for n, s in states.items()}


def test_a_row_is_complete_when_every_required_feature_is_available():
    features = columns(a=[0, State.NULL, 0, 0], b=[0, 0, State.WRONG_TYPE, 0], optional=[0, 0, 0, State.NULL])
    assert complete_rows(features, ["a", "b"], 4).sum() == 2


def test_range_and_unseen_category_do_not_make_a_row_incomplete():
    assert complete_rows(columns(a=[State.OUT_OF_RANGE, State.UNSEEN_CATEGORY]), ["a"], 2).sum() == 2


def test_without_a_required_column_no_row_is_complete_and_without_requirements_all_are():
    assert complete_rows(columns(a=[0, 0]), ["b"], 2).sum() == 0
    assert complete_rows(columns(a=[State.NULL, 0]), [], 2).sum() == 2


def test_the_configuration_overrules_the_reference_both_ways():
    often_null = ColumnProfile("often_null", ColumnType.NUMBER, 1_000, null_ratio=0.2)
    never_null = ColumnProfile("never_null", ColumnType.NUMBER, 1_000, null_ratio=0.001)
    assert required({}, [often_null, never_null]) == {"never_null"}
    said = {"often_null": Expectation(required=True), "never_null": Expectation(required=False)}
    assert required(said, [often_null, never_null]) == {"often_null"}
    assert required({"never_null": Expectation(min=0)}, [often_null, never_null]) == {"never_null"}


def test_while_learning_a_feature_that_was_null_once_is_optional():
    always = AlwaysPresent()
    always.learn(columns(a=[0, 0], b=[0, 0]), 2)
    assert always.names == {"a", "b"}
    always.learn(columns(a=[0, 0], b=[0, State.NULL]), 2)
    assert always.names == {"a"}
    always.learn(columns(a=[0, 0], b=[0, 0]), 2)
    assert always.names == {"a"}


def test_while_learning_a_feature_that_came_later_is_not_required():
    always = AlwaysPresent()
    always.learn(columns(a=[0]), 1)
    always.learn(columns(a=[0], late=[0]), 1)
    assert always.names == {"a"}


def test_after_enough_rows_an_outage_cannot_make_a_feature_optional():
    always = AlwaysPresent()
    always.learn(columns(a=[0] * LEARNT_AFTER_ROWS), LEARNT_AFTER_ROWS)
    always.learn(columns(a=[State.NULL]), 1)
    assert always.names == {"a"}
