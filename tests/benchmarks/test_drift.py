"""The short form of the drift benchmark reaches its targets: nothing false, breaks in a batch, in budget."""

import pytest

from benchmarks import drift


@pytest.fixture(scope="module")
def lines() -> dict[str, drift.Line]:
    return {line.name: line for line in drift.short()}


def test_every_target_of_the_short_form_is_met(lines: dict[str, drift.Line]):
    assert [line.text for line in lines.values() if not line.met] == []


def test_every_part_of_the_tables_is_in_it(lines: dict[str, drift.Line]):
    assert {"normal", "ar.9", "budget 1000", *drift.SHORT_CASES} <= set(lines)


def test_dummies_show_what_a_table_without_false_alarms_would_hide():
    rivals = drift.rivals()
    always, never = rivals["always fire"](3), rivals["never fire"](3)
    stream = drift.Stream("normal", 3, 1)
    for _ in range(3):
        piece = stream.draw(100)
        always.hear(piece)
        never.hear(piece)
    assert (always.alarms, never.alarms) == ([63, 127, 191, 255], [])
