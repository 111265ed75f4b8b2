"""The observer is restarted before its memory is the container's problem, and when it hangs."""

import mmap
import os
from pathlib import Path

from sidecar.supervisor.watch import (
    LARGEST_OBSERVER_BYTES,
    LONGEST_SILENCE_SECONDS,
    Silence,
    anonymous_bytes,
    too_large,
)

MB = 1024 * 1024


def test_all_our_processes_together_stay_below_three_quarters_of_the_limit() -> None:
    assert not too_large(observer=149 * MB, others=40 * MB, limit=256 * MB)
    assert too_large(observer=153 * MB, others=40 * MB, limit=256 * MB)


def test_without_a_limit_and_with_a_huge_one_an_observer_still_has_a_largest_size() -> None:
    for limit in (None, 64 * 1024 * MB):
        assert not too_large(LARGEST_OBSERVER_BYTES, 0, limit)
        assert too_large(LARGEST_OBSERVER_BYTES + 1, 0, limit)


def test_an_observer_that_is_not_there_is_never_too_large() -> None:
    assert not too_large(observer=0, others=40 * MB, limit=64 * MB)


def test_silence_counts_from_the_first_word_and_anew_from_each() -> None:
    silence = Silence()
    assert not any(silence.lasts(1.0) for _ in range(1_000))  # it still starts
    silence.broken()
    assert not any(silence.lasts(1.0) for _ in range(int(LONGEST_SILENCE_SECONDS)))
    silence.broken()
    assert not silence.lasts(1.0)
    assert any(silence.lasts(1.0) for _ in range(int(LONGEST_SILENCE_SECONDS)))


def test_a_new_process_is_not_judged_by_the_silence_of_the_old_one() -> None:
    silence = Silence()
    silence.broken()
    silence.forget()
    assert not any(silence.lasts(1.0) for _ in range(1_000))


def test_a_watcher_that_did_not_run_itself_has_not_heard_silence() -> None:
    silence = Silence()
    silence.broken()
    assert not silence.lasts(3600.0)


def test_anonymous_memory_is_what_is_resident_and_not_shared(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "statm").write_text("9000 5000 3000 1 0 2000 0\n")
    assert anonymous_bytes(7, tmp_path) == 2000 * os.sysconf("SC_PAGE_SIZE")


def test_a_process_that_is_gone_has_no_memory(tmp_path: Path) -> None:
    assert anonymous_bytes(7, tmp_path) == 0
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "statm").write_text("")
    assert anonymous_bytes(7, tmp_path) == 0


def test_our_own_memory_grows_with_what_we_take() -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    before = anonymous_bytes(os.getpid())
    # Of the kernel itself: an allocator may have as much left over from earlier tests.
    with mmap.mmap(-1, 32 * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as taken:
        taken[::page] = b"x" * (32 * MB // page)
        assert anonymous_bytes(os.getpid()) - before > 24 * MB
