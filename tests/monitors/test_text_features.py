"""Free text: what it looks like is judged as numbers are."""

import numpy as np
import pytest

from sidecar.batch import State
from sidecar.inference import MISSING
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.rows import Rows
from sidecar.monitors.schema import Schema
from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnType, Expectation
from sidecar.registry import Registry
from tests.fakes import exchange, inference

WORDS = ["the", "parcel", "came", "two", "days", "late", "and", "the", "box", "was", "open"]


def texts(rows, seed, words=WORDS):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(words, rng.integers(3, 15))) for _ in range(rows)]


def test_columns_of_a_text_follow_its_states():
    schema = Schema(ModelPolicy(expectations={"t": Expectation(ColumnType.TEXT)}))
    columns, _ = schema.features.clean(["t"], [["ab 1", None, MISSING, ["x"]]], 0.0, trusted=True)
    assert list(columns) == ["t", "t.length", "t.digits", "t.spaces", "t.non_ascii"]
    assert columns["t"].states.tolist() == [State.VALID, State.NULL, State.MISSING, State.VALID]
    length = columns["t.length"]
    assert length.type is ColumnType.NUMBER
    assert length.states.tolist() == [State.VALID, State.NULL, State.MISSING, State.WRONG_TYPE]
    assert length.numbers[0] == 4
    assert np.isnan(length.numbers[1:]).all()


def test_a_client_that_sends_a_feature_of_such_a_name_is_believed():
    schema = Schema(ModelPolicy(expectations={"t": Expectation(ColumnType.TEXT)}))
    columns, others = schema.features.clean(["t", "t.length"], [["ab"], [99.0]], 0.0, trusted=True)
    assert columns["t.length"].numbers.tolist() == [99.0]
    assert others.sum() == 0


def test_text_that_nobody_may_name_adds_no_columns():
    schema = Schema(ModelPolicy(expectations={"t": Expectation(ColumnType.TEXT)}))
    columns, others = schema.features.clean(["t"], [["ab"]], 0.0, trusted=False)
    assert list(columns) == ["t"]
    assert others.sum() == 0


@pytest.mark.parametrize(
    ("spoilt", "name"),
    [
        ([""] * 2_000, "comment.length"),
        (texts(2_000, 3, ["пакет", "пришёл", "поздно", "и", "был", "открыт"]), "comment.non_ascii"),
        (texts(2_000, 3, [str(i) for i in range(99)]), "comment.digits"),
        ([t[:15] for t in texts(2_000, 3)], "comment.length"),
    ],
    ids=["empty", "another language", "digits", "cut"],
)
def test_texts_that_look_different_drift(spoilt, name):
    builder = ProfileBuilder()
    builder.add(5_000, {"comment": texts(5_000, 0)})
    policies, references = Policies(), LearntReferences(default=builder.reference())
    said = []
    drift = Drift(Registry(), references, policies, Settings(pace=OFFLINE), said.append)
    rows = Rows([drift], policies, references)
    for part in (texts(8_000, 1), spoilt):
        loud = [verdict for verdict in said if verdict.level != "event"]
        assert loud == []
        for at in range(0, len(part), 250):
            rows.observe(exchange(at=float(at)), inference(comment=part[at : at + 250]))
    assert name in {verdict.name for verdict in said if verdict.level != "event"}
