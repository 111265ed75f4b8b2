import json

import pytest

from sidecar.demo import dataset
from sidecar.demo.chat_traffic import ChatTraffic
from sidecar.demo.run import _conclude, clients, run_demo
from sidecar.demo.stories import STORIES
from sidecar.demo.summary import Accounts, Finding, Report
from sidecar.demo.traffic import Traffic
from sidecar.errors import UsageError

WELL = Report([Finding("shift", 1.0, 2.0)], accounts=Accounts(3, {}, 3, 3, 0))
UNSEEN = Report([Finding("shift", 1.0)], accounts=Accounts(3, {}, 3, 3, 0))


def test_headless_standard_output_is_one_line_of_json(capsys):
    assert _conclude(WELL, headless=True) == 0

    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["requests"] == {"sent": 3, "failed": 0, "observed": 3}


def test_a_demo_that_did_not_go_as_promised_says_why_and_fails(capsys):
    assert _conclude(UNSEEN, headless=True) == 1

    said = capsys.readouterr()
    assert "problem: shift was not detected" in said.err
    assert json.loads(said.out)["phases"][0]["detected_at"] is None


def test_people_get_sentences_and_the_next_step(capsys):
    assert _conclude(WELL, headless=False) == 0

    said = capsys.readouterr().out
    assert "seen after" in said
    assert "sidecar run --upstream" in said
    assert "{" not in said


def test_a_length_that_is_too_short_starts_nothing():
    with pytest.raises(UsageError):
        run_demo(seconds=1, headless=True)


@pytest.mark.parametrize("story", ["llm", "canary"])
def test_every_story_has_to_fit_into_its_time(story):
    with pytest.raises(UsageError, match="too short"):
        run_demo(seconds=1, headless=True, story=story)


def test_each_story_has_the_clients_that_its_server_understands():
    data = dataset.load()

    assert isinstance(clients(STORIES["llm"], "http://x", data), ChatTraffic)
    assert isinstance(clients(STORIES["canary"], "http://x", data), Traffic)
