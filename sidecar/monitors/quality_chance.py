"""Can this many of these rows be chance? The one test that every share of bad values is put to."""

import math

# Natural logarithm of how unlikely chance must be: e**-30 leaves no false alarm to expect in 10**9 looks of
# 30 features and a few kinds of trouble.
NATS = 30.0
# Less than five points more than usual is drift's business, which takes its time to be sure.
EFFECT = 0.05
# What a share that was never seen may still be, in rows: the rule of three.
_UNSEEN_ROWS = 3.0


def at_most(share: float, known_rows: float) -> float:
    """What a share estimated from so many rows may really be, rounded up."""
    return min(share + _UNSEEN_ROWS / max(known_rows, 1.0), 1.0)


def is_surge(bad: int, rows: int, usual: float, effect: float = EFFECT) -> bool:
    """Whether `bad` of `rows` is far more than the `usual` share, in size and beyond chance.

    Chernoff's bound: so many or more have probability of at most exp(-rows · KL(bad/rows ‖ usual)).
    """
    share = bad / rows
    return share >= usual + effect and rows * _divergence(share, usual) >= NATS


def _divergence(share: float, usual: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli variables, in nats."""
    usual = min(max(usual, 1e-9), 1 - 1e-9)
    first = share * math.log(share / usual) if share else 0.0
    rest = 1 - share
    return first + (rest * math.log(rest / (1 - usual)) if rest else 0.0)
