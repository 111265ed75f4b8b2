"""Collecting rows into batches."""

import math

import numpy as np
import pytest

from sidecar.batch import State
from sidecar.exchange import Outcome
from sidecar.inference import MISSING, Column, Undecoded
from sidecar.monitors.rows import BLOCKS_LIMIT, HELD_BYTES_LIMIT, OLDEST_ROW_SECONDS, ROWS_PER_BATCH, Rows
from sidecar.monitors.schema import FEATURES_LIMIT
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.policy import ModelPolicy, Policies
from sidecar.reference import ColumnProfile, ColumnType, Expectation
from tests.fakes import OneReference, exchange, inference, reference


class Collecting:
    """Rows in front of a row monitor that keeps what it is given."""

    def __init__(self, reference=None, **expectations):
        policies = Policies(ModelPolicy(expectations=expectations))
        self.batches, self.ticks = [], []
        self.references = OneReference(reference)
        self.rows = Rows([self], policies, self.references)

    def fold(self, batch):
        self.batches.append(batch)

    def tick(self, now):
        self.ticks.append(now)

    def observe(self, said, **how):
        self.rows.observe(exchange(**how), said)
        return self

    def batch(self):
        self.rows.flush()
        return self.batches[-1]


def states(column):
    return [State(state).name.lower() for state in column.states]


def number(name, **more):
    return ColumnProfile(name, ColumnType.NUMBER, 1_000, **more)


def test_rows_of_small_inferences_become_one_batch_in_arrival_order():
    collecting = Collecting()
    for i in range(3):
        collecting.observe(inference(outputs={"y": [i / 2]}, x=[i]), at=100.0 + i, duration=0)
    batch = collecting.batch()
    assert (batch.model, batch.version, batch.rows, batch.first, batch.last) == ("m", "1", 3, 100.0, 102.0)
    assert batch.features["x"].numbers.tolist() == [0, 1, 2]
    assert batch.outputs["y"].numbers.tolist() == [0, 0.5, 1.0]
    assert len(collecting.batches) == 1


