"""References learnt from traffic."""

import numpy as np

from sidecar.batch import Batch, CleanColumn, State
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import MAX_MODELS, LearntReferences
from sidecar.reference import ColumnType, Reference


def column(name: str, type: ColumnType, values: list, states: list[State] | None = None) -> CleanColumn:
    given = np.array(states or [State.VALID if v is not None else State.NULL for v in values], dtype=np.uint8)
    if type is ColumnType.NUMBER:
        numbers = np.array([np.nan if v is None else v for v in values])
        return CleanColumn(name, type, given, numbers=numbers)
    if type in (ColumnType.CATEGORY, ColumnType.BOOLEAN):
        return CleanColumn(name, type, given, levels=values)
    return CleanColumn(name, type, given)


def rows(count: int = 100, model: str = "m", **more: CleanColumn) -> Batch:
    ages = np.random.default_rng(1).normal(40, 5, count).tolist()
    return Batch(model, "1", count, 0.0, 0.0, {"age": column("age", ColumnType.NUMBER, ages), **more})


def given(name: str = "g") -> Reference:
    builder = ProfileBuilder()
    builder.add(3, {"age": [1.5, 2.5, 3.5]})
    return builder.reference(model=name)


def test_a_reference_is_learnt_from_the_first_rows_and_then_frozen():
    references = LearntReferences(rows=200)
    references.fold(rows())
    assert references.of("m") is None
    assert (references.status()["m"].rows_seen, references.status()["m"].ready) == (100, False)

    references.fold(rows())
    learnt = references.of("m")
    assert learnt is not None
    assert (learnt.source, learnt.rows, len(learnt.features["age"].edges)) == ("learnt", 200, 19)
    references.fold(rows())
    assert references.of("m") is learnt
    assert references.status()["m"].ready


def test_a_given_reference_wins_and_the_default_holds_for_the_others():
    own, default = given("own"), given("default")
    references = LearntReferences({"m": own}, default, rows=1)
    references.fold(rows())

    assert references.of("m") is own
    assert references.of("another") is default
    assert references.status()["m"].source == "given"


def test_each_column_is_learnt_as_the_type_it_was_read_as():
    references = LearntReferences(rows=100)
    references.fold(
        rows(
            member=column("member", ColumnType.BOOLEAN, ["true", "false"] * 50),
            region=column("region", ColumnType.CATEGORY, ["n", None] * 50),
            note=column("note", ColumnType.TEXT, ["x", None] * 50),
        )
    )
    learnt = references.of("m")

    assert learnt is not None
    assert learnt.features["member"].type is ColumnType.BOOLEAN
    assert learnt.features["member"].levels == {"false": 0.5, "true": 0.5}
    assert (learnt.features["region"].levels, learnt.features["region"].null_ratio) == ({"n": 1.0}, 0.5)
    assert (learnt.features["note"].type, learnt.features["note"].null_ratio) == (ColumnType.TEXT, 0.5)


def test_what_was_no_value_is_not_learnt():
    states = [State.VALID, State.INF, State.WRONG_TYPE, State.NULL] * 25
    references = LearntReferences(rows=100)
    references.fold(rows(x=column("x", ColumnType.NUMBER, [1.0, None, None, None] * 25, states)))
    learnt = references.of("m")

    assert learnt is not None
    assert learnt.features["x"].null_ratio == 0.5
    assert learnt.features["x"].max == 1.0


def test_a_column_whose_type_was_voted_anew_is_learnt_anew():
    references = LearntReferences(rows=200)
    references.fold(rows(x=column("x", ColumnType.TEXT, ["?"] * 100)))
    references.fold(rows(x=column("x", ColumnType.NUMBER, [1.0, 2.0] * 50)))
    learnt = references.of("m")

    assert learnt is not None
    assert learnt.features["x"].type is ColumnType.NUMBER
    assert sum(learnt.features["x"].shares) == 1


def test_a_number_that_never_had_a_value_has_no_bins():
    references = LearntReferences(rows=100)
    references.fold(rows(x=column("x", ColumnType.NUMBER, [None] * 100)))
    learnt = references.of("m")
    assert learnt is not None and learnt.features["x"].type is ColumnType.TEXT


def test_refused_requests_teach_nothing():
    references = LearntReferences(rows=100)
    refused = rows()
    refused.trusted = False
    references.fold(refused)
    assert references.status() == {}


def test_the_number_of_models_is_bounded():
    references = LearntReferences(rows=1_000)
    for i in range(3 * MAX_MODELS):
        references.fold(rows(model=f"m{i}"))
    assert len(references.status()) == MAX_MODELS
