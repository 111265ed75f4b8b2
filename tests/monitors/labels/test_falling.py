"""When quality is said to have fallen, and when not."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.monitors.labels.falling import BASELINE, Baseline, Falling
from sidecar.monitors.labels.judging import Task


def errors(share, count, seed=1):
    chance = random.Random(seed)
    return [float(chance.random() < share) for _ in range(count)]


def test_more_errors_than_at_first_are_a_fall_and_its_end_is_said_once_too():
    falling = Falling(Task.CLASSES)
    assert falling.add(errors(0.1, 3_000)) == []
    [fell] = falling.add(errors(0.3, 1_000, seed=2))
    assert fell.fell
    assert fell.before < 0.15 < fell.now
    assert falling.fallen
    [back] = falling.add(errors(0.1, 2_000, seed=3))
    assert not back.fell
    assert not falling.fallen


def test_chance_is_no_fall_and_neither_are_fewer_errors():
    for seed in range(20):
        falling = Falling(Task.CLASSES)
        assert falling.add(errors(0.1, 5_000, seed)) == []
        assert falling.add(errors(0.02, 3_000, seed)) == []


def test_a_difference_that_is_certain_but_small_is_no_fall():
    falling = Falling(Task.CLASSES, Baseline(Task.CLASSES, 0.01, 0.01, 100_000))
    assert falling.add(errors(0.02, 20_000)) == []


def test_a_model_without_an_error_in_its_first_labels_may_make_some():
    falling = Falling(Task.CLASSES)
    assert falling.add([0.0] * BASELINE + [1.0, 0.0] * 3 + [0.0] * 500) == []


def test_numbers_fall_when_their_mean_error_grows_by_a_quarter_and_more():
    chance = random.Random(5)
    falling = Falling(Task.NUMBERS)
    assert falling.add(abs(chance.gauss(0, 1)) for _ in range(3_000)) == []
    [fell] = falling.add(abs(chance.gauss(0, 2)) for _ in range(1_000))
    assert fell.fell


def test_a_new_version_is_compared_with_what_the_model_was_like():
    known = Baseline(Task.CLASSES, 0.05, 0.05, 500)
    assert Falling(Task.CLASSES, known).add(errors(0.3, 500))[0].fell
    # To another kind of question there are other errors.
    assert Falling(Task.NUMBERS, known).add([100.0] * 400) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3_000), st.integers(0, 3), st.sampled_from(list(Task)[:3]))
def test_after_a_restart_at_any_time_it_goes_on_as_it_was(at, seed, task):
    story = errors(0.1, 900, seed) + errors(0.4, 900, seed + 1) + errors(0.1, 1_200, seed + 2)
    falling, after = Falling(task), Falling(task)
    falling.add(story[:at])
    after.restore(json.loads(json.dumps(falling.state())), story[:at][-1_000:])

    assert after.fallen == falling.fallen
    assert after.add(story[at:]) == falling.add(story[at:])


@pytest.mark.parametrize(
    "damage",
    [{"baseline": [0.1]}, {"baseline": [0.1, -1.0, 500]}, {"baseline": ["a", 0.1, 500]}, {"counts": [1]},
     {"errors": "many"}, {"baseline": 5}],
)  # fmt: skip
def test_a_damaged_state_is_refused_and_changes_nothing(damage):
    falling = Falling(Task.CLASSES)
    falling.add(errors(0.1, 700))
    before = falling.state()

    with pytest.raises((ValueError, TypeError)):
        falling.restore({**before, **damage}, [])
    assert falling.state() == before
