"""How busy the relay is, from what the kernel says of its workers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sidecar.observer.relay_pressure import RelayPressure


def say(proc: Path, pid: int, ran: float, waited: float) -> None:
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "schedstat").write_text(f"{ran * 1e9:.0f} {waited * 1e9:.0f} 17\n")


def test_running_and_waiting_both_count_and_the_busiest_worker_decides(tmp_path: Path) -> None:
    pressure = RelayPressure(lambda: [1, 2], tmp_path)
    say(tmp_path, 1, 100, 50)
    say(tmp_path, 2, 7, 0)
    assert pressure.since(1.0) == 0.0, "the first look has nothing to compare with"
    say(tmp_path, 1, 100.3, 50.2)
    say(tmp_path, 2, 7.1, 0)
    assert pressure.since(1.0) == pytest.approx(0.5)
    assert pressure.since(1.0) == 0.0, "only what is new since the last look"


def test_a_worker_that_took_the_place_of_another_is_not_compared_with_it(tmp_path: Path) -> None:
    workers = [1]
    pressure = RelayPressure(lambda: workers, tmp_path)
    say(tmp_path, 1, 100, 0)
    say(tmp_path, 2, 500, 0)
    pressure.since(1.0)
    workers[:] = [2]
    assert pressure.since(1.0) == 0.0


@pytest.mark.parametrize("text", ["", "x y z", "5"])
def test_a_kernel_that_does_not_say_is_no_pressure(tmp_path: Path, text: str) -> None:
    pressure = RelayPressure(lambda: [1, 2], tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "schedstat").write_text(text)
    assert pressure.since(1.0) == pressure.since(1.0) == 0.0


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count")
def test_a_process_that_only_computes_is_under_full_pressure() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        try:
            pressure = RelayPressure(lambda: [spinning.pid, os.getpid()])
            start = time.monotonic()
            pressure.since(1.0)
            while time.monotonic() - start < 0.3:
                os.sched_yield()
            took = time.monotonic() - start
            assert pressure.since(took) > 0.5
        finally:
            spinning.kill()
