"""When the observer stops reading payloads for a while: it is behind, and reading them is most of its work.

Exchanges are still counted and timed exactly; what is left out is counted as undecoded, reason
`overload`. Decides only; time is a parameter. The trap: being late is not being behind. After a start
there is a backlog, which shrinks; only lateness that does not is overload.
"""

# A scrape every few seconds does not see a quarter of one; the relay's queue holds twice this of 100 Mbit/s.
_LATE_SECONDS = 0.25
# Well below it, or every other batch would be left out; above the pauses that a CPU budget makes.
_CAUGHT_UP_SECONDS = 0.1
# Lateness is compared with what it was this long ago: several reads, less than the relay's queue holds.
_COMPARED_SECONDS = 0.2
# The relay says once a second whether it had to drop; a little longer than that.
_AFTER_DROPS_SECONDS = 2.0


class Shedding:
    """`decoding` says whether payloads are read now."""

    def __init__(self) -> None:
        self.decoding = True
        self._behind = False
        self._earlier: tuple[float, float] | None = None
        self._dropped_until = float("-inf")

    def late(self, lag: float, now: float) -> None:
        """The chunks that are about to be read are `lag` seconds old."""
        if lag < _CAUGHT_UP_SECONDS:
            self._behind, self._earlier = False, None
        elif lag > _LATE_SECONDS:
            self._compare(lag, now)
        self.decoding = not self._behind and now >= self._dropped_until

    def dropped(self, now: float) -> None:
        """The relay dropped chunks because we were behind: its queue is small next to the traffic."""
        self._dropped_until = now + _AFTER_DROPS_SECONDS
        self.decoding = False

    def _compare(self, lag: float, now: float) -> None:
        if self._earlier is None:
            self._earlier = lag, now
        elif now - self._earlier[1] >= _COMPARED_SECONDS:
            self._behind = self._behind or lag >= self._earlier[0]
            self._earlier = lag, now
