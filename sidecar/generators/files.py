"""Generated files on disk: write them all, or say which differ."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sidecar.errors import UsageError


def write(directory: Path, files: Mapping[str, str]) -> list[Path]:
    """Write each file whole or not at all; make `directory` if need be. Other files are left alone.

    Raises UsageError when the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return [_replace(directory / name, text) for name, text in files.items()]
    except FileExistsError as error:
        raise UsageError(f"cannot write to {directory}: it is a file; give a directory") from error
    except OSError as error:
        raise UsageError(f"cannot write to {directory}: {error.strerror or error}") from error


def differences(directory: Path, files: Mapping[str, str]) -> list[str]:
    """The names whose file is missing or differs from what would be written."""
    return [name for name, text in files.items() if _read(directory / name) != text]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> Path:
    """A reader (Prometheus reloading, say) sees the old file or the new one, never a half."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide it from Prometheus' own user
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path
