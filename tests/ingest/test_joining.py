import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.ingest.events import Event
from sidecar.ingest.joining import Joiner, JoinLimits, Settled, State
from tests.ingest.events import event


def states(settled: list[Settled]) -> list[State]:
    return [one.state for one in settled]


@pytest.mark.parametrize("roles", list(itertools.permutations(("request", "response"))))
def test_two_halves_are_one_whichever_comes_first(roles):
    joiner = Joiner()
    first, second = (event(role, role.encode()) for role in roles)
    assert joiner.add(first, 0.0) == []
    (one,) = joiner.add(second, 5.0)
    assert one.state is State.OBSERVED
    assert one.request is not None and one.request.data == b"request"
    assert one.response is not None and one.response.data == b"response"
    assert len(joiner) == 0


def test_halves_with_different_ids_wait_for_their_own():
    joiner = Joiner()
    joiner.add(event("request", id="1"), 0.0)
    assert joiner.add(event("response", id="2"), 0.0) == []
    assert len(joiner) == 2


def test_the_same_id_in_another_namespace_is_another_exchange():
    joiner = Joiner()
    joiner.add(event("request", namespace="a"), 0.0)
    assert joiner.add(event("response", namespace="b"), 0.0) == []


@pytest.mark.parametrize(("role", "state"), [("request", State.UNANSWERED), ("response", State.UNASKED)])
def test_a_half_whose_other_half_does_not_come_is_given_up_on_once(role, state):
    joiner = Joiner(JoinLimits(age_seconds=60.0))
    joiner.add(event(role), 0.0)
    assert joiner.expire(59.9) == []
    (one,) = joiner.expire(60.0)
    assert one.state is state
    assert len(one.events) == 1
    assert joiner.expire(1_000.0) == []


def test_what_comes_again_is_a_duplicate_before_and_after_it_was_joined():
    joiner = Joiner()
    joiner.add(event("request"), 0.0)
    assert states(joiner.add(event("request"), 1.0)) == [State.DUPLICATE]
    joiner.add(event("response"), 2.0)
    assert states(joiner.add(event("response"), 3.0)) == [State.DUPLICATE]
    assert states(joiner.add(event("request"), 4.0)) == [State.DUPLICATE]
    assert len(joiner) == 0


def test_an_answer_after_its_request_was_given_up_on_is_late_and_no_second_exchange():
    joiner = Joiner(JoinLimits(age_seconds=60.0))
    joiner.add(event("request"), 0.0)
    joiner.expire(60.0)
    assert states(joiner.add(event("response"), 61.0)) == [State.LATE]
    assert joiner.expire(1_000.0) == []


def test_an_id_may_be_used_again_when_it_has_been_quiet():
    joiner = Joiner(JoinLimits(age_seconds=60.0))
    joiner.add(event("request"), 0.0)
    joiner.add(event("response"), 1.0)
    joiner.expire(61.0)
    assert joiner.add(event("request"), 62.0) == []


def test_what_is_settled_is_remembered_up_to_a_number():
    joiner = Joiner(JoinLimits(remembered=2))
    for id in "abc":
        joiner.add(event("request", id=id), 0.0)
        joiner.add(event("response", id=id), 0.0)
    assert states(joiner.add(event("response", id="b"), 0.0)) == [State.DUPLICATE]
    assert joiner.add(event("response", id="a"), 0.0) == []


def test_long_attributes_count_as_the_memory_they_take():
    joiner = Joiner(JoinLimits(total_bytes=30_000))
    long = dict.fromkeys(("namespace", "endpoint", "component", "modelid", "inferenceservicename"), "x" * 256)
    gone = [s for i in range(10) for s in joiner.add(event("request", id=str(i), **long), 0.0)]
    assert len(gone) == 6


def test_the_oldest_halves_make_room_in_number():
    joiner = Joiner(JoinLimits(halves=3))
    gone = [settled for i in range(5) for settled in joiner.add(event("request", id=str(i)), float(i))]
    assert [(one.state, one.events[0].id) for one in gone] == [(State.EVICTED, "0"), (State.EVICTED, "1")]
    assert len(joiner) == 3


def test_the_oldest_halves_make_room_in_bytes():
    joiner = Joiner(JoinLimits(total_bytes=50_000))
    gone = [s for i in range(4) for s in joiner.add(event("response", bytes(20_000), id=str(i)), 0.0)]
    assert states(gone) == [State.EVICTED] * 2
    assert len(joiner) == 2


def test_a_half_larger_than_all_there_is_room_for_goes_at_once():
    joiner = Joiner(JoinLimits(total_bytes=10_000))
    assert states(joiner.add(event("request", bytes(20_000)), 0.0)) == [State.EVICTED]
    assert len(joiner) == 0


@given(st.lists(st.tuples(st.sampled_from(["request", "response"]), st.integers(0, 9), st.integers(0, 40))))
def test_every_event_ends_in_exactly_one_state_and_nothing_outgrows_its_bounds(steps):
    limits = JoinLimits(age_seconds=60.0, halves=4, total_bytes=30_000, remembered=6)
    joiner, now, settled, given_ = Joiner(limits), 0.0, [], 0
    for role, id, seconds in steps:
        now += seconds
        settled += joiner.expire(now)
        settled += joiner.add(event(role, bytes(id * 500), id=str(id)), now)
        given_ += 1
        assert len(joiner) <= limits.halves
        assert joiner._bytes <= limits.total_bytes
        assert len(joiner._settled) <= limits.remembered
    settled += joiner.expire(now + 60.0)
    ended: list[Event] = [one for each in settled for one in each.events]
    assert len(ended) == given_
    assert joiner._bytes == len(joiner) == 0
    assert all(len(one.events) == 2 for one in settled if one.state is State.OBSERVED)
