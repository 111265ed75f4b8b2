"""What runs under a process, from /proc."""

import os
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Every process started by `pid`, or by one of those."""
    children: dict[int, list[int]] = {}
    for other in _all():
        children.setdefault(_parent(other), []).append(other)
    found, todo = [], [pid]
    while todo:
        todo.extend(below := children.get(todo.pop(), []))
        found.extend(below)
    return found


def command(pid: int) -> str:
    """Its command line; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """It is there, and not only waiting for its exit code to be read."""
    return _state(pid) not in ("", "Z", "X")


def observer_of(sidecar: int) -> int | None:
    """The observer process of a running sidecar."""
    return next(
        (pid for pid in descendants(sidecar) if "sidecar.observer" in command(pid) and alive(pid)), None
    )


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _fields(pid: int) -> list[str]:
    """The fields of its stat file from the state on; the name before them may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _state(pid: int) -> str:
    return next(iter(_fields(pid)), "")


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0
