"""Data quality over time: what breaks is named within one window, and nothing else is."""

import logging

import pytest

from sidecar.inference import MISSING
from sidecar.names import UNUSED_AFTER_SECONDS
from sidecar.reference import Expectation
from tests.monitors.quality_rows import Watch, columns, reference, said


@pytest.fixture(scope="module")
def given():
    return reference()


@pytest.fixture
def watch(given):
    return Watch(given)


def test_rows_like_the_reference_are_no_problem(watch):
    watch.see(columns(20_000))
    assert watch.standing == {}
    assert watch.registry.value("inference_feature_problem") == 0
    assert watch.registry.value("inference_feature_problems_total") == 0


@pytest.mark.parametrize("at_a_time", [1, 7, 64, 256])
def test_a_fifth_of_nulls_is_seen_in_one_window_however_rows_come(watch, at_a_time):
    rows = columns(256)
    rows["celsius"][::5] = [None] * len(rows["celsius"][::5])
    watch.see(rows, at_a_time=at_a_time)
    assert set(watch.standing) == {("celsius", "null_surge")}
    assert "null or missing; usual is hardly any" in watch.standing["celsius", "null_surge"]


def test_a_feature_that_is_no_longer_sent_is_a_surge_of_nulls(watch):
    watch.see({**columns(64), "amount": [MISSING] * 64})
    assert set(watch.standing) == {("amount", "null_surge")}


def test_numbers_that_became_text_are_a_type_change(watch):
    rows = columns(64)
    watch.see({**rows, "celsius": [str(value) for value in rows["celsius"]]})
    assert set(watch.standing) == {("celsius", "type_change")}


def test_levels_that_nobody_knows_are_a_surge_of_unseen_categories(watch):
    watch.see({**columns(64), "region": ["N", "S"] * 32})
    assert set(watch.standing) == {("region", "unseen_category_surge")}


def test_values_outside_of_what_the_operator_allows_are_a_surge(given):
    watch = Watch(given, celsius=Expectation(min=-50, max=60))
    watch.see({**columns(64), "celsius": [-999.0, 20.0] * 32})
    assert ("celsius", "out_of_range_surge") in watch.standing


def test_a_constant_is_stuck(watch):
    watch.see({**columns(256), "amount": [1.5] * 256})
    assert watch.standing == {("amount", "stuck"): "the same value in 256 rows; the reference varies"}


def test_another_unit_is_named(watch):
    rows = columns(64)
    watch.see({**rows, "amount": [value and value * 1_000 for value in rows["amount"]]})
    assert watch.standing["amount", "unit_change"] == "values are 1,000 times the reference's"


def test_a_problem_ends_after_four_quiet_windows_and_both_moments_are_logged_once(watch, caplog):
    caplog.set_level(logging.INFO, "sidecar")
    watch.see({**columns(1_024), "celsius": [None] * 1_024})
    assert watch.registry.value("inference_feature_problem", feature="celsius", problem="null_surge") == 1
    watch.see(columns(3 * 256))
    assert watch.standing
    watch.see(columns(256))
    assert watch.standing == {}
    assert watch.registry.value("inference_feature_problem") == 0
    assert watch.registry.value("inference_feature_problems_total", problem="null_surge") == 1
    begins, ends = said(caplog.records)
    assert begins.startswith("data quality: model=m feature=celsius problem=null_surge begins: 100% of 256")
    assert ends == "data quality: model=m feature=celsius problem=null_surge ends: it stood for 7 s"


def test_without_a_reference_the_first_thousand_rows_say_what_is_usual():
    watch = Watch(None)
    rows = columns(2_048)
    rows["celsius"][::3] = [None] * len(rows["celsius"][::3])
    watch.see(rows)
    assert watch.standing == {}
    rows["celsius"] = [None] * 2_048
    watch.see(rows)
    assert set(watch.standing) == {("celsius", "null_surge")}


@pytest.mark.parametrize("more", [{"trusted": False}, {"elsewhere": True}])
def test_rows_that_were_refused_or_sent_elsewhere_say_nothing(watch, more):
    watch.see({**columns(256), "celsius": [None] * 256}, **more)
    assert watch.standing == {}


def test_rows_that_come_twice_are_counted_and_become_a_problem_once_that_is_unusual(watch):
    for seed in range(5):
        watch.see(columns(5_120, seed))
    assert watch.registry.value("inference_duplicate_rows_total") < 5
    before = columns(512, seed=10)
    watch.see(before)
    watch.see(before)
    assert watch.registry.value("inference_duplicate_rows_total") >= 470
    assert watch.registry.value("inference_row_problem", problem="duplicated") == 1
    assert "of 256 rows equal one of the last few thousand" in watch.standing["", "duplicated"]


def test_a_hundred_layouts_hold_no_more_than_eight(watch):
    for i in range(100):
        watch.see({f"f{i}": [1.0]})
    model = next(iter(watch.monitor._models.items()))[1]
    assert len(model.layouts) <= 8


def test_a_problem_nobody_shows_any_more_ends_and_a_model_unused_for_a_day_is_forgotten(watch):
    watch.see({**columns(64), "celsius": [None] * 64})
    watch.monitor.tick(watch.now + 7 * 3600)
    assert watch.standing == {}
    watch.monitor.tick(watch.now + UNUSED_AFTER_SECONDS + 1)
    series = {f.metric.name: f.series for f in watch.registry.snapshot().families}
    assert series["inference_feature_problem"] == []
    assert series["inference_feature_problems_total"] == []
