"""What a profile says of the values it was built from."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.inference import MISSING
from sidecar.profiles.build import MAX_LEVELS, ColumnBuilder, ProfileBuilder
from sidecar.profiles.store import from_json, to_json
from sidecar.reference import ColumnProfile, ColumnType


def profile(values: list | np.ndarray, *, output: bool = False) -> ColumnProfile:
    builder = ColumnBuilder("x")
    builder.add(values)
    return builder.profile(output=output)


def test_a_number_has_twenty_bins_of_equal_share_and_its_moments():
    found = profile(np.random.default_rng(1).normal(1e6, 2.0, 20_000))

    assert found.type is ColumnType.NUMBER
    assert len(found.edges) == 19
    assert found.shares == pytest.approx([0.05] * 20, abs=0.001)
    assert found.mean == pytest.approx(1e6, abs=0.1)
    assert found.stddev == pytest.approx(2.0, rel=0.02)


def test_a_number_with_few_values_has_a_bin_for_each():
    found = profile([0.0, 1.0, 1.0, 3.0] * 25)
    assert found.edges == (0.0, 1.0)
    assert found.shares == pytest.approx([0.25, 0.5, 0.25])


def test_a_constant_has_a_below_and_an_above():
    found = profile([7.0] * 50)
    assert np.searchsorted(found.edges, [6.0, 7.0, 8.0]).tolist() == [0, 1, 2]
    assert found.shares == (0, 1, 0)


def test_a_value_that_fills_many_quantiles_is_one_bin():
    found = profile([0.0] * 900 + [float(i) for i in range(1, 101)][::-1])
    assert list(found.edges) == sorted(set(found.edges))
    assert sum(found.shares) == pytest.approx(1)


def test_null_nan_and_missing_are_the_null_ratio_and_infinity_is_not():
    found = profile([1.5, None, MISSING, float("nan"), float("inf"), 2.5, 1.0, 0.5])
    assert found.null_ratio == 3 / 8
    assert found.max == 2.5


@pytest.mark.parametrize(
    ("values", "output", "type"),
    [
        ([True, False] * 10, False, ColumnType.BOOLEAN),
        (["a", "b", None] * 30, False, ColumnType.CATEGORY),
        ([1, 0] * 10, False, ColumnType.NUMBER),
        ([1, 0] * 10, True, ColumnType.CATEGORY),
        ([0.5, 0.25] * 10, True, ColumnType.NUMBER),
        ([f"customer {i}" for i in range(3_000)], False, ColumnType.TEXT),
        ([f"2024-01-{i % 28 + 1:02}T10:00:00" for i in range(100)], False, ColumnType.TIMESTAMP),
        ([None, None], False, ColumnType.TEXT),
        ([[1, 2], {"a": 1}, 10**400, "x"], False, ColumnType.CATEGORY),
        (list(range(1_000)), False, ColumnType.TEXT),
    ],
)
def test_the_type_is_inferred_from_the_values(values: list, output: bool, type: ColumnType):
    assert profile(values, output=output).type is type


def test_rare_levels_have_no_name_of_their_own():
    found = profile(["common"] * 4_000 + ["rare"] * 19)
    assert set(found.levels) == {"common"}


def test_at_most_fifty_levels_are_kept():
    assert len(profile([f"l{i}" for i in range(80)] * 100).levels) == MAX_LEVELS


def test_classes_of_an_output_are_levels_by_their_text():
    assert profile([1, 0, 1, 1] * 10, output=True).levels == {"1": 0.75, "0": 0.25}


def test_memory_is_bounded_and_the_sample_is_of_the_whole_stream():
    builder = ColumnBuilder("x", sample_rows=2_000)
    for portion in np.arange(100_000.0).reshape(100, -1)[::-1]:
        builder.add(portion)
    found = builder.profile()

    assert found.edges[9] == pytest.approx(50_000, rel=0.1)
    assert (found.min, found.max) == (0, 99_999)


def test_the_same_rows_give_the_same_profile_however_they_were_cut():
    values = np.random.default_rng(2).normal(size=5_000)
    whole, parts = ProfileBuilder(sample_rows=1_000), ProfileBuilder(sample_rows=1_000)
    whole.add(5_000, {"x": values})
    for part in values.reshape(10, -1):
        parts.add(500, {"x": part})

    assert whole.reference().profile == parts.reference().profile


def test_a_feature_absent_from_some_rows_was_null_there():
    builder = ProfileBuilder()
    builder.add(10, {"a": [1.5] * 10})
    builder.add(10, {"a": [2.5] * 10, "b": ["x"] * 10})
    builder.add(20, {"b": ["y"] * 20})
    found = builder.reference()

    assert found.features["a"].null_ratio == 0.5
    assert found.features["b"].null_ratio == 0.25


def test_numbers_whose_squares_overflow_have_no_moments_but_bins():
    found = profile([0.0, 1e308, -1e308, 0.0])
    assert (found.mean, found.stddev) == (None, None)
    assert len(found.shares) == 3


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)


@settings(max_examples=150)
@given(st.lists(anything, max_size=60), st.booleans())
def test_whatever_the_values_the_profile_is_one_that_can_be_kept(values: list, output: bool):
    builder = ProfileBuilder()
    builder.add(len(values), {} if output else {"x": values}, {"x": values} if output else {})
    reference = builder.reference()

    assert from_json(to_json(reference)) == reference
    kept = (reference.outputs if output else reference.features)["x"]
    assert all(math.isfinite(edge) for edge in kept.edges)


def test_text_has_features_that_say_what_it_looks_like_and_a_category_has_none():
    builder = ProfileBuilder()
    texts = [f"comment {i} " * (i % 7 + 1) for i in range(300)]
    builder.add(300, {"comment": texts, "region": ["n", "s", "e"] * 100, "age": [1.0] * 300})
    builder.add(100, {"region": ["n"] * 100, "age": [2.0] * 100})
    features = builder.reference().features
    derived = ["comment.length", "comment.digits", "comment.spaces", "comment.non_ascii"]
    assert list(features) == ["comment", "region", "age", *derived]
    assert features["comment"].type is ColumnType.TEXT
    assert features["comment.length"].type is ColumnType.NUMBER
    assert features["comment.length"].null_ratio == 0.25
    assert features["comment.length"].max == max(map(len, texts))
