"""Columns that traffic knows only by their place get the names of a given reference, or keep their place."""

import json

import pytest

from sidecar.config import load
from sidecar.inference import Column, Inference, ModelRef
from sidecar.observer.naming import Naming
from sidecar.observer.pipeline import Pipeline
from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.store import to_json
from sidecar.reference import ColumnProfile, ColumnType, Reference
from tests.decoders.reading import V2, posted, tensor


def reference(*names: str) -> Reference:
    return Reference(
        100, {name: ColumnProfile(name, ColumnType.NUMBER, 100, shares=(1.0,)) for name in names}
    )


def named(columns, given=None, default=None, policies=None, model="m") -> list[str]:
    naming = Naming(given or {}, default, policies or Policies())
    inference = Inference(
        "v2", model=ModelRef(model), rows=1, features=[Column(n, [i]) for i, n in enumerate(columns)]
    )
    naming.name(inference)
    assert [column.values for column in inference.features] == [[i] for i in range(len(columns))]
    return [column.name for column in inference.features]


@pytest.mark.parametrize(
    "columns", [["x[0]", "x[1]"], ["input[0]", "input[1]"], ["0", "1"], ["a b[0]", "a b[1]"]]
)
def test_a_matrix_as_wide_as_the_reference_is_named_by_it(columns):
    assert named(columns, default=reference("age", "income")) == ["age", "income"]
    assert named(columns, given={"m": reference("a", "b")}, default=reference("age", "income")) == ["a", "b"]


@pytest.mark.parametrize(
    "columns",
    [
        ["age", "x[1]"],  # one of them has a name
        ["x[0]", "y[0]"],  # not one matrix
        ["x[1]", "x[0]"],  # not in order
        ["x[0]", "x[1]", "x[2]"],  # wider
        ["x[0]"],  # narrower
        ["a", "b"],
        [],
    ],
)
def test_anything_else_keeps_the_names_it_came_with(columns):
    assert named(columns, default=reference("age", "income")) == columns


@pytest.mark.parametrize("names", [("x[0]", "x[1]"), ("0", "1"), ("age", "x[1]")])
def test_a_reference_of_places_names_nothing(names):
    assert named(["input[0]", "input[1]"], default=reference(*names)) == ["input[0]", "input[1]"]


def test_without_a_given_reference_nothing_is_named():
    assert named(["x[0]", "x[1]"]) == ["x[0]", "x[1]"]


def test_the_configuration_can_keep_the_places():
    keep, columns = ModelPolicy(features_from="traffic"), ["x[0]", "x[1]"]
    two = reference("a", "b")
    assert named(columns, default=two, policies=Policies(default=keep)) == columns
    assert named(columns, default=two, policies=Policies(models={"m": keep})) == columns
    assert named(columns, given={"m": two}, policies=Policies(models={"m": keep})) == columns
    assert named(columns, default=two, policies=Policies(models={"other": keep})) == ["a", "b"]


def test_the_names_reach_the_metrics(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(to_json(reference("age", "income"))))
    pipeline = Pipeline(load(None, {}, {"reference": str(tmp_path / "r.json")}))
    pipeline.observer.observe(
        posted(V2, {"inputs": [tensor("x", [1, 2], [1, 2])]}, {"outputs": [tensor("p", [1], [1])]})
    )
    pipeline.rows.flush()
    assert pipeline.registry.value("inference_feature_values_total", feature="age", state="valid") == 1
    assert pipeline.registry.value("inference_rows_complete_total") == 1
