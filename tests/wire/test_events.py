"""Which events of a stream are kept."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.wire.events import Events
from sidecar.wire.limits import Budget, Limits

LIMITS = Limits(first_events=3, last_events=2, capture_bytes=100, event_bytes=400, event_times=4)


def test_everything_is_kept_while_there_is_room():
    events = Events(LIMITS, Budget(10_000))
    for n in range(3):
        events.add(n, b"x")
    assert len(events.all()) == 3
    assert events.left_out().count == 0 and events.left_out().to_the_end


def test_what_is_dropped_gives_its_memory_back():
    budget = Budget(10_000)
    events = Events(LIMITS, budget)
    for n in range(9):
        events.add(n, b"x")
    assert budget.used
    events.drop()
    assert budget.used == 0 and events.all() == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 500)), max_size=30), st.integers(0, 3_000))
def test_every_event_is_kept_or_counted_and_the_rest_is_one_run(sizes, room):
    budget = Budget(room)
    events = Events(LIMITS, budget)
    for n, (missed, size) in enumerate(sizes):
        if missed:
            events.miss(n)
        else:
            events.add(n, b"x" * size)
        assert budget.used <= room
    kept, left_out = [int(event.time) for event in events.all()], events.left_out()
    after, count = left_out.after, left_out.count
    assert len(kept) + count == len(sizes)
    if count:
        run = list(range(after, after + count))
        assert kept == [*range(after), *range(after + count, len(sizes))]
        assert [int(time) for time in left_out.times] == [n for n in run if n in set(left_out.times)]
    assert len(left_out.times) <= 4
    assert left_out.to_the_end == (not sizes or (bool(kept) and kept[-1] == len(sizes) - 1))
    events.drop()
    assert budget.used == 0
