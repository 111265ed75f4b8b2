"""Versions: since when, how often they change, whether they may answer, whose they are."""

import pytest

from sidecar.exchange import Outcome
from sidecar.monitors.versions import AWAY_ANSWERS, AWAY_SECONDS, Versions
from sidecar.policy import ModelPolicy, Policies
from sidecar.registry import Registry
from tests.fakes import exchange, inference

CHANGES = "inference_model_version_changes_total"
SINCE = "inference_model_version_first_seen_timestamp_seconds"
APPROVED = "inference_model_version_approved"
OWNER = "inference_model_owner_info"


@pytest.fixture
def registry():
    return Registry()


def monitor(registry, **policy):
    versions = Versions(registry, Policies(ModelPolicy(**policy)))

    def answer(version, at=100.0, **how):
        versions.observe(exchange(at=at, duration=0.0, **how), inference(version=version, x=[1]))

    return answer


def series(registry, name):
    return dict(next(f.series for f in registry.snapshot().families if f.metric.name == name))


def test_the_first_version_is_seen_and_is_no_change(registry):
    monitor(registry)("3")
    assert registry.value(CHANGES, model_version="3") == 0
    assert registry.value(SINCE, model_version="3") > 1.7e9


def test_a_second_version_is_a_change_and_keeps_the_moment_it_was_first_seen(registry):
    answer = monitor(registry)
    answer("3", at=100.0)
    answer("4", at=200.0)
    answer("4", at=300.0)
    assert registry.value(CHANGES) == registry.value(CHANGES, model_version="4") == 1
    seen = series(registry, SINCE)
    assert seen[("m", "4")] - seen[("m", "3")] == pytest.approx(100.0, abs=0.01)


def test_a_canary_that_answers_in_turn_changes_once(registry):
    answer = monitor(registry)
    for i in range(2_000):
        answer("4" if i % 100 == 99 else "3", at=100.0 + 60.0 * i)
    assert registry.value(CHANGES) == 1


def test_going_back_to_a_version_that_was_away_is_a_change(registry):
    answer = monitor(registry)
    answer("3", at=0.0)
    for i in range(AWAY_ANSWERS):
        answer("4", at=1.0 + i)
    answer("3", at=AWAY_SECONDS)
    assert registry.value(CHANGES, model_version="3") == 1
    answer("3", at=AWAY_SECONDS + 1)
    assert registry.value(CHANGES, model_version="3") == 1


@pytest.mark.parametrize(
    ("answers", "away"), [(AWAY_ANSWERS - 1, 2 * AWAY_SECONDS), (AWAY_ANSWERS, AWAY_SECONDS - 1)]
)
def test_a_version_that_was_away_for_a_moment_or_a_few_answers_did_not_leave(registry, answers, away):
    answer = monitor(registry)
    answer("3", at=0.0)
    for _ in range(answers):
        answer("4", at=1.0)
    answer("3", at=away)
    assert registry.value(CHANGES, model_version="3") == 0


def test_a_failure_shows_no_version(registry):
    monitor(registry, approved_versions=("3",))("9", status=500, outcome=Outcome.SERVER_ERROR)
    assert (series(registry, SINCE), series(registry, APPROVED)) == ({}, {})


def test_a_version_is_approved_or_not_where_there_is_a_list(registry):
    answer = monitor(registry, approved_versions=("3", "4"))
    answer("3")
    answer("9")
    assert series(registry, APPROVED) == {("m", "3"): 1, ("m", "9"): 0}


def test_without_a_list_nothing_is_said_about_approval(registry):
    monitor(registry)("3")
    assert series(registry, APPROVED) == {}


def test_the_owner_and_the_runbook_stand_beside_the_model_also_when_it_only_fails(registry):
    answer = monitor(registry, owner="risk-ml", runbook="https://wiki.example/churn")
    answer("3", status=500, outcome=Outcome.SERVER_ERROR)
    assert series(registry, OWNER) == {("m", "3", "risk-ml", "https://wiki.example/churn"): 1}


def test_a_model_that_nobody_owns_has_no_owner_series(registry):
    monitor(registry)("3")
    assert series(registry, OWNER) == {}


def test_a_version_taken_back_after_a_restart_keeps_its_time_and_is_judged(registry):
    versions = Versions(registry, Policies(ModelPolicy(owner="a", approved_versions=("3",))))
    registry.gauge(versions._first_seen.metric).set(5.0, "m", "2")
    versions.introduce(("m", "2"))
    assert series(registry, APPROVED) == {("m", "2"): 0}
    versions.observe(exchange(), inference(version="2", x=[1]))
    versions.observe(exchange(), inference(version="3", x=[1]))
    assert registry.value(SINCE, model_version="2") == 5.0
    assert registry.value(CHANGES, model_version="3") == 1
