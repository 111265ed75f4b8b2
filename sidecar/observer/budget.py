"""The observer's budget of CPU time: where a quota is set, or the relay has no time left.

Under a quota niceness protects nobody: once the observer has used it up, the relay is stopped with it until
the next period. So the observer stays below a share of the quota, and below what giving way to a relay at
its limit leaves it (giving_way.py), whatever it is doing: the kernel interrupts it every few milliseconds
of CPU time, and if it is ahead of its budget it sleeps there and then. Reading waits meanwhile; what that
costs is shed and counted elsewhere (shedding.py, relay/tee.py).

With neither nothing is done: priorities suffice. The trap: the interrupt comes between two Python
instructions of the main thread, so a long call into C is paid for after it.
"""

import atexit
import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType

from sidecar import clock
from sidecar.cgroup import Cgroup, Quota
from sidecar.observer.giving_way import GivingWay

# The relay forwards 300 requests/s with 2 % of a core; more than half of the quota is its own at any time.
LARGEST_SHARE = 0.4
# Where the quota is used up without us, the observer still reads a little of what goes on.
SMALLEST_SHARE = 0.05
# Throttled in spite of the budget: halve it; when it was not, return within some ten seconds.
_SHARE_BACK_PER_SECOND = 0.05
# A long import is paid for with this much sleep at most; the rest is forgiven.
_LONGEST_REST_SECONDS = 1.0
# Of CPU time. The kernel's tick, 1 to 10 ms, is the real limit.
_INTERRUPT_SECONDS = 0.002
# Quotas may change while a container runs; reading three small files a second costs nothing.
_REVIEW_SECONDS = 1.0
# A relay that runs out of time is given way to within some of these; shorter ones would see its pauses.
_LOOK_AT_RELAY_SECONDS = 0.05
# Without a quota there is no period: what one has by default.
_PERIOD_SECONDS = 0.1


class Budget:
    """A token bucket of CPU seconds. Pure: `cpu` and `now` are clocks in seconds."""

    def __init__(self, cpu: float, now: float) -> None:
        self.share = LARGEST_SHARE
        self._cpu = cpu
        self._now = now
        self._saved = 0.0

    def rest(self, allowed: Quota, cpu: float, now: float) -> float:
        """Seconds to sleep before using more CPU; 0 when within what is `allowed`.

        Saved up is half a period's budget at most, so that no period of the kernel's sees more than one
        and a half times of it.
        """
        rate = allowed.cores
        earned = (now - self._now) * rate
        self._saved = min(self._saved + earned, rate * allowed.period_seconds / 2) - (cpu - self._cpu)
        self._saved = max(self._saved, -rate * _LONGEST_REST_SECONDS)
        self._cpu, self._now = cpu, now
        return max(-self._saved / rate, 0.0)

    def forget(self, cpu: float, now: float) -> None:
        """What was used before this was used without a limit."""
        self._saved, self._cpu, self._now = 0.0, cpu, now

    def review(self, throttled: bool, seconds: float) -> None:
        """Whether the quota was used up in the last `seconds`: the share goes down fast, up slowly."""
        if throttled:
            self.share = max(self.share / 2, SMALLEST_SHARE)
        else:
            self.share = min(self.share + _SHARE_BACK_PER_SECOND * seconds, LARGEST_SHARE)


class Pacer:
    """Holds this process to its budget from `start` on. One per process, from the main thread.

    `pressure` is asked how large a share of so many past seconds the relay ran or waited for a core.
    """

    def __init__(self, cgroup: Cgroup) -> None:
        self.pressure: Callable[[float], float] = _no_pressure
        self._cgroup = cgroup
        self._quota: Quota | None = None
        self._allowed: Quota | None = None
        self._throttled = cgroup.times_throttled()
        self._reviewed = self._looked = clock.monotonic()
        # From zero: what starting Python took is paid for as well.
        self._budget = Budget(0.0, self._reviewed)
        self._giving_way = GivingWay()
        self._resting = False

    def start(self) -> None:
        """Install the interrupt; it comes only while something is to be kept to."""
        signal.signal(signal.SIGPROF, self._interrupt)
        # C code that does not expect interrupted system calls must not see any.
        signal.siginterrupt(signal.SIGPROF, False)
        # An interpreter that ends takes its handlers away first; the next interrupt would kill it.
        atexit.register(self.stop)
        self._quota = self._cgroup.quota()
        self._allow()

    def stop(self) -> None:
        """No more rests: there is no traffic left to protect."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def review(self) -> None:
        """See whether the relay or the quota wants it otherwise. To be called now and then."""
        now = clock.monotonic()
        if now - self._looked >= _LOOK_AT_RELAY_SECONDS:
            self._giving_way.review(self.pressure(now - self._looked))
            self._looked = now
            if self._allowed is None:
                self._budget.forget(time.process_time(), now)
            self._allow()
        if now - self._reviewed >= _REVIEW_SECONDS:
            throttled = self._cgroup.times_throttled()
            self._budget.review(throttled > self._throttled, now - self._reviewed)
            self._throttled, self._reviewed = throttled, now
            self._quota = self._cgroup.quota()
            self._allow()

    def _allow(self) -> None:
        """The tighter of the two limits, if there is any; the interrupt comes only then."""
        before, limits = self._allowed, []
        if self._quota is not None:
            limits.append(Quota(self._quota.cores * self._budget.share, self._quota.period_seconds))
        if self._giving_way.cores is not None:
            limits.append(Quota(self._giving_way.cores, _PERIOD_SECONDS))
        self._allowed = min(limits, key=lambda limit: limit.cores, default=None)
        if (before is None) is not (self._allowed is None):
            interval = _INTERRUPT_SECONDS if self._allowed is not None else 0.0
            with contextlib.suppress(OSError):
                signal.setitimer(signal.ITIMER_PROF, interval, interval)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._allowed is None or self._resting:
            return
        self._resting = True
        try:
            self.review()
            if self._allowed is not None:
                time.sleep(self._budget.rest(self._allowed, time.process_time(), clock.monotonic()))
        finally:
            self._resting = False


def _no_pressure(seconds: float) -> float:
    return 0.0
