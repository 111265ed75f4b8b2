"""What the kernel lets this container use: the CPU quota and the memory limit of our control groups.

Reads both versions, and machines that mount both. A limit may be set at any level above us; the
tightest counts. Nothing here decides anything. The trap: inside a container the path that
/proc/self/cgroup names is often not the path under the mount; what is mounted is our own level then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Version 1 says "no limit" with the largest multiple of a page; nobody has a fraction of that much memory.
_NO_LIMIT_BYTES = 1 << 60


@dataclass(frozen=True, slots=True)
class Quota:
    """So many cores' worth of CPU time, handed out anew every `period_seconds`."""

    cores: float
    period_seconds: float


class Cgroup:
    """The control groups of this process. `proc` is its directory under /proc."""

    def __init__(self, proc: Path = Path("/proc/self")) -> None:
        mounts = list(_mounts(_lines(proc / "mountinfo")))
        paths = list(_paths(_lines(proc / "cgroup")))
        self._cpu = list(_levels("cpu", mounts, paths))
        self._memory = list(_levels("memory", mounts, paths))

    def quota(self) -> Quota | None:
        """The tightest CPU quota, or None when there is none or it cannot be read."""
        found = [quota for level in self._cpu if (quota := _quota(level)) is not None]
        return min(found, key=lambda quota: quota.cores, default=None)

    def times_throttled(self) -> int:
        """How often a quota of ours was used up before its period was over, at all levels together."""
        return sum(_throttled(level) for level in self._cpu)

    def memory_limit(self) -> int | None:
        """The tightest memory limit in bytes, or None when there is none or it cannot be read."""
        names = ("memory.max", "memory.high", "memory.limit_in_bytes")
        found = [_number(_text(level / name)) for level in self._memory for name in names]
        return min((limit for limit in found if limit is not None and limit < _NO_LIMIT_BYTES), default=None)


@dataclass(frozen=True, slots=True)
class _Mount:
    root: Path  # the part of the hierarchy that is mounted
    at: Path
    controllers: frozenset[str]  # empty: version 2, all of them


def _mounts(lines: list[str]) -> Iterator[_Mount]:
    """Of /proc/PID/mountinfo: "ID PARENT DEV ROOT POINT OPTIONS … - TYPE SOURCE SUPER-OPTIONS"."""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, details = before.split(), after.split()
        if len(fields) > 4 and len(details) > 2 and details[0] in ("cgroup", "cgroup2"):
            controllers = details[2].split(",") if details[0] == "cgroup" else []
            yield _Mount(Path(_plain(fields[3])), Path(_plain(fields[4])), frozenset(controllers))


def _paths(lines: list[str]) -> Iterator[tuple[frozenset[str], Path]]:
    """Of /proc/PID/cgroup: "ID:CONTROLLERS:PATH"; no controllers: version 2."""
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon:
            yield frozenset(filter(None, controllers.split(","))), Path(path)


def _levels(
    controller: str, mounts: list[_Mount], paths: list[tuple[frozenset[str], Path]]
) -> Iterator[Path]:
    """The directories of our group and of every group above it that can be seen."""
    for mount in mounts:
        for controllers, path in paths:
            if controllers == mount.controllers == frozenset() or controller in (
                controllers & mount.controllers
            ):
                yield from _upwards(mount, path)


def _upwards(mount: _Mount, path: Path) -> Iterator[Path]:
    inside = path.relative_to(mount.root) if path.is_relative_to(mount.root) else Path()
    if ".." in inside.parts:  # a group outside of what our namespace shows
        inside = Path()
    yield mount.at / inside
    yield from (mount.at / above for above in inside.parents)


def _quota(level: Path) -> Quota | None:
    words = _text(level / "cpu.max").split()  # "50000 100000" or "max 100000"
    if len(words) != 2:
        words = [_text(level / "cpu.cfs_quota_us"), _text(level / "cpu.cfs_period_us")]
    quota, period = map(_number, words)
    if quota is None or not period:
        return None
    return Quota(quota / period, period / 1e6)


def _throttled(level: Path) -> int:
    for line in _lines(level / "cpu.stat"):
        name, _, value = line.partition(" ")
        if name == "nr_throttled":
            return _number(value) or 0
    return 0


def _number(text: str) -> int | None:
    """A positive number; None for "max", -1 and whatever else means no limit."""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def _plain(path: str) -> str:
    """mountinfo writes spaces and the like as octal escapes."""
    return path.encode().decode("unicode_escape") if "\\" in path else path


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    """What the file holds; "" when there is no such file or it may not be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
