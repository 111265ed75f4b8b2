"""What burn-in teaches: the mean that is normal, what it rests on, and how far a ticket's change must be.

Pure functions over arrays of signals. What it is not: a forecast; the hours of a day are in `drift_seasons`.
The trap: the largest of many means of few rows is far from their own mean by chance alone. A gate widened by
that asks for changes larger than evidence needs, so only an excursion beyond chance counts.
"""

from dataclasses import dataclass

import numpy as np

from sidecar.monitors.drift_bets import REFERENCE_ERRORS
from sidecar.monitors.drift_signals import Floats, Signals

# Of what burn-in did by itself, a change is asked for a quarter more.
EXCURSION_FACTOR = 1.25
# The largest of the 73 overlapping means of burn-in is usually that many of their standard errors away.
NOISE_ERRORS = 2.5
# The reference and burn-in that differ by less are one, and the baseline is of the rows of both.
AGREEING_ERRORS = 2.0
# Of a hundred signals the worst is usually three errors off by chance. To believe such a burn-in alone is to
# choose the unlucky: in one model of ten with rows like AR .9 that was a ticket every 5,000 rows, for ever.
UNLUCKY_ERRORS = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Per signal: the `mean` that is normal and the `rows` it is known from."""

    mean: Floats
    rows: Floats


def adopted(signals: Signals, live: Normal, inflation: Floats) -> Normal:
    """The live mean; that of live and reference rows together where chance explains their difference.

    Where it only just may, the mean is of both, and of so few rows that what is tolerated around it (two
    errors) takes in the live one: whichever of them is right, it is no change.
    """
    was = signals.reference_rows
    rows = np.maximum(live.rows, 1.0)
    deviation = signals.deviation(live.mean)
    errors = np.abs(live.mean - signals.mean) / (deviation * np.sqrt(inflation * (1 / rows + 1 / was)))
    both = (live.mean * rows + signals.mean * was) / (rows + was)
    apart = np.maximum(np.abs(both - live.mean), 1e-12)
    doubtful = np.minimum(rows + was, inflation * (REFERENCE_ERRORS * deviation / apart) ** 2)
    together = np.where(errors <= AGREEING_ERRORS, rows + was, doubtful)
    one = errors <= UNLUCKY_ERRORS
    return Normal(np.where(one, both, live.mean), np.where(one, together, np.minimum(rows, was)))


def noise(signals: Signals, mean: Floats, rows: Floats, inflation: Floats) -> Floats:
    """What chance alone makes of the mean of so many rows, now and then."""
    return np.asarray(NOISE_ERRORS * signals.deviation(mean) * np.sqrt(inflation / np.maximum(rows, 1.0)))


def calibrated_gate(signals: Signals, mean: Floats, excursion: Floats, chance: Floats) -> Floats:
    """A ticket is for more than burn-in did by itself, where that (`excursion`) was beyond `chance`."""
    beyond = np.sqrt(np.maximum(excursion**2 - chance**2, 0.0))
    return np.maximum(signals.gates(mean), EXCURSION_FACTOR * beyond)
