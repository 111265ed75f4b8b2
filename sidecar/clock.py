"""Where time comes from, so that code which decides takes time as a parameter.

Two clocks and no third: `monotonic` for durations and order (the relay stamps chunks with it, and on
one host every process reads the same one), `wall` for what people and other systems read.
"""

import time

monotonic = time.monotonic
wall = time.time


def wall_of(moment: float) -> float:
    """The wall-clock time, in seconds since the epoch, of a monotonic `moment` as seen from now."""
    return wall() - (monotonic() - moment)
