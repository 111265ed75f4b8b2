from fractions import Fraction

import pytest

from sidecar.generators.durations import Durations


@pytest.mark.parametrize("nominal", ["30s", "5m", "1h", "6h", "1d", "3d"])
def test_durations_that_are_not_shortened_stay_as_they_are(nominal):
    assert Durations().window(nominal) == nominal
    assert Durations().wait(nominal) == nominal


def test_shortened_windows_keep_their_proportions():
    durations = Durations(Fraction(1, 360))

    assert [durations.window(w) for w in ("1h", "2h", "6h", "1d", "3d")] == ["10s", "20s", "1m", "4m", "12m"]


def test_a_window_never_gets_shorter_than_four_scrapes_of_a_second():
    assert Durations(Fraction(1, 360)).window("5m") == "4s"
    assert Durations(Fraction(1, 86400)).window("3d") == "4s"


def test_a_wait_never_becomes_zero():
    assert Durations(Fraction(1, 360)).wait("2m") == "1s"
