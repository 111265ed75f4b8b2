"""A document in a file that survives whatever ends the process: whole or not there, checked when read.

A first line with schema, length and checksum, then the document as JSON. Written aside and renamed, so that a
reader never finds half of one; what cannot be used is set aside as `.bad` and not tried again. What it is
not: a database. One writer; `Directory` holds a lock that says so. The trap: without `sync` the file survives
the process but perhaps not the machine.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import orjson

# 30 features of one model are about 1 MB in all; beyond this somebody put another file there.
MAX_BYTES = 64 * 1024 * 1024
_MAX_HEAD_BYTES = 1024
_REASONS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
}


class Unusable(Exception):
    """A file whose content cannot be used; `reason` is "corrupt" or "outdated"."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


def reason_of(error: OSError) -> str:
    """Why something could not be written, as a label value."""
    return _REASONS.get(error.errno or 0, "other")


def dump(schema: str, document: Any) -> bytes:
    """The bytes of a file: numpy arrays and scalars allowed, NaN becomes null."""
    body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    head = {"schema": schema, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return orjson.dumps(head) + b"\n" + body


def parse(schema: str, data: bytes) -> Any:
    """The document of a file. Raises Unusable."""
    head, _, body = data.partition(b"\n")
    try:
        said = orjson.loads(head[:_MAX_HEAD_BYTES])
    except ValueError as error:
        raise Unusable("corrupt", "it does not begin as our files do") from error
    if not isinstance(said, dict) or not isinstance(said.get("schema"), str):
        raise Unusable("corrupt", "it does not begin as our files do")
    if said["schema"] != schema:
        raise Unusable("outdated", f"it is of {said['schema']!r:.80}, this version writes {schema!r}")
    if said.get("bytes") != len(body) or said.get("sha256") != hashlib.sha256(body).hexdigest():
        raise Unusable("corrupt", "it is cut short or damaged: length or checksum do not match")
    try:
        return orjson.loads(body)
    except ValueError as error:
        raise Unusable("corrupt", "it is not JSON") from error


def _bytes(path: Path) -> bytes:
    """The first MAX_BYTES + 1 bytes of a file. Raises OSError; Unusable when it is no regular one."""
    # Nothing that is in its place may make us wait: a pipe has a writer, or none.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unusable("corrupt", "it is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


class Directory:
    """The directory that one observer keeps its state in. Every method may raise OSError."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock: int | None = None

    def open(self) -> bool:
        """Make it if need be and take it; False while another process has it."""
        if self._lock is not None:
            return True
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        self._lock = lock
        return True

    def close(self) -> None:
        """Let another process have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, name: str, schema: str) -> Any:
        """The document of a file; None if there is none. Raises Unusable, after setting the file aside."""
        try:
            data = _bytes(self.path / name)
            if len(data) > MAX_BYTES:
                raise Unusable("corrupt", f"it is larger than {MAX_BYTES} bytes")
            return parse(schema, data)
        except FileNotFoundError:
            return None
        except Unusable:
            self.set_aside(name)
            raise

    def set_aside(self, name: str) -> None:
        """Keep a file for whoever wants to know, where it is in nobody's way."""
        with contextlib.suppress(OSError):
            os.replace(self.path / name, self.path / f"{name}.bad")

    def remove(self, name: str) -> None:
        """Have no such file, if that can be had."""
        with contextlib.suppress(OSError):
            os.unlink(self.path / name)

    def write(self, name: str, data: bytes, *, sync: bool) -> None:
        """Replace a file in one step; with `sync` it is on the disk when this returns."""
        aside = self.path / f".{name}.new"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with open(os.open(aside, flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(aside, self.path / name)
        except OSError:
            self.remove(aside.name)  # half a file would take the room that the next one needs
            raise
        if sync:
            self._sync_names()

    def _sync_names(self) -> None:
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
