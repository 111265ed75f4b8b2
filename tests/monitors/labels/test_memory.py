"""The bounded memory of predictions: what is found, what leaves, what it costs."""

from collections import Counter

import numpy as np
import pytest

from sidecar.monitors.labels.memory import LABELLED, REQUEST_BYTES, ROW_BYTES, Memory, Requests
from sidecar.monitors.labels.values import NUMBER

MIB = 1024 * 1024


def requests(keys, rows=1, time=0.0, model=0, value=0.5):
    n = len(keys)
    return Requests(
        list(keys), [time] * n, [model] * n, [rows] * n,
        np.full(n * rows, value), np.full(n * rows, NUMBER, np.uint8),
    )  # fmt: skip


def found(memory, *keys):
    return memory.find(np.array(keys, np.uint64))


def test_a_prediction_is_found_with_its_rows_time_and_model_however_many_came_after_it():
    memory = Memory(16 * MIB, 3600.0)
    first = Requests([7], [12.5], [3], [2], np.array([0.1, 0.9]), np.full(2, NUMBER, np.uint8))
    memory.remember(first)
    for at in range(40):
        memory.remember(requests(range(1000 + 1000 * at, 2000 + 1000 * at), time=20.0))
        [[one]] = found(memory, 7)
        assert (one.key, one.time, one.model, one.rows) == (7, 12.5, 3, 2)
        assert one.values().tolist() == [0.1, 0.9]
    assert found(memory, 6, 1000, 40_999) == [[], *found(memory, 1000), *found(memory, 40_999)]
    assert memory.pending() == 40_002


def test_a_label_that_is_marked_stays_marked_while_segments_close_and_merge():
    memory = Memory(16 * MIB, 3600.0)
    memory.remember(requests([7]))
    found(memory, 7)[0][0].kinds()[0] |= LABELLED
    for at in range(40):
        memory.remember(requests(range(1000 + 1000 * at, 2000 + 1000 * at)))
        assert found(memory, 7)[0][0].kinds()[0] == NUMBER | LABELLED
    assert memory.pending() == 40_000


def test_of_one_key_the_newest_comes_first_in_one_segment_and_in_several():
    memory = Memory(16 * MIB, 3600.0)
    for at in range(40):
        memory.remember(requests([7], value=float(at)))
        memory.remember(requests(range(1000 + 1000 * at, 2000 + 1000 * at)))
    assert [one.values()[0] for one in found(memory, 7)[0]] == [float(at) for at in reversed(range(40))]


@pytest.mark.parametrize("rows", [1, 5])
def test_it_never_takes_more_than_its_room_and_the_oldest_leave_first(rows):
    limit = 256 * 1024
    memory = Memory(limit, 3600.0)
    left = Counter()
    sent = 3 * limit // (REQUEST_BYTES + rows * ROW_BYTES)
    for key in range(sent):
        left += memory.remember(requests([key], rows=rows))
        assert memory.bytes <= limit
    assert found(memory, 0) == [[]]
    assert found(memory, sent - 1) != [[]]
    # Nothing is lost without being counted.
    assert left[0] + memory.pending() == sent * rows
    assert memory.bytes > limit // 2


def test_what_left_is_counted_by_model_without_what_was_labelled():
    memory = Memory(64 * 1024, 3600.0)
    memory.remember(requests([1], rows=3, model=1))
    memory.remember(requests([2], rows=2, model=2))
    found(memory, 1)[0][0].kinds()[1] |= LABELLED
    assert memory.expire(0.0) == Counter()
    # An eighth of the time closes the segment, and then all of it has to pass.
    assert memory.expire(3600.0) == Counter()
    assert memory.expire(3601.0) == Counter({1: 2, 2: 2})
    assert memory.pending() == 0


def test_where_traffic_is_thin_the_oldest_still_leave_in_time():
    memory = Memory(16 * MIB, 800.0)
    for time in range(0, 8000, 10):
        memory.remember(requests([time], time=float(time)))
        memory.expire(float(time))
        if time > 1600:
            assert found(memory, time - 790) != [[]]
            assert found(memory, time - 1610) == [[]]


def test_a_request_too_large_for_the_room_is_known_before():
    memory = Memory(64 * 1024, 3600.0)
    assert memory.has_room_for(1000)
    assert not memory.has_room_for(10_000)


def test_a_saved_state_goes_on_as_it_was():
    memory, other = Memory(16 * MIB, 3600.0), Memory(16 * MIB, 3600.0)
    for at in range(20):
        memory.remember(requests(range(1000 * at, 1000 * at + 1000), rows=2, time=float(at)))
    found(memory, 5)[0][0].kinds()[1] |= LABELLED
    other.restore(memory.state())
    assert other.bytes == memory.bytes
    assert found(other, 5)[0][0].kinds().tolist() == [NUMBER, NUMBER | LABELLED]
    other.remember(requests([99_999]))
    assert [len(each) for each in found(other, 99_999, 19_999, 77_777)] == [1, 1, 0]


def test_a_smaller_room_keeps_the_newest_of_a_saved_state():
    memory, smaller = Memory(16 * MIB, 3600.0), Memory(256 * 1024, 3600.0)
    for at in range(20):
        memory.remember(requests(range(1000 * at, 1000 * at + 1000)))
    smaller.restore(memory.state())
    assert smaller.bytes <= 256 * 1024


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s.pop("keys"),
        lambda s: s.update(times=s["times"][:-1]),
        lambda s: s.update(counts=s["counts"] + 9),
        lambda s: s.update(keys=np.zeros(0, np.uint64)),
        lambda s: s.update(kinds=None),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage):
    memory = Memory(16 * MIB, 3600.0)
    memory.remember(requests([1, 2]))
    [saved] = memory.state()
    damage(saved)
    other = Memory(16 * MIB, 3600.0)
    other.remember(requests([7]))
    with pytest.raises((ValueError, TypeError)):
        other.restore([saved])
    assert found(other, 7) != [[]]
