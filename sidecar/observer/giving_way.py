"""How much CPU time the observer leaves itself while the relay has none to spare.

A nice value orders who goes first on one core. On a machine whose cores are all busy it still gives the
observer most of what is left of one, and a relay that runs or waits for a core all the time forwards less
by just that much (measured on two cores: 0.8 of a core, a third of the requests). So when the relay's time
is used up the observer keeps to a tenth of a core, and comes back step by step; what it cannot read in
between is dropped by the relay and counted. Decides only. The trap: who else uses up the cores does not
matter; giving way to the relay is right whoever it is.
"""

# Of the time, running or waiting for a core. A relay has nothing to spare at 1; below, its queue is empty
# now and then, and what the observer takes comes out of that.
_PRESSED = 0.85
# Far enough below for the observer not to go back and forth.
_RELIEVED = 0.7
# Enough for 1,000 exchanges a second: a machine that is simply busy is still observed.
SMALLEST_CORES = 0.1


class GivingWay:
    """`cores` is what the observer may use; None is as much as it likes."""

    def __init__(self) -> None:
        self.cores: float | None = None

    def review(self, pressure: float) -> None:
        """`pressure`: the share of the last moment in which the relay ran or waited for a core, 0 to 1."""
        if pressure >= _PRESSED:
            self.cores = SMALLEST_CORES
        elif pressure < _RELIEVED and self.cores is not None:
            self.cores = self.cores * 2 if self.cores < 1.0 else None
