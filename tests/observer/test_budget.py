"""The budget keeps CPU time below a share of the quota, over any window that matters."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.cgroup import Quota
from sidecar.observer.budget import LARGEST_SHARE, SMALLEST_SHARE, Budget

HALF = Quota(0.5, 0.1)


class Process:
    """Uses CPU time, and sleeps when its budget says so."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.now = 100.0
        self.budget = Budget(self.cpu, self.now)

    def work(self, seconds: float, idle: float = 0.0) -> float:
        self.cpu += seconds
        self.now += seconds + idle
        rest = self.budget.rest(
            Quota(HALF.cores * self.budget.share, HALF.period_seconds), self.cpu, self.now
        )
        self.now += rest
        return rest


def test_whoever_works_without_pause_gets_the_share_of_the_quota() -> None:
    process = Process()
    for _ in range(5_000):
        process.work(0.004)
    assert process.cpu / (process.now - 100) == pytest.approx(0.5 * LARGEST_SHARE, rel=0.01)


def test_whoever_stays_below_the_share_never_rests() -> None:
    process = Process()
    process.work(0, idle=1)
    assert all(process.work(0.001, idle=0.009) == 0 for _ in range(1_000))


def test_idling_for_long_does_not_save_up_for_a_burst_that_eats_a_whole_period() -> None:
    process = Process()
    process.work(0, idle=3600)
    used = 0.0
    while not process.work(0.001):
        used += 0.001
    assert used <= 0.5 * 0.1 * LARGEST_SHARE


@given(st.lists(st.tuples(st.floats(0, 0.01), st.floats(0, 0.05)), min_size=1, max_size=200))
@settings(max_examples=50)
def test_no_period_sees_more_than_one_and_a_half_times_the_share(work: list[tuple[float, float]]) -> None:
    process = Process()
    used: list[tuple[float, float]] = []
    for seconds, idle in work:
        process.work(seconds, idle)
        used.append((process.now, seconds))
    for start, _ in used:
        in_period = sum(cpu for at, cpu in used if start <= at < start + HALF.period_seconds)
        # One piece of work is known only when it is over, another may be at the edge.
        assert in_period <= 1.5 * 0.5 * 0.1 * LARGEST_SHARE + 2 * 0.01 + 1e-9


def test_a_very_long_piece_of_work_is_forgiven_but_for_a_second() -> None:
    assert Process().work(60.0) == pytest.approx(1.0)


def test_throttled_in_spite_of_the_budget_the_share_shrinks_and_comes_back() -> None:
    budget = Budget(0, 0)
    for _ in range(10):
        budget.review(throttled=True, seconds=1.0)
    assert budget.share == SMALLEST_SHARE
    for _ in range(10):
        budget.review(throttled=False, seconds=1.0)
    assert budget.share == LARGEST_SHARE


BUSY = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from sidecar.observer.budget import Pacer
    from sidecar.cgroup import Cgroup
    pacer = Pacer(Cgroup(Path(sys.argv[1])))
    pacer.pressure = lambda seconds: float(sys.argv[2])
    pacer.start()
    start, used = time.monotonic(), time.process_time()
    while time.monotonic() - start < 1.5:
        sum(range(1000))
        pacer.review()
    print((time.process_time() - used) / (time.monotonic() - start))
    """
)


def busy(proc: Path, quota: str, pressure: float = 0.0) -> float:
    """The share of one core that a process gets which never waits for anything."""
    (proc / "mountinfo").write_text(f"1 1 0:1 / {proc} rw - cgroup2 cgroup2 rw\n")
    (proc / "cgroup").write_text("0::/\n")
    (proc / "cpu.max").write_text(quota)
    run = subprocess.run(
        [sys.executable, "-c", BUSY, str(proc), str(pressure)],
        capture_output=True,
        check=True,
        text=True,
    )
    return float(run.stdout)


def test_a_process_that_only_computes_is_held_to_its_share_and_can_still_exit(tmp_path: Path) -> None:
    # 0.02 of a core, and what it used before the budget began. A busy machine only makes it less.
    assert busy(tmp_path, "5000 100000") < 0.25


def test_without_a_quota_a_process_keeps_to_a_tenth_of_a_core_while_the_relay_has_no_time(
    tmp_path: Path,
) -> None:
    # The first look comes after 0.2 s of 1.5; until then it may use what it likes.
    assert busy(tmp_path, "max 100000", pressure=1.0) < 0.4


def test_with_neither_nothing_interrupts_it(tmp_path: Path) -> None:
    code = BUSY.replace("print(", "import signal; print(signal.getitimer(signal.ITIMER_PROF)[1]) #")
    (tmp_path / "mountinfo").write_text("")
    (tmp_path / "cgroup").write_text("")
    for pressure, interrupted in (("0.5", False), ("1.0", True)):
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), pressure], capture_output=True, check=True, text=True
        )
        assert (float(run.stdout) > 0) is interrupted
