"""Recorded rows, judged: the verdicts belong to the rows, not to how they were handed over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LEARN_ROWS, LearntReferences
from sidecar.profiles.read import build_profile
from sidecar.reference import Reference
from sidecar.replay.files import Portion, Roles, read_rows
from sidecar.replay.rows import RowReplay

CASES = Path(__file__).parent.parent / "cases" / "drift"
CHANGE = 15_000
CHANGED = {"car_value", "loan_length", "salary_range", "repaid_loan_on_prev_car", "y_pred_proba"}

Columns = dict[str, list[Any]]


def replayed(
    portions: Iterator[Portion] | list[Portion], given: Reference | None, *, chunk: int = 5_000
) -> RowReplay:
    replay = RowReplay(LearntReferences(default=given), Policies(ModelPolicy()), "m", chunk)
    for rows, features, outputs, times, *_ in portions:
        replay.feed(rows, features, outputs, times)
    replay.finish()
    return replay


def drawn(rows: int, seed: int, shift: float = 0.0) -> Columns:
    """A number, a category with nulls, a flag."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["a", "b", "c"], size=rows, p=[0.6, 0.3, 0.1]).tolist()
    return {
        "x": (rng.normal(size=rows) + shift).tolist(),
        "kind": [None if at % 50 == 0 else kind for at, kind in enumerate(kinds)],
        "flag": (rng.random(rows) < 0.3).tolist(),
    }


def stretch(features: Columns, sizes: list[int], times: list[float] | None = None) -> list[Portion]:
    """The same rows in portions of these sizes, the last one again and again."""
    found, at, total = [], 0, len(features["x"])
    while at < total:
        until = min(at + sizes[min(len(found), len(sizes) - 1)], total)
        part = {name: values[at:until] for name, values in features.items()}
        found.append(Portion(until - at, part, {}, None if times is None else times[at:until]))
        at = until
    return found


def joined(before: Columns, after: Columns) -> Columns:
    return {name: [*before[name], *after[name]] for name in before}


@pytest.fixture(scope="module")
def given() -> Reference:
    builder = ProfileBuilder()
    builder.add(10_000, drawn(10_000, seed=1))
    return builder.reference()


@pytest.fixture(scope="module")
def breaking() -> Columns:
    return joined(drawn(6_200, seed=2), drawn(3_000, seed=3, shift=0.6))


@pytest.mark.parametrize("sizes", [[1], [7, 64, 63, 1_000], [5_000], [100_000]])
def test_detections_and_chunks_are_the_same_however_rows_are_portioned(given, breaking, sizes):
    whole = replayed(stretch(breaking, [100_000]), given, chunk=2_000)
    portioned = replayed(stretch(breaking, sizes), given, chunk=2_000)

    found = portioned.findings.detections(models=False)
    assert {d["level"] for d in found} >= {"event", "ticket"}
    assert found == whole.findings.detections(models=False)
    shown = [list(replay.findings.shown_chunks(models=False)) for replay in (portioned, whole)]
    assert shown[0] == shown[1]
    assert [(chunk["row"], chunk["n"]) for chunk in shown[0]] == [
        (0, 2_000), (2_000, 2_000), (4_000, 2_000), (6_000, 2_000), (8_000, 1_200),
    ]  # fmt: skip


@pytest.mark.parametrize("sizes", [[1], [4_999, 333], [5_000]])
def test_a_column_that_is_null_at_first_is_judged_from_its_first_value_on(given, sizes):
    rows = drawn(6_000, seed=4)
    rows["x"][:3_000] = [None] * 3_000
    whole = replayed(stretch(rows, [100_000]), given).findings.detections(models=False)
    assert replayed(stretch(rows, sizes), given).findings.detections(models=False) == whole
    assert not [d for d in whole if d["row"] < 3_000]


@pytest.mark.parametrize("sizes", [[1], [4_999, 500], [12_345]])
def test_without_a_reference_the_first_rows_are_it_and_the_rest_is_judged(sizes):
    rows = joined(drawn(LEARN_ROWS + 6_000, seed=5), drawn(3_000, seed=6, shift=0.8))
    replay = replayed(stretch(rows, sizes), None)
    found = replay.findings.detections(models=False)

    assert replay.rows == LEARN_ROWS + 9_000
    loud = [d for d in found if d["level"] != "event"]
    assert {d["name"] for d in loud} == {"x"}
    assert all(LEARN_ROWS + 6_000 <= d["row"] < LEARN_ROWS + 7_000 for d in loud[:1])
    assert next(replay.findings.shown_chunks(models=False))["row"] == LEARN_ROWS
    assert found == replayed(stretch(rows, [2_000]), None).findings.detections(models=False)


def test_too_few_rows_to_learn_from_are_not_judged():
    replay = replayed(stretch(drawn(4_999, seed=7), [1_000]), None)
    assert (replay.learning, replay.findings.verdicts, replay.findings.chunks) == (4_999, [], [])


def test_arrays_say_the_same_as_lists(given, breaking):
    arrays = {name: np.array(values) for name, values in breaking.items()}
    assert arrays["x"].dtype == np.float64
    rows = len(arrays["x"])
    found = replayed([Portion(rows, arrays, {}, None)], given).findings.detections(models=False)
    assert found == replayed(stretch(breaking, [rows]), given).findings.detections(models=False)


def test_times_are_a_clock_of_the_recordings_own_and_make_no_micro_batches(given, breaking):
    hours = [3600.0 * at for at in range(len(breaking["x"]))]
    found = replayed(stretch(breaking, [777], hours), given).findings
    assert found.verdicts[0].time in hours
    untimed = replayed(stretch(breaking, [777]), given).findings
    assert [v.row for v in found.verdicts][:3] == [v.row for v in untimed.verdicts][:3]


@pytest.mark.parametrize("chunk", [5_000, 1_000])
def test_the_car_loan_change_is_found_where_it_is_and_nowhere_else(chunk):
    given = build_profile(
        CASES / "car_loan_reference_15k.csv.gz", ["y_pred_proba", "y_pred"], "repaid", "timestamp"
    )
    rows = read_rows(CASES / "car_loan_analysis_rows10000_39999.csv.gz", given, Roles(), 5_000)
    found = replayed(rows, given, chunk=chunk).findings.detections(models=False)
    loud = [d for d in found if d["level"] != "event"]

    assert min(d["row"] for d in loud) >= CHANGE
    assert {d["name"] for d in loud if d["row"] < CHANGE + 1_000} == CHANGED
    assert {d["name"] for d in loud} == CHANGED
