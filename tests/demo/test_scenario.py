import itertools

import pytest

from sidecar.demo import scenario
from sidecar.demo.samples import Recent, parse
from sidecar.errors import UsageError


def recent(*texts: str) -> Recent:
    """One scrape a second."""
    scrapes = Recent()
    for time, text in enumerate(texts):
        scrapes.add(parse(text, float(time)))
    return scrapes


def slo(name: str, good: int, bad: int, objective: float = 0.999) -> str:
    return (
        f'inference_slo_events_total{{slo="{name}",result="good"}} {good}\n'
        f'inference_slo_events_total{{slo="{name}",result="bad"}} {bad}\n'
        f'inference_slo_objective_ratio{{slo="{name}"}} {objective}\n'
    )


def active(name: str, value: int, level: str = "page") -> str:
    return f'inference_drift_active{{kind="feature",name="{name}",level="{level}"}} {value}\n'


def test_the_phases_fill_the_time_without_a_gap():
    scenes = scenario.script(60, incident=True)

    assert scenes[0].start == 0
    assert scenes[-1].end == pytest.approx(60)
    assert all(a.end == b.start for a, b in itertools.pairwise(scenes))


def test_the_incident_is_told_in_the_order_that_is_promised():
    names = [scene.phase.name for scene in scenario.script(60, incident=True)]

    assert names == ["healthy", "null_surge", "shift", "slow_and_failing", "recovery"]


def test_nothing_is_injected_while_healthy_nor_after_recovery_began():
    phases = {scene.phase.name: scene.phase for scene in scenario.script(60, incident=True)}

    for name in ("healthy", "recovery"):
        assert phases[name].data == scenario.NO_DATA_FAULT
        assert phases[name].server == scenario.NO_SERVER_FAULT


def test_without_an_incident_there_is_one_phase_and_no_fault():
    [scene] = scenario.script(3, incident=False)

    assert scene.end == 3
    assert scene.phase.data == scenario.NO_DATA_FAULT
    assert scene.phase.server == scenario.NO_SERVER_FAULT


def test_an_incident_that_does_not_fit_is_refused_with_the_length_that_would():
    with pytest.raises(UsageError, match=f"at least {scenario.MINIMUM_SECONDS:g}"):
        scenario.script(scenario.MINIMUM_SECONDS - 1, incident=True)


def test_the_scene_at_the_end_is_none():
    scenes = scenario.script(60, incident=True)

    assert scenario.scene_at(scenes, 0.0) is scenes[0]
    assert scenario.scene_at(scenes, scenes[1].start) is scenes[1]
    assert scenario.scene_at(scenes, 60.0) is None


def test_a_budget_that_burns_is_detected_and_said():
    detection = scenario.burning("feature_availability")
    before, after = slo("feature_availability", 1000, 0), slo("feature_availability", 1070, 30)

    assert "feature availability burns" in detection(recent(before, after))
    assert detection(recent(after, after)) == ""


def test_a_burn_below_the_rate_that_pages_is_no_detection():
    before, after = slo("availability", 0, 0), slo("availability", 9_900, 100)

    assert scenario.burning("availability")(recent(before, after)) == ""


def test_a_few_events_are_no_detection_however_bad():
    before, after = slo("availability", 0, 0), slo("availability", 0, 5)

    assert scenario.burning("availability")(recent(before, after)) == ""


def test_what_burned_before_the_window_does_not_count():
    bad, calm = slo("availability", 0, 100), [slo("availability", n * 100, 100) for n in range(1, 6)]

    assert scenario.burning("availability")(recent(slo("availability", 0, 0), bad, *calm)) == ""


def test_drift_of_another_feature_is_not_the_one_that_was_injected():
    seen = recent(active("a", 1) + active("b", 0))

    assert scenario.drifting("a")(seen) == "a drifts (page)"
    assert scenario.drifting("b")(seen) == ""
    assert scenario.drifting()(seen) == "a drifts (page)"


def test_both_needs_both():
    bad = slo("availability", 0, 100) + slo("latency", 100, 0, 0.95)
    worse = slo("availability", 0, 200) + slo("latency", 100, 100, 0.95)
    detection = scenario.both(scenario.burning("availability"), scenario.burning("latency"))

    assert detection(recent(slo("availability", 0, 0) + slo("latency", 0, 0, 0.95), bad)) == ""
    assert "latency" in detection(recent(bad, worse))


def test_recovery_needs_every_objective_to_be_met_again():
    start = slo("availability", 0, 0) + slo("latency", 0, 0)
    well = slo("availability", 100, 0) + slo("latency", 100, 0)
    half = slo("availability", 100, 0) + slo("latency", 50, 50)
    silent = slo("availability", 100, 0) + slo("latency", 0, 0)
    detection = scenario.calm("availability", "latency")

    assert detection(recent(start, well))
    assert detection(recent(start, half)) == ""
    assert detection(recent(start, silent)) == "", "no news is not good news"
