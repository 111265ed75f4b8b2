"""What a count of false alarms proves."""

import pytest

from benchmarks.drift_control import CONTROL, Tally, in_control, upper_bound


@pytest.mark.parametrize(
    ("found", "most"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (10, 16.9622), (100, 118.0788)]
)
def test_the_upper_bound_is_that_of_tables_of_the_poisson_distribution(found: int, most: float):
    assert upper_bound(found) == pytest.approx(most, abs=1e-3)


@pytest.mark.parametrize(
    ("rows", "tickets", "verdict", "met"),
    [
        (30_000_000, 0, "proved", True),
        (29_000_000, 0, "not contradicted", True),  # 3 pages in 29 million rows are more than .1 a million
        (30_000_000, 15, "not contradicted", True),
        (30_000_000, 16, "MISSED", False),
    ],
)
def test_a_goal_is_proved_when_the_bound_reaches_it(rows: int, tickets: int, verdict: str, met: bool):
    line = Tally("normal", CONTROL["normal"], rows, tickets=tickets).line()
    assert line.text.endswith(f"  {verdict}")
    assert line.met is met


def test_rows_are_counted_over_the_models_of_every_kind():
    *_, last = in_control(640, 1, ("normal", "t3"), models=2)
    assert [line.name for line in last] == ["normal", "t3"]
    assert all(f"{2 * 640:,}" in line.text for line in last)
