"""Whether a share of bad values can be chance."""

import pytest

from sidecar.monitors.quality_chance import NATS, at_most, is_surge


@pytest.mark.parametrize(
    ("bad", "rows", "usual", "surge"),
    [
        (13, 64, 0.001, True),
        (64, 64, 0.3, True),
        (0, 64, 0.001, False),
        (3, 64, 0.001, False),  # 5 %, but of too few rows
        (15, 256, 0.001, True),
        (400, 10_000, 0.001, False),  # sure, but too little to be a surge
        (64, 64, 0.97, False),
        (25, 64, 0.3, False),
    ],
)
def test_a_surge_is_large_and_beyond_chance(bad, rows, usual, surge):
    assert is_surge(bad, rows, usual) is surge


def test_a_share_from_few_rows_may_be_larger():
    assert at_most(0.0, 1_000) == pytest.approx(0.003)
    assert at_most(1.0, 10) == 1.0


def test_chance_gives_no_false_alarm_in_a_thousand_million_looks():
    # A sum of binomial tails: at every share that is a surge of 64 rows, chance has at most e**-30.
    from math import comb

    for usual in (0.001, 0.01, 0.1, 0.5):
        least = next((bad for bad in range(65) if is_surge(bad, 64, usual)), None)
        if least is not None:
            tail = sum(comb(64, k) * usual**k * (1 - usual) ** (64 - k) for k in range(least, 65))
            assert tail <= 2.718281828**-NATS
