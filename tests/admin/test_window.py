from sidecar import catalog
from sidecar.admin.window import Between, Window
from sidecar.registry import Distribution, FamilySnapshot, Registry, Snapshot


def snapshot(taken: float, requests: float = 0.0) -> Snapshot:
    labels = ("m", "1", "v2", "predict", "200", "ok")
    return Snapshot(taken, 0.0, [FamilySnapshot(catalog.REQUESTS, [(labels, requests)])])


def test_the_window_begins_at_the_newest_snapshot_that_is_five_minutes_old():
    window = Window()
    for minute in range(20):
        window.add(snapshot(minute * 60.0))

    assert window.start(19 * 60.0).taken == 14 * 60.0
    assert window.start(19 * 60.0 + 30).taken == 14 * 60.0


def test_before_five_minutes_have_passed_the_window_begins_at_the_oldest():
    window = Window()
    assert window.start(10.0) is None
    window.add(snapshot(0.0))
    window.add(snapshot(60.0))

    assert window.start(90.0).taken == 0.0


def test_the_window_keeps_no_more_than_it_needs():
    window = Window()
    for minute in range(1_000):
        window.add(snapshot(minute * 60.0))

    assert len(window._samples) <= 6


def test_families_that_no_window_is_about_are_not_kept():
    window = Window()
    window.add(Registry().snapshot())

    kept = {family.metric for family in window._samples[0].families}
    assert catalog.REQUESTS in kept
    assert catalog.DISTRIBUTION_ROWS not in kept


def test_the_increase_is_what_came_since_or_everything_without_an_earlier_snapshot():
    assert list(Between(snapshot(60, 7), snapshot(0, 5)).increase(catalog.REQUESTS).values()) == [2]
    assert list(Between(snapshot(60, 7), None).increase(catalog.REQUESTS).values()) == [7]
    assert Between(snapshot(60, 7), snapshot(20)).seconds == 40


def test_a_counter_that_began_again_counts_all_it_has():
    assert list(Between(snapshot(60, 3), snapshot(0, 5)).increase(catalog.REQUESTS).values()) == [3]


def test_a_histogram_is_what_it_observed_since():
    registry = Registry()
    sizes = registry.histogram(catalog.REQUEST_SIZE)
    sizes.observe(1, "m", "1")
    first = registry.snapshot()
    sizes.observe(100, "m", "1")

    (found,) = Between(registry.snapshot(), first).observed(catalog.REQUEST_SIZE).values()

    assert found == Distribution([0, 1] + [0] * 10, 100)


def test_a_histogram_that_began_again_counts_all_it_has():
    registry = Registry()
    lag = registry.histogram(catalog.RELAY_LOOP_LAG)
    buckets = len(catalog.RELAY_LOOP_LAG.buckets) + 1
    lag.set_total([5] * buckets, 9.0)
    first = registry.snapshot()
    lag.set_total([6] + [1] * (buckets - 1), 2.0)

    (found,) = Between(registry.snapshot(), first).observed(catalog.RELAY_LOOP_LAG).values()

    assert found == Distribution([6] + [1] * (buckets - 1), 2.0)
