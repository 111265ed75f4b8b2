"""The data-quality checks over recorded rows: the same problems however rows are portioned and timed."""

from typing import Any

import numpy as np
import pytest

from sidecar.inference import MISSING
from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.learn import LEARN_ROWS, LearntReferences
from sidecar.reference import ColumnType, Expectation, Reference
from sidecar.replay.rows import RowReplay
from tests.monitors.quality_rows import columns, reference

GIVEN = reference()
Rows = dict[str, list[Any]]


def problems(
    rows: Rows,
    sizes: list[int],
    given: Reference | None = GIVEN,
    times: list[float] | None = None,
    **more: Any,
) -> list[tuple[int, int | None, str, str]]:
    replay = RowReplay(LearntReferences(default=given), Policies(ModelPolicy(**more)), "m", 5_000)
    at, total = 0, len(rows["celsius"])
    for turn in range(total):
        until = min(at + sizes[min(turn, len(sizes) - 1)], total)
        part = {name: values[at:until] for name, values in rows.items()}
        replay.feed(until - at, part, {}, None if times is None else times[at:until])
        at = until
        if at == total:
            break
    replay.finish()
    return [(p.row, p.until, p.feature, p.problem) for p in replay.problems]


def breaking(rows: int = 6_000) -> Rows:
    found = columns(rows)
    found["celsius"][1_000:2_000] = [c * 1.8 + 32 for c in found["celsius"][1_000:2_000]]
    found["region"][3_000:3_500] = ["nowhere"] * 500
    found["amount"][5_000:] = [MISSING] * (rows - 5_000)
    return found


@pytest.mark.parametrize("sizes", [[1], [7, 64, 300, 999], [5_000], [256]])
def test_problems_are_the_same_however_rows_are_portioned(sizes):
    found = problems(breaking(), sizes)
    assert found == problems(breaking(), [100_000])
    assert [(feature, problem) for _, _, feature, problem in found] == [
        ("celsius", "out_of_range_surge"), ("celsius", "unit_change"), ("region", "unseen_category_surge"),
        ("region", "stuck"), ("amount", "null_surge"),
    ]  # fmt: skip
    assert all(row % 256 == 255 or row == 5_999 for row, *_ in found)
    begins = (1_000, 1_000, 3_000, 3_000, 5_000)
    assert all(first <= row < first + 512 for first, (row, *_) in zip(begins, found, strict=True))


@pytest.mark.parametrize(
    "times", [[7.0] * 6_000, [3_600.0 * at for at in range(6_000)]], ids=["equal", "far"]
)
def test_times_change_nothing(times):
    assert problems(breaking(), [700], times=times) == problems(breaking(), [700])


def test_rows_in_control_have_none():
    assert problems(columns(20_000, seed=3), [5_000]) == []


def test_a_column_that_no_row_has_is_not_looked_at_and_one_that_goes_missing_is():
    rows = columns(2_000)
    del rows["amount"]
    assert problems(rows, [333]) == []
    rows["amount"] = [MISSING] * 2_000
    assert problems(rows, [333]) == []
    rows["amount"][:300] = columns(300)["amount"]
    assert problems(rows, [333]) == [(511, None, "amount", "null_surge")]


def test_without_a_reference_rows_count_from_the_start_of_the_recording():
    rows = columns(LEARN_ROWS + 2_000)
    rows["celsius"][LEARN_ROWS + 1_024 :] = [1e6] * 976
    found = problems(rows, [777], None)
    assert {feature for _, _, feature, _ in found} == {"celsius"}
    assert min(row for row, *_ in found) == LEARN_ROWS + 1_024 + 255


def test_rows_that_come_twice_are_a_problem_of_the_rows():
    rows = columns(30_000, seed=4)
    for name, values in rows.items():
        rows[name] = values[:26_000] + values[25_000:26_000] * 4
    assert [(feature, problem) for _, _, feature, problem in problems(rows, [5_000])] == [("", "duplicated")]


def test_timestamps_are_as_old_as_their_row_says():
    rows, times = columns(1_024), [1e9 + at for at in range(1_024)]
    rows["as_of"] = [time - (10.0 if at < 512 else 1_000.0) for at, time in enumerate(times)]
    given = reference()
    policy = {"expectations": {"as_of": Expectation(type=ColumnType.TIMESTAMP, max_age=300.0)}}
    assert problems(rows, [100], given, times, **policy) == [(767, None, "as_of", "stale")]
    assert problems(rows, [100], given, None, **policy) == []


def test_arrays_and_lists_say_the_same():
    rows = breaking()
    arrays = {**rows, "celsius": np.array(rows["celsius"])}
    assert problems(arrays, [999]) == problems(rows, [999])
