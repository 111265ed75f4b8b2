"""Timestamps: how old they are when they arrive, and when that is too old."""

import time
from decimal import Decimal

import pytest

from sidecar.monitors.freshness import Freshness
from sidecar.monitors.quality_problems import Problems
from sidecar.monitors.rows import Rows
from sidecar.policy import ModelPolicy, Policies
from sidecar.reference import ColumnType, Expectation
from sidecar.registry import Registry
from sidecar.slo import Objective
from tests.fakes import OneReference, exchange, inference

NOW = 1_700_000_000.0
TEN_MINUTES_AGO = "2023-11-14T22:03:20Z"


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def problems(registry):
    return Problems(registry)


@pytest.fixture
def elsewhere(monkeypatch):
    """This host is not in UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def rows(registry, problems):
    expectation = Expectation(ColumnType.TIMESTAMP, max_age=300.0)
    policies = Policies(ModelPolicy(expectations={"as_of": expectation}))
    monitor = Freshness(registry, policies, problems, lambda moment: NOW)
    rows = Rows([monitor], policies, OneReference())
    registry.before_snapshot(rows.flush)
    return rows


@pytest.mark.parametrize(
    "written",
    [TEN_MINUTES_AGO, "2023-11-14T22:03:20", "2023-11-14T23:03:20+01:00", NOW - 600, int(NOW - 600) * 1_000],
)
def test_the_age_of_a_time_however_it_is_written_is_counted(rows, registry, written, elsewhere):
    rows.observe(exchange(), inference(as_of=[written, None]))
    assert registry.value("inference_feature_age_seconds", feature="as_of") == 1
    series = next(
        f for f in registry.snapshot().families if f.metric.name == "inference_feature_age_seconds"
    ).series
    assert series[0][1].sum == pytest.approx(600)


def test_a_time_in_the_future_has_no_age(rows, registry):
    rows.observe(exchange(), inference(as_of=[NOW + 100]))
    family = next(f for f in registry.snapshot().families if f.metric.name == "inference_feature_age_seconds")
    assert family.series[0][1].counts[0] == 1
    assert family.series[0][1].sum == 0


def test_a_feed_that_fell_behind_is_a_problem_and_stragglers_are_not(rows, registry, problems):
    fresh = ["2023-11-14T22:13:00Z"]
    rows.observe(exchange(), inference(as_of=fresh * 62 + [TEN_MINUTES_AGO] * 2))
    rows.flush()
    assert not list(problems.standing())
    rows.observe(exchange(at=200.0), inference(as_of=[TEN_MINUTES_AGO] * 64))
    rows.flush()
    (stale,) = problems.standing()
    assert (stale.feature, stale.problem) == ("as_of", "stale")
    assert stale.text == "100% of 64 values are older than 300 s, the oldest 600 s"
    for at in range(4):
        rows.observe(exchange(at=300.0 + at), inference(as_of=fresh * 64))
        rows.flush()
    assert not list(problems.standing())


def test_what_is_no_time_has_no_age(rows, registry):
    rows.observe(exchange(), inference(as_of=["yesterday", True, float("nan"), 10**400, 1e300]))
    assert registry.value("inference_feature_age_seconds") == 0


def test_the_objective_counts_rows_by_their_oldest_timestamp_and_leaves_out_those_without(registry, problems):
    expected = Expectation(ColumnType.TIMESTAMP, max_age=300.0)
    unlimited = Expectation(ColumnType.TIMESTAMP)
    policy = ModelPolicy(
        objectives=(Objective("freshness", Decimal(99)),),
        expectations={"as_of": expected, "seen": expected, "born": unlimited},
    )
    policies = Policies(policy)
    rows = Rows([Freshness(registry, policies, problems, lambda moment: NOW)], policies, OneReference())
    registry.before_snapshot(rows.flush)
    old, new = NOW - 600, NOW - 60
    rows.observe(
        exchange(),
        inference(as_of=[new, old, new, None], seen=[new, new, None, None], born=[old, old, old, old]),
    )
    assert registry.value("inference_slo_events_total", slo="freshness", result="good") == 2
    assert registry.value("inference_slo_events_total", slo="freshness", result="bad") == 1


def test_rows_are_no_events_of_an_objective_that_nobody_set(rows, registry):
    rows.observe(exchange(), inference(as_of=[NOW - 600]))
    assert registry.value("inference_slo_events_total", slo="freshness") == 0
