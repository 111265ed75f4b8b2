"""What is usual for one value of a segment, in the bins of its model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import binning
from sidecar.batch import Batch
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.monitors.drift_usual import Usual
from sidecar.profiles.build import ProfileBuilder
from sidecar.reference import Reference
from tests.monitors import drift_streams as streams

KINDS = ["a"] * 60 + ["b"] * 30 + ["c"] * 10


def model() -> Reference:
    """A number, a category whose most frequent level is a, a flag, a text, and an output."""
    builder = ProfileBuilder()
    numbers = np.random.default_rng(0).normal(size=1_000)
    columns = {"x": numbers, "kind": KINDS * 10, "flag": [True, False] * 500}
    texts = {"text": [f"word{i} of many others" for i in range(1_000)]}
    builder.add(1_000, {**columns, **texts}, {"score": numbers**2})
    return builder.reference()


REFERENCE = model()


def counted(layout: DriftLayout, kinds: list[str | None], x: float = 0.0) -> np.ndarray:
    """So many rows, all of one number, in the bins of the model."""
    features = {"x": streams.column("x", np.full(len(kinds), x)), "kind": streams.levels("kind", kinds)}
    layout.see([True] * len(layout.columns))
    return layout.count(Batch("m", "1", len(kinds), 0.0, 1.0, features), [len(kinds)])[0]


def test_shares_are_those_of_the_rows_and_edges_those_of_the_model():
    layout = DriftLayout(REFERENCE)
    learnt = counted(layout, ["c"] * 6 + ["b"] * 3 + [None])
    own = Usual(REFERENCE, layout, learnt).reference
    assert own.profile == REFERENCE.profile
    assert own.features["kind"].levels == {"c": 6 / 9, "b": 3 / 9, "a": 0.0}
    assert own.features["kind"].null_ratio == 0.1
    assert own.features["kind"].rows == own.features["x"].rows == own.rows == 10
    assert own.features["x"].edges == REFERENCE.features["x"].edges
    assert max(own.features["x"].shares) == 1.0


def test_levels_are_where_the_judge_of_the_value_expects_them():
    layout = DriftLayout(REFERENCE)
    usual = Usual(REFERENCE, layout, counted(layout, ["c"] * 6 + ["b"] * 3 + [None]))
    own = DriftLayout(usual.reference)
    kind = next(column for column in own.columns if column.name == "kind")
    assert kind.binning.levels == ("c", "b", "a")
    counts = usual.counts(counted(layout, ["a", "b", "b", "c", "c", "c", "new", "new", None]))
    assert counts[kind.start : kind.stop].tolist() == [3, 2, 1, 2, 1, 0]


def test_columns_that_had_no_value_stay_as_they_were_and_are_not_counted():
    layout = DriftLayout(REFERENCE)
    usual = Usual(REFERENCE, layout, counted(layout, ["a"] * 10))
    for name in ("flag", "text"):
        assert usual.reference.features[name] == REFERENCE.features[name]
    assert usual.reference.outputs["score"] == REFERENCE.outputs["score"]
    everything = usual.counts(np.ones(layout.size, np.int64))
    for column in DriftLayout(usual.reference).columns:
        counted_there = everything[column.start : column.stop].any()
        assert counted_there == (column.name in {"x", "kind"}), column.name


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=50))
def test_no_row_is_lost_and_shares_add_up(kinds):
    layout = DriftLayout(REFERENCE)
    counts = counted(layout, kinds)
    usual = Usual(REFERENCE, layout, counts)
    own = DriftLayout(usual.reference)
    for column, of in zip(own.columns, layout.columns, strict=True):
        assert (column.start, column.stop, column.name) == (of.start, of.stop, of.name)
        assert binning.shares(column.profile).sum() == pytest.approx(1.0)
    moved = usual.counts(counts)
    kind = next(column for column in own.columns if column.name == "kind")
    valued = any(level is not None for level in kinds)
    assert moved[kind.start : kind.stop].sum() == (len(kinds) if valued else 0)
    shares = own.shares[kind.start : kind.stop]
    if valued:
        assert moved[kind.start : kind.stop] / len(kinds) == pytest.approx(shares)
