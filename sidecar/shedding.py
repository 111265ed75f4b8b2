"""When the observer stops reading payloads for a while: it is behind, and reading them is most of its work.

Exchanges are still counted and timed exactly; what is left out is counted as undecoded, reason
`overload`. Decides only; time is a parameter. The trap: being late is not being behind. After a start
there is a backlog that is soon worked off; only lateness that lasts is overload.
"""

# A scrape every few seconds does not see half a second; the relay's queue holds more than this at any
# rate that one observer can read.
_BEHIND_SECONDS = 0.5
# Back at half of it: the two differ, or every other batch would be left out.
_CAUGHT_UP_SECONDS = 0.25
# A backlog of some thousand exchanges is worked off in this time.
_PATIENCE_SECONDS = 0.5
# The relay says once a second whether it had to drop; a little longer than that.
_AFTER_DROPS_SECONDS = 2.0


class Shedding:
    """`decoding` says whether payloads are read now."""

    def __init__(self) -> None:
        self.decoding = True
        self._behind_since: float | None = None
        self._dropped_until = float("-inf")

    def late(self, lag: float, now: float) -> None:
        """The chunks that are about to be read are `lag` seconds old."""
        if lag < _CAUGHT_UP_SECONDS:
            self._behind_since = None
        elif self._behind_since is None and lag > _BEHIND_SECONDS:
            self._behind_since = now
        behind = self._behind_since is not None and now - self._behind_since >= _PATIENCE_SECONDS
        self.decoding = not behind and now >= self._dropped_until

    def dropped(self, now: float) -> None:
        """The relay dropped chunks because we were behind: its queue is small next to the traffic."""
        self._dropped_until = now + _AFTER_DROPS_SECONDS
        self.decoding = False
