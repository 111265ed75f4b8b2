"""How long a value may stay the same follows from the reference."""

import math

import pytest

from sidecar.monitors.quality_stuck import rows_too_many
from sidecar.reference import ColumnProfile, ColumnType
from tests.monitors.quality_rows import Watch, columns, reference


def number(*shares):
    return ColumnProfile("x", ColumnType.NUMBER, 5_000, edges=tuple(range(len(shares) - 1)), shares=shares)


@pytest.mark.parametrize(
    ("profile", "rows"),
    [
        (number(*[0.05] * 20), 64),  # many values: one window
        (number(0.9, 0.1), 570),
        (number(0.995, 0.005), math.inf),  # hardly varies
        (ColumnProfile("x", ColumnType.CATEGORY, 5_000, levels={"a": 0.5, "b": 0.5}), 87),
        (ColumnProfile("x", ColumnType.CATEGORY, 5_000, levels={"a": 0.01}), 5_970),  # most are other levels
        (ColumnProfile("x", ColumnType.TEXT, 5_000), math.inf),
        (None, math.inf),
    ],
)
def test_the_more_frequent_a_value_the_longer_it_may_last(profile, rows):
    assert rows_too_many(profile) == rows


def test_a_flag_that_is_mostly_0_is_stuck_only_after_so_many_rows_as_its_share_asks_for():
    watch = Watch(reference())
    watch.see({**columns(512), "flag": [0.0] * 512})
    assert watch.standing == {}
    watch.see({**columns(256), "flag": [0.0] * 256})
    assert set(watch.standing) == {("flag", "stuck")}


def test_a_category_can_be_stuck_and_nulls_do_not_hide_it():
    watch = Watch(reference())
    watch.see({**columns(256), "region": ["n", "n", None, "n"] * 64, "celsius": [None, 1.0, 1.0, 1.0] * 64})
    assert {("region", "stuck"), ("celsius", "stuck")} <= set(watch.standing)


def test_one_large_request_about_one_customer_is_not_stuck_but_eight_are():
    watch = Watch(reference())
    watch.see({**columns(1_792), "celsius": [3.0] * 1_792}, requests=1)
    assert watch.standing == {}
    watch.see({**columns(256), "celsius": [3.0] * 256}, requests=1)
    assert set(watch.standing) == {("celsius", "stuck")}


def test_another_constant_begins_a_new_run():
    watch = Watch(reference())
    for i in range(20):
        watch.see({**columns(256), "flag": [float(i % 2)] * 256})
    assert watch.standing == {}