def test_a_batch_is_folded_as_soon_as_it_is_large_enough():
    collecting = Collecting()
    for _ in range(ROWS_PER_BATCH // 2):
        collecting.observe(inference(x=[1, 2]))
    assert [batch.rows for batch in collecting.batches] == [ROWS_PER_BATCH]


def test_a_tick_folds_rows_that_waited_and_ticks_the_row_monitors():
    collecting = Collecting().observe(inference(x=[1]), at=100.0, duration=0)
    collecting.rows.tick(100.0 + OLDEST_ROW_SECONDS - 0.01)
    assert collecting.batches == []
    collecting.rows.tick(100.0 + OLDEST_ROW_SECONDS)
    assert len(collecting.batches) == 1
    assert len(collecting.ticks) == 2


def test_flushing_with_nothing_collected_folds_nothing():
    collecting = Collecting()
    collecting.rows.flush()
    assert collecting.batches == []


def test_models_versions_and_column_sets_do_not_share_a_batch():
    collecting = Collecting()
    for said in (
        inference(x=[1]),
        inference(x=[1], version="2"),
        inference(x=[1], model="n"),
        inference(z=[1]),
    ):
        collecting.observe(said)
    collecting.rows.flush()
    assert [(b.model, b.version, *b.features) for b in collecting.batches[:3]] == [
        ("m", "1", "x"), ("m", "2", "x"), ("n", "1", "x"),
    ]  # fmt: skip


def test_what_could_not_be_read_has_no_rows():
    said = inference(x=[1])
    said.undecoded = Undecoded.NOT_JSON
    collecting = Collecting().observe(said).observe(inference())
    collecting.rows.flush()
    assert collecting.batches == []


def test_an_expected_feature_that_is_absent_is_missing_in_every_row():
    collecting = Collecting(reference([number("ref")]), conf=Expectation(required=False))
    batch = collecting.observe(inference(x=[1, 2])).batch()
    assert states(batch.features["ref"]) == ["missing"] * 2
    assert states(batch.features["conf"]) == ["missing"] * 2
    assert states(batch.features["x"]) == ["valid"] * 2


def test_rows_without_a_required_feature_are_incomplete():
    collecting = Collecting(reference([number("a"), number("optional", null_ratio=0.5)]))
    assert collecting.observe(inference(a=[1, None, 3], optional=[None, 1, 2])).batch().complete == 2
    assert collecting.observe(inference(optional=[1, 2])).batch().complete == 0


def test_while_there_is_no_reference_a_feature_never_null_so_far_is_required():
    collecting = Collecting()
    for _ in range(8):
        collecting.observe(inference(a=[1] * 150, b=[1] * 149 + [None])).batch()
    assert collecting.observe(inference(a=[1, None], b=[None, 1])).batch().complete == 1
    absent = collecting.observe(inference(b=[1, 1])).batch()
    assert absent.complete == 0
    assert states(absent.features["a"]) == ["missing"] * 2


def test_a_reference_that_comes_later_takes_over():
    collecting = Collecting()
    assert collecting.observe(inference(a=[1])).batch().complete == 1
    collecting.references.reference = reference([number("a"), number("b")], source="learnt")
    assert collecting.observe(inference(a=[1])).batch().complete == 0


def test_the_type_comes_from_the_operator_then_the_reference_then_the_values():
    collecting = Collecting(reference([number("a"), number("b")]), a=Expectation(ColumnType.CATEGORY))
    features = collecting.observe(inference(a=[1], b=["x"], c=["x"])).batch().features
    assert [features[name].type for name in "abc"] == [
        ColumnType.CATEGORY,
        ColumnType.NUMBER,
        ColumnType.CATEGORY,
    ]
    assert states(features["b"]) == ["wrong_type"]


def test_a_bound_or_a_list_of_levels_says_the_type():
    collecting = Collecting(a=Expectation(max=10), b=Expectation(values=("1", "2")))
    features = collecting.observe(inference(a=[11, "5"], b=[1, 3])).batch().features
    assert states(features["a"]) == ["out_of_range", "wrong_type"]
    assert states(features["b"]) == ["valid", "unseen_category"]


def test_an_inferred_type_is_remembered_so_that_its_change_shows():
    collecting = Collecting()
    collecting.observe(inference(a=[1.0] * 1_000)).batch()
    assert states(collecting.observe(inference(a=["oops"] * 3)).batch().features["a"]) == ["wrong_type"] * 3


def test_integer_features_are_numbers_and_integer_outputs_are_classes():
    batch = Collecting().observe(inference(outputs={"y": [0, 1]}, x=[0, 1])).batch()
    assert batch.features["x"].type is ColumnType.NUMBER
    assert list(batch.outputs["y"].levels) == ["0", "1"]


def test_numpy_columns_are_read_like_lists():
    said = inference()
    said.rows = 3
    said.features = [Column("x", np.array([1, 2.5, math.nan], np.float32)), Column("b", np.array([True] * 3))]
    features = Collecting().observe(said).batch().features
    assert states(features["x"]) == ["valid", "valid", "nan"]
    assert features["b"].type is ColumnType.BOOLEAN


def test_an_answer_with_another_number_of_rows_is_misshapen_and_belongs_to_no_row():
    collecting = Collecting()
    collecting.observe(inference(outputs={"y": [1.0]}, x=[1, 2, 3]))
    batch = collecting.observe(inference(outputs={"y": [1.0, 2.0]}, x=[1, 2])).batch()
    assert batch.misshapen == {"y": 3}
    assert len(batch.outputs["y"].states) == 2
    assert batch.rows == 5


def test_a_ragged_feature_is_filled_up_with_missing_and_cut_to_the_rows():
    said = inference(a=[1, 2, 3], b=[1])
    said.features.append(Column("long", [1, 2, 3, 4]))
    features = Collecting().observe(said).batch().features
    assert states(features["b"]) == ["valid", "missing", "missing"]
    assert len(features["long"].states) == 3
    assert MISSING not in features["b"].numbers.tolist()


def test_a_refused_request_is_measured_but_adds_no_feature_and_has_no_predictions():
    collecting = Collecting(reference([number("a")]))
    refused = inference(outputs={"y": [1.0]}, a=[None], attack=[1])
    batch = collecting.observe(refused, status=400, outcome=Outcome.CLIENT_ERROR).batch()
    assert set(batch.features) == {"a"}
    assert batch.other_features.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert not batch.outputs and not batch.other_outputs.any()
    assert (batch.rows, batch.complete, batch.trusted) == (1, 0, False)


def test_refused_requests_teach_nothing_about_what_is_required():
    collecting = Collecting().observe(inference(a=[1, 2]))
    collecting.batch()
    refused = {"status": 400, "outcome": Outcome.CLIENT_ERROR}
    assert collecting.observe(inference(a=[None]), **refused).batch().complete == 0
    assert collecting.observe(inference(a=[None, 1]), **refused).batch().complete == 1


def test_features_past_the_cap_have_no_column_and_expected_ones_keep_theirs():
    collecting = Collecting(last=Expectation())
    wide = {f"f{i}": [1, None] for i in range(FEATURES_LIMIT + 50)}
    batch = collecting.observe(inference(**wide, last=[1, 1])).batch()
    assert len(batch.features) == FEATURES_LIMIT + 1
    assert "last" in batch.features
    assert batch.other_features[[State.VALID, State.NULL]].tolist() == [50, 50]


def test_two_columns_of_one_name_are_counted_and_do_not_replace_each_other():
    said = inference(a=[1, 2])
    said.features.append(Column("a", [None, None]))
    batch = Collecting().observe(said).batch()
    assert states(batch.features["a"]) == ["valid", "valid"]
    assert batch.other_features[State.NULL] == 2


def test_random_column_sets_do_not_open_blocks_without_end():
    collecting = Collecting()
    for i in range(BLOCKS_LIMIT + 1):
        collecting.observe(inference(**{f"f{i}": [1]}))
    assert len(collecting.batches) == BLOCKS_LIMIT


def test_large_payloads_do_not_wait():
    collecting = Collecting()
    collecting.observe(inference(x=["t"]), body=b"x" * (HELD_BYTES_LIMIT // 2 + 1))
    assert collecting.batches == []
    collecting.observe(inference(x=["t"]), body=b"x" * (HELD_BYTES_LIMIT // 2 + 1))
    assert len(collecting.batches) == 1
    collecting.observe(inference(x=["t"]), body=b"x" * (HELD_BYTES_LIMIT // 2 + 1))
    assert len(collecting.batches) == 1


def test_a_feature_unused_for_a_day_is_forgotten_and_an_expected_one_is_not():
    collecting = Collecting(kept=Expectation())
    collecting.observe(inference(outputs={"y": [1.0]}, kept=[1], old=[1]), at=0.0, duration=0).batch()
    assert collecting.rows.expire(UNUSED_AFTER_SECONDS + 1) == [
        {"model_name": "m", "feature": "old"},
        {"model_name": "m", "kind": "feature", "name": "old"},
        {"model_name": "m", "output": "y"},
        {"model_name": "m", "kind": "output", "name": "y"},
    ]


@pytest.mark.parametrize("name", ["bad\u202e\nname", "x" * 300])
def test_a_column_name_is_safe_as_a_label(name):
    (label,) = Collecting().observe(inference(**{name: [1]})).batch().features
    assert label.isprintable() and len(label) <= 100


ARRAYS = [
    np.array([-128, 127, 0], "i1"),
    np.array([True, False, True]),
    np.array([1.5, np.nan, np.inf], "f2"),
    np.array([0.1, -np.inf, 3.0], "<f4"),
    np.array([1e300, np.nan, -0.0]),
    np.array([2**64 - 1, 2**53 + 1, 0], "<u8"),
    np.array([-(2**63), 2**53 + 1, 7], "<i8"),
    np.arange(12, dtype="<f4").reshape(3, 4)[:, 1],
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: array.dtype.name)
@pytest.mark.parametrize("type", [None, *ColumnType])
@pytest.mark.parametrize("rows", [3, ROWS_PER_BATCH + 44])
def test_an_array_is_read_as_the_list_of_its_values(array, type, rows):
    array = np.resize(array, rows)
    expectation = Expectation(type=type)
    batches = []
    for values in (array, array.tolist()):
        said = inference(outputs={"y": values}, x=values)
        batches.append(Collecting(x=expectation).observe(said).batch())
    for side in ("features", "outputs"):
        (ours,), (expected,) = (getattr(batch, side).values() for batch in batches)
        assert ours.type is expected.type and states(ours) == states(expected)
        assert ours.levels == expected.levels
        np.testing.assert_array_equal(ours.numbers, expected.numbers)


def test_classes_past_the_precision_of_a_float_stay_apart():
    said = inference(outputs={"y": np.array([2**53, 2**53 + 1], "u8")}, x=[1, 2])
    assert Collecting().observe(said).batch().outputs["y"].levels == [str(2**53), str(2**53 + 1)]


def test_features_that_are_elsewhere_are_neither_missing_nor_incomplete():
    collecting = Collecting(reference([number("x"), number("y")]))
    said = inference(x=[1.0, 2.0])
    said.elsewhere = True
    batch = collecting.observe(said).batch()
    assert list(batch.features) == ["x"] and batch.complete == 2 and batch.elsewhere
    said.features = []
    batch = collecting.observe(said).batch()
    assert not batch.features and (batch.rows, batch.complete) == (2, 2)
    assert list(collecting.observe(inference(x=[1.0])).batch().features) == ["x", "y"]


def test_what_is_elsewhere_is_null_when_it_is_null():
    said = inference(x=[1.0, None])
    said.elsewhere = True
    batch = Collecting(x=Expectation(required=True), y=Expectation(required=True)).observe(said).batch()
    assert batch.complete == 1


def test_a_decoupled_answer_has_as_many_predictions_as_it_has():
    said = inference(outputs={"y": ["a", "b", "c"]}, x=[1.0])
    said.decoupled = True
    batch = Collecting().observe(said).batch()
    assert batch.outputs["y"].levels == ["a", "b", "c"] and not batch.misshapen
    said.decoupled = False
    assert Collecting().observe(said).batch().misshapen == {"y": 1}
