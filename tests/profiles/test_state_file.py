"""State files: whole or not there, whatever happens to them."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sidecar.profiles.state_file import Directory, Unusable, dump, parse, reason_of

SCHEMA = "test/v1"
DOCUMENT = {"a": [1, 2.5, None], "b": "ü"}


def test_what_was_written_is_read_again(tmp_path):
    directory = Directory(tmp_path / "new" / "state")
    assert directory.open()
    assert directory.read("x.json", SCHEMA) is None
    directory.write("x.json", dump(SCHEMA, DOCUMENT), sync=True)
    directory.write("x.json", dump(SCHEMA, {**DOCUMENT, "c": 1}), sync=False)
    assert directory.read("x.json", SCHEMA) == {**DOCUMENT, "c": 1}
    assert sorted(os.listdir(directory.path)) == ["lock", "x.json"]
    assert (directory.path / "x.json").stat().st_mode & 0o777 == 0o600


def test_numbers_of_numpy_are_numbers():
    assert parse(SCHEMA, dump(SCHEMA, [np.float64(0.1), np.arange(3)])) == [0.1, [0, 1, 2]]


def test_a_file_cut_at_any_byte_or_with_any_byte_changed_is_corrupt_and_nothing_worse():
    data = dump(SCHEMA, DOCUMENT)
    for at in range(len(data)):
        with pytest.raises(Unusable) as cut:
            parse(SCHEMA, data[:at])
        assert cut.value.reason == "corrupt"
        with pytest.raises(Unusable):
            parse(SCHEMA, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(Unusable):
        parse(SCHEMA, data + b" ")


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"[]\n{}", b"{}\n{}", b'{"schema": 1}\n', b"\x00" * 100, b"[" * 5_000]
)
def test_what_was_never_ours_is_corrupt(data):
    with pytest.raises(Unusable) as error:
        parse(SCHEMA, data)
    assert error.value.reason == "corrupt"


def test_another_schema_is_outdated():
    with pytest.raises(Unusable) as error:
        parse("test/v2", dump(SCHEMA, DOCUMENT))
    assert error.value.reason == "outdated"


def test_what_cannot_be_used_is_set_aside_and_not_tried_again(tmp_path):
    (tmp_path / "x.json").write_bytes(dump(SCHEMA, DOCUMENT)[:-1])
    directory = Directory(tmp_path)
    with pytest.raises(Unusable):
        directory.read("x.json", SCHEMA)
    assert os.listdir(tmp_path) == ["x.json.bad"]
    assert directory.read("x.json", SCHEMA) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_set_aside_and_not_waited_for(tmp_path, make):
    make(tmp_path / "a.json")
    directory = Directory(tmp_path)
    with pytest.raises(Unusable, match="not a regular file"):
        directory.read("a.json", SCHEMA)
    directory.write("a.json", dump(SCHEMA, {}), sync=False)
    assert directory.read("a.json", SCHEMA) == {}


def test_a_directory_belongs_to_one_at_a_time(tmp_path):
    one, other = Directory(tmp_path), Directory(tmp_path)
    assert one.open() and one.open()
    assert not other.open()
    one.close()
    assert other.open()


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    directory = Directory(tmp_path)
    directory.write("x.json", dump(SCHEMA, DOCUMENT), sync=True)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as error:
        directory.write("x.json", dump(SCHEMA, {}), sync=True)
    assert reason_of(error.value) == "disk_full"
    assert directory.read("x.json", SCHEMA) == DOCUMENT
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EROFS, "read_only"),
     (errno.EACCES, "permission"), (errno.EPERM, "permission"), (errno.EIO, "other")],
)  # fmt: skip
def test_why_it_could_not_be_written_is_a_reason(number, reason):
    assert reason_of(OSError(number, "")) == reason


_WRITER = """
import sys
from sidecar.profiles.state_file import Directory, dump
directory = Directory(sys.argv[1])
assert directory.open()
for number in range(10**6):
    directory.write("a.json", dump("s/v1", [number] * 50_000), sync=number % 2 == 0)
    if number == 1:
        print("going", flush=True)
"""


@pytest.mark.parametrize("after", [0.0, 0.013, 0.037])
def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_file_and_no_lock(tmp_path, after):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"going\n"
        time.sleep(after)  # somewhere in the middle
        writer.kill()
    directory = Directory(tmp_path)
    assert directory.open()
    found = directory.read("a.json", "s/v1")
    assert len(found) == 50_000 and len(set(found)) == 1
    directory.write("a.json", dump("s/v1", [1]), sync=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "lock"]
    directory.close()
