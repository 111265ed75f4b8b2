"""What is being learnt goes on after a restart, and no row and no rare value is written."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.profiles import learn_state
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnType, Reference
from tests.profiles.test_learn import column, rows

NUMBER, CATEGORY = ColumnType.NUMBER, ColumnType.CATEGORY


def restarted(references: LearntReferences, rows: int = 5_000) -> LearntReferences:
    """Through the bytes of a file, as a restart does."""
    after = LearntReferences(rows=rows)
    after.go_on_learning(orjson.loads(orjson.dumps(learn_state.encoded(references.learning()))))
    return after


def learn(days: int, *, restarts: bool, seed: int = 3) -> Reference:
    rng = np.random.default_rng(seed)
    references = LearntReferences()
    for _ in range(days):
        for _ in range(0, 5_000 // days, 50):
            kinds = rng.choice(["a", "b", "c"], 50, p=[0.6, 0.3, 0.1]).tolist()
            references.fold(
                rows(
                    50,
                    amount=column("amount", NUMBER, rng.lognormal(size=50).tolist()),
                    age=column("age", NUMBER, rng.integers(18, 80, 50).astype(float).tolist()),
                    children=column("children", NUMBER, rng.integers(0, 4, 50).astype(float).tolist()),
                    flag=column("flag", ColumnType.BOOLEAN, ["true", "false"] * 25),
                    kind=column(
                        "kind", CATEGORY, [None if at % 10 == 0 else k for at, k in enumerate(kinds)]
                    ),
                    note=column("note", ColumnType.TEXT, ["?"] * 50),
                )
            )
        if restarts:
            references = restarted(references) if references.of("m") is None else references
    learnt = references.of("m")
    assert learnt is not None
    return learnt


@pytest.mark.parametrize("days", [5, 20])
def test_a_reference_learnt_over_daily_restarts_is_the_one_learnt_in_one_go(days):
    whole, parts = learn(days, restarts=False), learn(days, restarts=True)
    assert parts.rows == whole.rows == 5_000
    assert list(parts.features) == list(whole.features)
    for name, expected in whole.features.items():
        found = parts.features[name]
        assert (found.type, found.rows, found.null_ratio) == (expected.type, 5_000, expected.null_ratio)
        assert (found.min, found.max) == (expected.min, expected.max)
        assert (found.mean, found.stddev) == pytest.approx((expected.mean, expected.stddev))
    assert parts.features["children"] == whole.features["children"]
    assert parts.features["flag"] == whole.features["flag"]
    assert parts.features["kind"].levels == pytest.approx(whole.features["kind"].levels, abs=0.02)
    for name in ("amount", "age"):
        # An edge may be one year further: a sixtieth of all ages is then in another bin.
        assert parts.features[name].edges == pytest.approx(whole.features[name].edges, rel=0.05, abs=1)
        assert parts.features[name].shares == pytest.approx(whole.features[name].shares, abs=0.02)


def test_no_row_and_no_level_that_few_rows_had_is_written():
    references = LearntReferences()
    secret = [f"person-{at}" for at in range(100)]
    numbers = [float(at) * 1.25 for at in np.random.default_rng(1).permutation(1_000)]
    for at in range(0, 1_000, 100):
        kinds = ["common"] * 81 + ["nineteen"] * (at < 100) * 19 + secret[: 19 if at else 0]
        name = column("name", CATEGORY, kinds)
        references.fold(rows(100, name=name, x=column("x", NUMBER, numbers[at : at + 100])))
    written = json.dumps(learn_state.encoded(references.learning()))
    assert "common" in written
    assert "person-" not in written and "nineteen" not in written
    [(_, _, x)] = [c for c in json.loads(written)["m"]["columns"] if c[1] == "x"]
    assert x["numbers"]["values"] == sorted(x["numbers"]["values"])
    assert len(x["numbers"]["values"]) == learn_state.POINTS


def test_a_reference_that_was_given_since_wins_and_full_is_full():
    before = LearntReferences()
    before.fold(rows(100))
    saved = learn_state.encoded(before.learning())
    after = LearntReferences(default=learn(5, restarts=False))
    assert after.go_on_learning(saved) == {}
    crowded = LearntReferences()
    for at in range(20):
        crowded.fold(rows(10, model=f"m{at}x"))
    assert crowded.go_on_learning(saved) == {}


def test_what_is_written_is_bounded(monkeypatch):
    references = LearntReferences()
    for at in range(5):
        references.fold(rows(100, model=f"m{at}"))
    monkeypatch.setattr(learn_state, "MAX_BYTES", 8_000)
    found = learn_state.encoded(references.learning())
    assert 0 < len(found) < 5 and len(orjson.dumps(found)) <= 8_200


PLAIN = (
    st.none() | st.integers(-3, 3) | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
)


@settings(max_examples=200)
@given(st.data())
def test_a_document_that_was_tampered_with_is_refused_or_harmless(data):
    references = LearntReferences()
    references.fold(rows(100, kind=column("kind", CATEGORY, ["a"] * 100)))
    document = json.loads(json.dumps(learn_state.encoded(references.learning())))
    state = data.draw(st.sampled_from(document["m"]["columns"]))[2]
    state[data.draw(st.sampled_from(sorted(state)))] = data.draw(PLAIN)
    after = LearntReferences(rows=200)
    try:
        after.go_on_learning(document)
    except ValueError:
        return
    after.fold(rows(200))


@pytest.mark.parametrize(("range", "refused"), [("00", False), ("ab", True), ([[], 1], True), ([1], True)])
def test_a_range_that_was_tampered_with_is_read_as_numbers_or_refused(range, refused):
    references = LearntReferences()
    references.fold(rows(100))
    document = json.loads(json.dumps(learn_state.encoded(references.learning())))
    for _, _, state in document["m"]["columns"]:
        state["range"] = range
    after = LearntReferences(rows=200)
    if refused:
        with pytest.raises(ValueError):
            after.go_on_learning(document)
    else:
        after.go_on_learning(document)
    after.fold(rows(200))
    assert after.of("m") is not None
