"""Real control groups, where this machine lets us make them: version 2, or 1 with its separate hierarchies.

Creating them takes root and a writable hierarchy; `capable` says whether both are there. Limits of a group
made here hold for whatever is moved into it, and for its children.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Group:
    """The directories of one group: one in version 2, one for each controller in version 1."""

    cpu: Path | None = None
    memory: Path | None = None

    def enter(self, pid: int | None = None) -> None:
        """Move a process in; ours, without a number."""
        for directory in {self.cpu, self.memory} - {None}:
            (directory / "cgroup.procs").write_text(str(pid or os.getpid()))

    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs inside, with all it starts."""
        enter = "".join(f"echo $$ > {path}/cgroup.procs; " for path in {self.cpu, self.memory} - {None})
        return ("sh", "-c", f'{enter}exec "$@"', "sh")

    def killed(self) -> int:
        """How many of its processes the kernel killed for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                text = (self.memory / name).read_text()
                return int(dict(line.split() for line in text.splitlines())["oom_kill"])
        raise AssertionError("no such figure")

    def throttled_seconds(self) -> float:
        """How long its processes were stopped because the CPU quota was used up."""
        stat = dict(line.split() for line in (self.cpu / "cpu.stat").read_text().splitlines())
        return int(stat.get("throttled_usec", 0)) / 1e6 or int(stat.get("throttled_time", 0)) / 1e9


@contextlib.contextmanager
def group(*, cores: float | None = None, memory: int | None = None) -> Iterator[Group]:
    """A new group with these limits. Raises OSError where that is not permitted."""
    name = f"sidecar-test-{os.getpid()}-{time.monotonic_ns()}"
    made = Group(
        _make("cpu", name) if cores is not None else None,
        _make("memory", name) if memory is not None else None,
    )
    try:
        if made.cpu is not None and cores is not None:
            _limit_cpu(made.cpu, int(cores * 100_000))
        if made.memory is not None:
            _write(made.memory, {"memory.max": memory, "memory.limit_in_bytes": memory})
        yield made
    finally:
        for directory in {made.cpu, made.memory} - {None}:
            _remove(directory)


def why_not(*controllers: str) -> str | None:
    """Why groups with these controllers cannot be made here; None where they can."""
    try:
        with group(
            cores=1.0 if "cpu" in controllers else None,
            memory=1 << 30 if "memory" in controllers else None,
        ):
            return None
    except OSError as error:
        return f"control groups cannot be made here ({error.strerror or error})"


def _make(controller: str, name: str) -> Path:
    if controller in _controllers(_ROOT):
        # Version 2 hands a controller down only where the level above says so.
        (_ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
        directory = _ROOT / name
    elif (_ROOT / controller).is_dir():
        directory = _ROOT / controller / name
    else:
        raise OSError(f"no {controller} controller under {_ROOT}")
    directory.mkdir(exist_ok=True)
    return directory


def _controllers(directory: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (directory / "cgroup.controllers").read_text().split()
    return []


def _limit_cpu(directory: Path, quota: int) -> None:
    _write(directory, {"cpu.max": f"{quota} 100000", "cpu.cfs_quota_us": quota})


def _write(directory: Path, values: dict[str, object]) -> None:
    """Write those of the files that are there; one of them must be."""
    there = [name for name in values if (directory / name).exists()]
    if not there:
        raise OSError(f"{directory} has none of {', '.join(values)}")
    for name in there:
        (directory / name).write_text(str(values[name]))


def _remove(directory: Path) -> None:
    """A group can be removed once the last of its processes is gone."""
    for _ in range(50):
        try:
            directory.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
