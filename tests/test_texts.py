"""What text looks like, in numbers."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sidecar.inference import MISSING
from sidecar.reference import ColumnProfile, ColumnType
from sidecar.texts import LOOKED_AT, is_derived, sent, statistics


def test_length_and_shares_of_characters():
    found = statistics(["ab 12", "", "é日本", "\t\n", "x" * 10_000, "😀", "\ud800"])
    assert found[0].tolist() == [5, 0, 3, 2, 10_000, 1, 1]
    assert found[1].tolist() == [0.4, 0, 0, 0, 0, 0, 0]
    assert found[2].tolist() == [0.2, 0, 0, 1, 0, 0, 0]
    assert found[3].tolist() == [0, 0, 1, 0, 0, 1, 1]


def test_only_the_beginning_of_a_text_is_looked_at():
    assert statistics(["a" * LOOKED_AT + "1" * 10_000])[1, 0] == 0


@given(st.lists(st.one_of(st.text(max_size=20), st.none(), st.just(MISSING), st.integers(), st.floats())))
def test_what_is_no_text_has_no_numbers_and_nothing_raises(values):
    found = statistics(values)
    assert found.shape == (4, len(values))
    for i, value in enumerate(values):
        assert np.isnan(found[:, i]).all() == (not isinstance(value, str))
        assert all(math.isnan(share) or 0 <= share <= 1 for share in found[1:, i])


def test_features_derived_from_text_are_told_from_those_that_are_sent():
    text, number = ColumnProfile("a", ColumnType.TEXT, 9), ColumnProfile("b", ColumnType.NUMBER, 9)
    features = {"a": text, "b": number, "a.length": number, "b.length": number, "c.digits": number}
    assert sent(features) == ["a", "b", "b.length", "c.digits"]
    assert is_derived("a.length", features)
