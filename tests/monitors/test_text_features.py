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


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def alphabet(rows, seed, letters=LETTERS):
    """Twelve words of four letters each; one in ten is no word but four letters at random."""
    rng = np.random.default_rng(seed)
    common = rng.choice(list(letters), (rows, 12)).tolist()
    rare = rng.random((rows, 12)) < 0.1
    odd = iter(rng.choice(list(LETTERS), (int(rare.sum()), 4)).tolist())
    return [
        " ".join(
            "".join(next(odd)) if is_odd else letter * 4 for letter, is_odd in zip(row, own, strict=True)
        )
        for row, own in zip(common, rare.tolist(), strict=True)
    ]


@pytest.mark.parametrize("learnt", [True, False])
def test_words_that_the_reference_does_not_know_drift(learnt):
    if learnt:
        references = LearntReferences(rows=5_000)
    else:
        builder = ProfileBuilder()
        builder.add(9_000, {"comment": alphabet(9_000, 0)})
        references = LearntReferences(default=builder.reference())
    said = []
    drift = Drift(Registry(), references, Policies(), Settings(pace=OFFLINE), said.append)
    rows = Rows([drift, references], Policies(), references)

    def send(values):
        for at in range(0, len(values), 100):
            rows.observe(exchange(), inference(comment=values[at : at + 100]))
        rows.flush()

    send(alphabet(5_200, 1))
    reference = references.of("m")
    assert reference.features["comment"].type is ColumnType.TEXT
    assert len(reference.features["comment"].words) == 4 * 26
    assert reference.features["comment.unknown_words"].mean == pytest.approx(0.1, abs=0.01)
    assert reference.features["comment.unknown_words"].null_ratio == 0
    send(alphabet(6_000, 2))
    assert said == []
    # As long as ever, with as many spaces; but more of them are none that are known.
    send(
        [
            text.replace("aaaa", "abab").replace("bbbb", "baba").replace("cccc", "caca")
            for text in alphabet(2_000, 3)
        ]
    )

    assert "comment.unknown_words" in {v.name for v in said if v.level != "event"}


def test_a_reference_without_a_vocabulary_has_no_unknown_words():
    schema = Schema(ModelPolicy())
    builder = ProfileBuilder()
    builder.add(1_000, {"comment": alphabet(1_000, 0)})  # too few to know the words
    reference = builder.reference()
    assert reference.features["comment"].words == b""
    assert "comment.unknown_words" not in reference.features
    schema.use(reference)
    for _ in range(30):
        columns, _ = schema.features.clean(["comment"], [alphabet(100, 1)], 0.0, trusted=True)
    assert "comment.unknown_words" not in columns


def test_refused_requests_teach_no_words():
    schema = Schema(ModelPolicy(expectations={"t": Expectation(ColumnType.TEXT)}))
    for _ in range(30):
        schema.features.clean(["t"], [alphabet(100, 1)], 0.0, trusted=False)
    columns, _ = schema.features.clean(["t"], [alphabet(100, 1)], 0.0, trusted=True)
    assert "t.unknown_words" not in columns


def test_the_column_of_unknown_words_follows_the_states_of_the_text():
    schema = Schema(ModelPolicy(expectations={"t": Expectation(ColumnType.TEXT)}))
    for seed in range(20):
        schema.features.clean(["t"], [alphabet(100, seed)], 0.0, trusted=True)
    columns, _ = schema.features.clean(["t"], [["aaaa new", None, MISSING, ["x"], ""]], 0.0, trusted=True)
    column = columns["t.unknown_words"]
    assert column.states.tolist() == [
        State.VALID, State.NULL, State.MISSING, State.WRONG_TYPE, State.VALID,
    ]  # fmt: skip
    assert column.numbers[[0, 4]].tolist() == [0.5, 0]
