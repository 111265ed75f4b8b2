"""Rows of each bin, all together and divided."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.batch import Batch
from sidecar.binning import Indices
from sidecar.monitors.drift_layout import DriftLayout
from sidecar.profiles.build import ProfileBuilder
from tests.monitors import drift_streams as streams


def layout() -> DriftLayout:
    """Two numbers, a category, an output."""
    builder = ProfileBuilder()
    numbers = np.random.default_rng(0).normal(size=(500, 3))
    features = {"x": numbers[:, 0], "y": numbers[:, 1], "kind": ["a", "b", "b", "c", "c"] * 100}
    builder.add(500, features, {"score": numbers[:, 2]})
    return DriftLayout(builder.reference())


def rows(numbers: np.ndarray, kinds: list[str | None], answers: int | None = None) -> Batch:
    """A batch without y; `answers` are how many rows have an output, None all."""
    features = {"x": streams.column("x", numbers), "kind": streams.levels("kind", kinds)}
    outputs = {"score": streams.column("score", numbers[:answers])}
    return Batch("m", "1", len(numbers), 0.0, 1.0, features, outputs)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-1, 3), st.sampled_from(["a", "b", "d", None])), min_size=1, max_size=40)
)
def test_dividing_rows_counts_each_run_as_if_it_were_alone(given_rows):
    runs = np.array([run for run, _ in given_rows], np.intp)
    kinds = [kind for _, kind in given_rows]
    numbers = np.linspace(-2, 2, len(runs))
    many, bins = layout(), dict[int, Indices]()
    many.see([True] * 4)
    many.count(rows(numbers, kinds), [len(runs)], bins)
    found = many.divided(bins, runs, 4)
    for run in range(4):
        own = np.flatnonzero(runs == run)
        alone = layout()
        alone.see([True] * 4)
        expected = alone.count(rows(numbers[own], [kinds[i] for i in own]), [len(own)])[0]
        assert found[run].tolist() == expected.tolist()


def test_features_that_are_somewhere_else_are_not_null():
    one, bins = layout(), dict[int, Indices]()
    one.count(rows(np.zeros(4), ["a"] * 4), [4], bins)
    y = one.columns[1]
    assert one.divided(bins, np.zeros(4, np.intp), 1)[0, y.start + y.binning.null] == 4
    assert one.divided(bins, np.zeros(4, np.intp), 1, elsewhere=True)[0, y.start : y.stop].sum() == 0


def test_outputs_of_which_some_are_missing_belong_to_nobody():
    one, bins = layout(), dict[int, Indices]()
    one.count(rows(np.zeros(4), ["a"] * 4, answers=3), [4], bins)
    score = one.columns[3]
    assert one.divided(bins, np.array([0, 0, 1, 1]), 2)[:, score.start : score.stop].sum() == 0
