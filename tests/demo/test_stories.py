import pytest

from sidecar.demo import scenario
from sidecar.demo.faults import NO_DATA_FAULT, NO_SERVER_FAULT
from sidecar.demo.stories import CANDIDATE, STORIES

each_story = pytest.mark.parametrize("name", STORIES)


@each_story
def test_a_story_fills_its_time(name):
    assert sum(phase.share for phase in STORIES[name].phases) == pytest.approx(1)


@each_story
def test_what_is_injected_is_looked_for_and_what_is_not_is_not(name):
    for phase in STORIES[name].phases[:-1]:
        injected = (phase.data, phase.server) != (NO_DATA_FAULT, NO_SERVER_FAULT)
        assert injected == (phase.detection is not None), phase.name


@each_story
def test_a_story_begins_and_ends_well(name):
    first, *_, last = STORIES[name].phases

    assert (first.server, last.server) == (NO_SERVER_FAULT, NO_SERVER_FAULT)
    assert first.detection is None and last.detection is not None


@each_story
def test_objectives_that_are_shown_are_promised(name):
    assert set(STORIES[name].objectives) == set(STORIES[name].backend.slos)


def test_only_the_candidate_degrades_and_only_while_it_has_traffic():
    for phase in STORIES["canary"].phases:
        if phase.server != NO_SERVER_FAULT:
            assert phase.server.version == CANDIDATE
            assert phase.canary_share > 0


def test_the_default_is_what_it_was():
    assert STORIES["default"].phases is scenario.INCIDENT
    assert all(phase.canary_share == 0 for phase in scenario.INCIDENT)
