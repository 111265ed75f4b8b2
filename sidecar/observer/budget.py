"""The observer's budget of CPU time where the kernel gives the container a quota.

Under a quota niceness protects nobody: once the observer has used it up, the relay is stopped with it until
the next period. So the observer stays below a share of the quota, whatever it is doing: the kernel
interrupts it every few milliseconds of CPU time, and if it is ahead of its budget it sleeps there and
then. Reading waits meanwhile; what that costs is shed and counted elsewhere (shedding.py, relay/tee.py).

Without a quota nothing is done: priorities work then. The trap: the interrupt comes between two Python
instructions of the main thread, so a long call into C is paid for after it.
"""

import atexit
import contextlib
import signal
import time
from types import FrameType

from sidecar import clock
from sidecar.cgroup import Cgroup, Quota

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


class Budget:
    """A token bucket of CPU seconds. Pure: `cpu` and `now` are clocks in seconds."""

    def __init__(self, cpu: float, now: float) -> None:
        self.share = LARGEST_SHARE
        self._cpu = cpu
        self._now = now
        self._saved = 0.0

    def rest(self, quota: Quota, cpu: float, now: float) -> float:
        """Seconds to sleep before using more CPU; 0 when within budget.

        Saved up is half a period's budget at most, so that no period of the kernel's sees more than one
        and a half times the share.
        """
        rate = quota.cores * self.share
        earned = (now - self._now) * rate
        self._saved = min(self._saved + earned, rate * quota.period_seconds / 2) - (cpu - self._cpu)
        self._saved = max(self._saved, -rate * _LONGEST_REST_SECONDS)
        self._cpu, self._now = cpu, now
        return max(-self._saved / rate, 0.0)

    def review(self, throttled: bool, seconds: float) -> None:
        """Whether the quota was used up in the last `seconds`: the share goes down fast, up slowly."""
        if throttled:
            self.share = max(self.share / 2, SMALLEST_SHARE)
        else:
            self.share = min(self.share + _SHARE_BACK_PER_SECOND * seconds, LARGEST_SHARE)


class Pacer:
    """Holds this process to its budget from `start` on. One per process, from the main thread."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup
        self._quota: Quota | None = None
        self._throttled = cgroup.times_throttled()
        self._reviewed = clock.monotonic()
        # From zero: what starting Python took is paid for as well.
        self._budget = Budget(0.0, self._reviewed)
        self._resting = False

    def start(self) -> None:
        """Install the interrupt; it comes only while there is a quota."""
        signal.signal(signal.SIGPROF, self._interrupt)
        # C code that does not expect interrupted system calls must not see any.
        signal.siginterrupt(signal.SIGPROF, False)
        # An interpreter that ends takes its handlers away first; the next interrupt would kill it.
        atexit.register(self.stop)
        self._look()

    def stop(self) -> None:
        """No more rests: there is no traffic left to protect."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def review(self) -> None:
        """See whether the quota changed, and whether it was used up. To be called now and then."""
        now = clock.monotonic()
        if now - self._reviewed < _REVIEW_SECONDS:
            return
        throttled = self._cgroup.times_throttled()
        self._budget.review(throttled > self._throttled, now - self._reviewed)
        self._throttled, self._reviewed = throttled, now
        self._look()

    def _look(self) -> None:
        before, self._quota = self._quota, self._cgroup.quota()
        if (before is None) is not (self._quota is None):
            interval = _INTERRUPT_SECONDS if self._quota is not None else 0.0
            with contextlib.suppress(OSError):
                signal.setitimer(signal.ITIMER_PROF, interval, interval)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._quota is None or self._resting:
            return
        self._resting = True
        try:
            self.review()
            if self._quota is not None:
                time.sleep(self._budget.rest(self._quota, time.process_time(), clock.monotonic()))
        finally:
            self._resting = False
