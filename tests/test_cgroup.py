"""Limits are found at every level, in both versions, whatever a container sees of them."""

from pathlib import Path

import pytest

from sidecar.cgroup import Cgroup, Quota

V2 = "30 23 0:28 {root} {at} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:29 {root} {at} rw - cgroup cgroup rw,{controllers}\n"


class Machine:
    """A made-up machine: what /proc/self says, and the hierarchies under a directory."""

    def __init__(self, path: Path) -> None:
        self.at = path / "cgroup"
        self._proc = path / "proc"
        self._proc.mkdir()
        self._mounts = "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        self._paths = ""

    def v2(self, path: str, root: str = "/") -> None:
        self._mounts += V2.format(root=root, at=self.at)
        self._paths += f"0::{path}\n"

    def v1(self, controllers: str, path: str, root: str = "/") -> None:
        self._mounts += V1.format(root=root, at=self.at / controllers, controllers=controllers)
        self._paths += f"4:{controllers}:{path}\n"

    def write(self, name: str, text: str) -> None:
        file = self.at / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def cgroup(self) -> Cgroup:
        (self._proc / "mountinfo").write_text(self._mounts)
        (self._proc / "cgroup").write_text(self._paths)
        return Cgroup(self._proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_quota_of_version_2_is_read(machine: Machine) -> None:
    machine.v2("/pod/box")
    machine.write("pod/box/cpu.max", "50000 100000")
    assert machine.cgroup().quota() == Quota(0.5, 0.1)


def test_a_quota_of_version_1_is_read(machine: Machine) -> None:
    machine.v1("cpu,cpuacct", "/pod/box")
    machine.write("cpu,cpuacct/pod/box/cpu.cfs_quota_us", "20000")
    machine.write("cpu,cpuacct/pod/box/cpu.cfs_period_us", "50000")
    assert machine.cgroup().quota() == Quota(0.4, 0.05)


@pytest.mark.parametrize("tight", ["", "pod/", "pod/box/"])
def test_the_tightest_level_counts(machine: Machine, tight: str) -> None:
    machine.v2("/pod/box")
    for level in ("", "pod/", "pod/box/"):
        machine.write(f"{level}cpu.max", "30000 100000" if level == tight else "200000 100000")
        machine.write(f"{level}memory.max", "1000" if level == tight else "5000")
    assert machine.cgroup().quota() == Quota(0.3, 0.1)
    assert machine.cgroup().memory_limit() == 1000


def test_no_quota_is_none(machine: Machine) -> None:
    machine.v2("/box")
    machine.write("box/cpu.max", "max 100000")
    machine.write("box/memory.max", "max")
    assert machine.cgroup().quota() is None
    assert machine.cgroup().memory_limit() is None


def test_no_limit_in_version_1_is_none(machine: Machine) -> None:
    machine.v1("cpu", "/box")
    machine.v1("memory", "/box")
    machine.write("cpu/box/cpu.cfs_quota_us", "-1")
    machine.write("cpu/box/cpu.cfs_period_us", "100000")
    machine.write("memory/box/memory.limit_in_bytes", "9223372036854771712")
    assert machine.cgroup().quota() is None
    assert machine.cgroup().memory_limit() is None


def test_a_soft_limit_that_slows_everything_down_is_a_limit(machine: Machine) -> None:
    machine.v2("/box")
    machine.write("box/memory.max", "5000")
    machine.write("box/memory.high", "4000")
    assert machine.cgroup().memory_limit() == 4000


def test_a_container_that_sees_only_its_own_group_finds_it_at_the_mount(machine: Machine) -> None:
    machine.v1("memory", "/kubepods/pod7/box", root="/kubepods/pod7/box")
    machine.write("memory/memory.limit_in_bytes", "4096")
    assert machine.cgroup().memory_limit() == 4096


@pytest.mark.parametrize("path", ["/elsewhere", "/../../other", "/kubepods/../.."])
def test_a_path_that_is_not_under_the_mount_falls_back_to_the_mount(machine: Machine, path: str) -> None:
    machine.v2(path, root="/kubepods")
    machine.write("cpu.max", "50000 100000")
    assert machine.cgroup().quota() == Quota(0.5, 0.1)


def test_controllers_of_both_versions_may_be_mounted_at_once(machine: Machine) -> None:
    machine.v1("cpu", "/box")
    machine.v2("/box")
    machine.write("cpu/box/cpu.cfs_quota_us", "50000")
    machine.write("cpu/box/cpu.cfs_period_us", "100000")
    machine.write("box/memory.max", "4096")
    assert machine.cgroup().quota() == Quota(0.5, 0.1)
    assert machine.cgroup().memory_limit() == 4096


def test_throttling_is_counted_over_all_levels(machine: Machine) -> None:
    machine.v2("/pod/box")
    machine.write("pod/box/cpu.stat", "usage_usec 1\nnr_periods 9\nnr_throttled 3\nthrottled_usec 12")
    machine.write("pod/cpu.stat", "nr_throttled 4")
    assert machine.cgroup().times_throttled() == 7


@pytest.mark.parametrize("text", ["", "50000 ", "many 100000", "50000 0", "-5 -5", "5 5 5", "٥ ٥"])
def test_what_cannot_be_understood_is_no_quota(machine: Machine, text: str) -> None:
    machine.v2("/")
    machine.write("cpu.max", text)
    machine.write("cpu.stat", text)
    assert machine.cgroup().quota() is None
    assert machine.cgroup().times_throttled() == 0


@pytest.mark.parametrize("text", ["", "a lot", "-1", "0", "4k", "٥"])
def test_what_cannot_be_understood_is_no_memory_limit(machine: Machine, text: str) -> None:
    machine.v2("/")
    machine.write("memory.max", text)
    assert machine.cgroup().memory_limit() is None


@pytest.mark.parametrize("rubbish", ["", "\n", "no colons here", "1 2 3 - cgroup", "0::", "::::", "\0\xff"])
def test_rubbish_in_proc_is_no_limit(tmp_path: Path, rubbish: str) -> None:
    for name in ("mountinfo", "cgroup"):
        (tmp_path / name).write_text(rubbish)
    assert Cgroup(tmp_path).quota() is None
    assert Cgroup(tmp_path).memory_limit() is None


def test_a_system_without_proc_has_no_limits(tmp_path: Path) -> None:
    assert Cgroup(tmp_path / "none").quota() is None
    assert Cgroup(tmp_path / "none").times_throttled() == 0


def test_a_mount_point_with_a_space_in_it_is_found(tmp_path: Path) -> None:
    proc, at = tmp_path / "proc", tmp_path / "a place"
    proc.mkdir()
    at.mkdir()
    (proc / "mountinfo").write_text(V2.format(root="/", at=str(at).replace(" ", "\\040")))
    (proc / "cgroup").write_text("0::/\n")
    (at / "memory.max").write_text("4096\n")
    assert Cgroup(proc).memory_limit() == 4096
