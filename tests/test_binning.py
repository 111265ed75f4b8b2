"""Which bin a value falls into, and what people call it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import binning
from sidecar.batch import CleanColumn, State
from sidecar.reference import ColumnProfile, ColumnType


def numbers(*values: float, states: list[State] | None = None) -> CleanColumn:
    given = np.array(states or [State.VALID] * len(values), dtype=np.uint8)
    return CleanColumn("x", ColumnType.NUMBER, given, numbers=np.array(values))


def levels(*values: str | None) -> CleanColumn:
    states = np.array([State.NULL if v is None else State.VALID for v in values], dtype=np.uint8)
    return CleanColumn("x", ColumnType.CATEGORY, states, levels=list(values))


def number_bins(*edges: float) -> binning.Binning:
    share = 1 / (len(edges) + 1)
    return binning.of_profile(
        ColumnProfile("x", ColumnType.NUMBER, 100, edges=edges, shares=(share,) * (len(edges) + 1))
    )


def category_bins(**levels: float) -> binning.Binning:
    return binning.of_profile(ColumnProfile("x", ColumnType.CATEGORY, 100, levels=levels))


def test_an_edge_belongs_to_the_bin_below_it():
    assert number_bins(1.0, 2.0).index(numbers(0.5, 1.0, 1.5, 2.0, 2.5)).tolist() == [0, 0, 1, 1, 2]


def test_null_nan_and_missing_share_one_bin_and_infinite_and_wrong_types_another():
    nan = float("nan")
    states = [State.NULL, State.NAN, State.MISSING, State.INF, State.WRONG_TYPE]
    bins = number_bins(1.0)

    assert bins.index(numbers(nan, nan, nan, nan, nan, states=states)).tolist() == [2, 2, 2, 3, 3]


def test_an_out_of_range_number_is_still_binned_by_its_value():
    assert number_bins(1.0).index(numbers(99.0, states=[State.OUT_OF_RANGE])).tolist() == [1]


def test_levels_come_most_frequent_first_and_what_is_not_listed_is_other():
    bins = category_bins(rare=0.1, common=0.6)

    assert bins.labels == ("common", "rare", "__other__", "__null__", "__invalid__")
    assert bins.index(levels("rare", "new", None, "common")).tolist() == [1, 2, 3, 0]


def test_a_column_cleaned_as_another_type_is_invalid_not_a_crash():
    assert number_bins(1.0).index(levels("a", None)).tolist() == [3, 2]
    assert category_bins(a=0.5).index(numbers(1.0, 2.0)).tolist() == [3, 3]


@pytest.mark.parametrize("type", [ColumnType.TEXT, ColumnType.TIMESTAMP])
def test_text_has_no_bins_but_its_nulls_count(type: ColumnType):
    bins = binning.of_profile(ColumnProfile("x", type, 100))

    assert bins.count(levels("a", None, "b")).tolist() == [2, 1, 0]


@given(st.integers(0, 30))
def test_at_most_ten_value_bins_are_exported_and_no_row_is_lost(inner_edges: int):
    bins = number_bins(*map(float, range(inner_edges)))
    exported = bins.export(np.ones(bins.size, dtype=np.int64))

    assert len(exported) == len(bins.exported_labels) <= 12
    assert exported.sum() == bins.size
    assert len(set(bins.exported_labels)) == len(bins.exported_labels)


@settings(max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=19, unique=True))
def test_bins_never_share_a_label_however_close_the_edges(edges: list[float]):
    edges = sorted(set(edges))
    assert len(set(number_bins(*edges).labels)) == len(edges) + 3


def test_rare_levels_share_the_exported_other():
    bins = category_bins(**{f"l{i:02}": 0.05 for i in range(20)})
    exported = bins.export(np.ones(bins.size, dtype=np.int64))

    assert bins.exported_labels[8:] == ("l08", "__other__", "__null__", "__invalid__")
    assert exported.tolist()[9:] == [12, 1, 1]


def test_shares_cover_all_rows_of_the_reference():
    profile = ColumnProfile("x", ColumnType.NUMBER, 100, null_ratio=0.2, edges=(1.0,), shares=(0.25, 0.75))
    assert binning.shares(profile).tolist() == pytest.approx([0.2, 0.6, 0.2, 0.0])

    profile = ColumnProfile("x", ColumnType.CATEGORY, 100, null_ratio=0.5, levels={"a": 0.5, "b": 0.25})
    assert binning.shares(profile).tolist() == pytest.approx([0.25, 0.125, 0.125, 0.5, 0.0])


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (np.False_, "false"), (3, "3"), (3.0, "3"), (2.5, "2.5"), ("a", "a")]
)
def test_a_level_reads_the_same_however_the_payload_spelt_it(value: object, text: str):
    assert binning.level_text(value) == text
