"""A runbook for each alert, with the same parts in the same order and queries that can be pasted."""

import re

import pytest

from tests.generators import promql
from tests.generators.test_rules import NAMES
from tests.generators.tools import ROOT

PAGES = {path.stem: path.read_text() for path in (ROOT / "docs" / "runbooks").glob("*.md")}
PARTS = ["What it means", "Confirm", "Likely causes, in order", "What to do", "Escalate when", "Silence"]


def test_every_alert_has_a_page_and_every_page_an_alert():
    assert set(PAGES) == {*NAMES, "README"}


def test_the_index_lists_every_page():
    assert re.findall(r"\[(\w+)\]\((\w+)\.md\)", PAGES["README"]) and all(
        f"[{name}]({name}.md)" in PAGES["README"] for name in NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_page_has_the_same_parts(name):
    assert PAGES[name].startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", PAGES[name], re.MULTILINE) == PARTS


@pytest.mark.parametrize("name", NAMES)
def test_every_page_confirms_with_two_queries_over_series_that_exist(name):
    queries = re.findall(r"```promql\n(.*?)```", PAGES[name], re.DOTALL)

    assert len(queries) == 2
    for query in queries:
        assert promql.problems(query) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_page_silences_its_own_alert(name):
    assert f'alertname="{name}"' in PAGES[name].partition("## Silence")[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_can_be_read_at_three_in_the_morning(name):
    assert len(PAGES[name].splitlines()) < 60
