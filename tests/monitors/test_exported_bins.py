"""The bins a column is exported by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.batch import CleanColumn
from sidecar.monitors.clean import Rules, clean_column
from sidecar.monitors.exported_bins import MIN_ROWS_PER_LEVEL, grid_bins, reference_bins, safe_levels
from sidecar.reference import ColumnProfile, ColumnType

NUMBER, CATEGORY = ColumnType.NUMBER, ColumnType.CATEGORY
TWENTY = ColumnProfile("x", NUMBER, 1_000, 0.1, tuple(float(i) for i in range(1, 20)), (0.05,) * 20)


def binned(bins, column: CleanColumn):
    return {label: n for label, n in zip(bins.labels, bins.counts(column).tolist(), strict=True) if n}


def test_a_reference_of_twenty_bins_is_exported_in_ten_beside_its_shares():
    bins = reference_bins(TWENTY)
    assert len(bins.labels) == 12
    assert sum(bins.shares) == pytest.approx(1.0)
    assert bins.shares[0] == pytest.approx(0.09)
    assert len(set(bins.labels)) == 12


def test_every_row_is_in_exactly_one_exported_bin():
    column = clean_column("x", [0.5, 1, 2, 2.5, 99, None, float("inf"), "x"], Rules(NUMBER))
    counts = binned(reference_bins(TWENTY), column)
    assert counts == {"<=2": 3, "2..4": 1, ">18": 1, "__null__": 1, "__invalid__": 2}


def test_text_and_times_have_no_bins():
    for type in (ColumnType.TEXT, ColumnType.TIMESTAMP):
        assert reference_bins(ColumnProfile("x", type, 100)) is None
        assert grid_bins(type, "feature") is None


def test_a_level_that_few_rows_carry_is_never_a_label():
    profile = ColumnProfile("x", CATEGORY, 100, levels={"common": 0.8, "rare": 0.19, "enough": 0.2})
    assert safe_levels(profile) == ["common", "enough"]
    bins = reference_bins(ColumnProfile("x", CATEGORY, 100, levels={"common": 0.81, "rare": 0.19}))
    assert "rare" not in bins.labels
    assert binned(bins, clean_column("x", ["rare", "common", "new"], Rules(CATEGORY))) == {
        "common": 1,
        "__other__": 2,
    }
    assert dict(zip(bins.labels, bins.shares, strict=True))["__other__"] == pytest.approx(0.19)


def test_twenty_rows_are_counted_among_the_values_that_are_there():
    half_null = ColumnProfile("x", CATEGORY, 100, null_ratio=0.5, levels={"a": 0.38, "b": 0.62})
    assert safe_levels(half_null) == ["b"]
    assert MIN_ROWS_PER_LEVEL == 20


def test_the_grid_of_features_is_signed_decades():
    column = clean_column("x", [0, 0.3, 1.5, 150, -3, 1e12, -1e12, 1e-9], Rules(NUMBER))
    assert binned(grid_bins(NUMBER, "feature"), column) == {
        "<=-5e+09": 1, "-5..-2": 1, "-1e-06..0": 1, "0..1e-06": 1, "0.2..0.5": 1, "1..2": 1, "100..200": 1,
        ">5e+09": 1,
    }  # fmt: skip


def test_the_grid_of_outputs_has_twentieths_from_zero_to_one_and_decades_beyond():
    column = clean_column("x", [0.01, 0.05, 0.951, 1.0, 1.5, -0.3], Rules(NUMBER))
    assert binned(grid_bins(NUMBER, "output"), column) == {
        "0..0.05": 2, "0.95..1": 2, "1..2": 1, "-0.5..-0.2": 1,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["feature", "output"])
def test_the_labels_of_the_grid_are_distinct_and_its_edges_ascend(kind):
    bins = grid_bins(NUMBER, kind)
    assert len(set(bins.labels)) == len(bins.labels)
    assert (np.diff(bins.binning.edges) > 0).all()


def test_a_category_has_grid_bins_only_for_configured_levels():
    assert grid_bins(CATEGORY, "feature") is None
    bins = grid_bins(CATEGORY, "feature", ("n", "s"))
    assert binned(bins, clean_column("x", ["n", "x", None], Rules(CATEGORY))) == {
        "n": 1, "__other__": 1, "__null__": 1,
    }  # fmt: skip
    assert len(grid_bins(CATEGORY, "feature", [str(i) for i in range(10_000)]).labels) < 100


def test_booleans_have_two_bins_without_any_reference():
    bins = grid_bins(ColumnType.BOOLEAN, "output")
    assert binned(bins, clean_column("x", [True, False, True], Rules(ColumnType.BOOLEAN))) == {
        "true": 2, "false": 1,
    }  # fmt: skip


@given(st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=3)), max_size=30))
@settings(max_examples=50)
def test_no_row_is_lost_or_counted_twice(values):
    column = clean_column("x", values, Rules(NUMBER))
    for bins in (reference_bins(TWENTY), grid_bins(NUMBER, "feature"), grid_bins(NUMBER, "output")):
        assert bins.counts(column).sum() == len(values)
