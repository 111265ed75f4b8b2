"""What burn-in teaches: the mean that is normal, what it rests on, and how far a ticket's change must be.

Pure functions over arrays of signals. What it is not: a forecast; the hours of a day are in `drift_seasons`.
The trap: the largest of many means of few rows is far from their own mean by chance alone. A gate widened by
that asks for changes larger than evidence needs, so only an excursion beyond chance counts.
"""

from dataclasses import dataclass

import numpy as np

from sidecar.monitors.drift_signals import Floats, Signals

# Of what burn-in did by itself, a change is asked for a quarter more.
EXCURSION_FACTOR = 1.25
# The largest of the 73 overlapping means of burn-in is usually that many of their standard errors away.
NOISE_ERRORS = 2.5
# The reference and burn-in that differ by less are one, and the baseline is of the rows of both.
AGREEING_ERRORS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Per signal: the `mean` that is normal and the `rows` it is known from."""

    mean: Floats
    rows: Floats


def adopted(signals: Signals, live: Normal, inflation: Floats) -> Normal:
    """The live mean; that of live and reference rows together where chance explains their difference."""
    was = signals.reference_rows
    rows = np.maximum(live.rows, 1.0)
    error = signals.deviation(live.mean) * np.sqrt(inflation * (1 / rows + 1 / was))
    agree = np.abs(live.mean - signals.mean) <= AGREEING_ERRORS * error
    both = (live.mean * rows + signals.mean * was) / (rows + was)
    return Normal(np.where(agree, both, live.mean), np.where(agree, rows + was, np.minimum(rows, was)))


def noise(signals: Signals, mean: Floats, rows: Floats, inflation: Floats) -> Floats:
    """What chance alone makes of the mean of so many rows, now and then."""
    return np.asarray(NOISE_ERRORS * signals.deviation(mean) * np.sqrt(inflation / np.maximum(rows, 1.0)))


def calibrated_gate(signals: Signals, mean: Floats, excursion: Floats, chance: Floats) -> Floats:
    """A ticket is for more than burn-in did by itself, where that (`excursion`) was beyond `chance`."""
    beyond = np.sqrt(np.maximum(excursion**2 - chance**2, 0.0))
    return np.maximum(signals.gates(mean), EXCURSION_FACTOR * beyond)
