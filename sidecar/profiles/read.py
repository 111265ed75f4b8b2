"""Reads recorded rows from a file in chunks, column-wise: csv, jsonl or parquet, the first two also gzipped.

`build_profile` makes a reference of them. The trap: a csv cell says nothing of its type. An empty cell is
null; what reads as a number is one, true and false are booleans, everything else is text.
"""

import csv
import gzip
import io
import json
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import orjson

from sidecar.counting import counted
from sidecar.errors import UsageError, said
from sidecar.inference import MISSING
from sidecar.profiles.build import MAX_COLUMNS, ProfileBuilder
from sidecar.reference import Reference

CHUNK_ROWS = 5_000
Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes of the file."""
Columns = dict[str, list[Any]]

# A cell or line larger than this is no row of features; it also bounds what a broken quote can swallow.
MAX_CELL_CHARACTERS = 1_000_000
MAX_LINE_BYTES = 16 * 1024 * 1024
# An embedding of 1,024 numbers is 32 kB as Python has it.
_NESTED_ROWS = 500
# Longer ones are floats: beyond 64 bits nothing downstream could count with them.
_LONGEST_WHOLE = 19
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOT_NUMBERS = frozenset("nN")  # "nan", "inf", "NaN" parse as floats but are no finite numbers
_FORMATS = ".csv, .jsonl, .ndjson (also .gz) or .parquet"


def read_columns(
    path: str | Path, *, chunk_rows: int = CHUNK_ROWS, progress: Progress | None = None
) -> Iterator[tuple[int, Columns]]:
    """Yield (rows, columns) for consecutive chunks of a file. Raises UsageError, one sentence."""
    path = Path(path)
    try:
        reader = _READERS.get(_suffix(path))
        if reader is None and not stat.S_ISDIR(path.stat().st_mode):
            raise UsageError(f"{path}: unknown kind of file; give {_FORMATS}")
        with open(path, "rb") as file:
            assert reader is not None  # a directory is not opened
            yield from reader(path, file, chunk_rows, _Meter(file, path.stat().st_size, progress))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path}: the gzip data ends early or is damaged") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {said(error)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text") from error


def first_line(path: str | Path) -> bytes | None:
    """The first line of a file of JSON lines; None if empty or of another kind. Raises UsageError."""
    path = Path(path)
    if _suffix(path) not in (".jsonl", ".ndjson"):
        return None
    try:
        with open(path, "rb") as file:
            lines = _unpacked(path, file)
            while line := lines.readline(MAX_LINE_BYTES):
                if line.strip():
                    return line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path}: the gzip data ends early or is damaged") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {said(error)}") from error
    return None


def build_profile(
    path: str | Path,
    prediction: list[str],
    label: str | None = None,
    timestamp: str | None = None,
    progress: Progress | None = None,
) -> Reference:
    """The reference of a file. Prediction columns are outputs; label and timestamp are neither.

    Raises UsageError when the file cannot be read, has no rows, or lacks a column that was named.
    """
    one_role_each(prediction, label, timestamp)
    builder = ProfileBuilder()
    seen: set[str] = set()
    for rows, columns in read_columns(path, progress=progress):
        seen.update(columns)
        outputs = {name: columns[name] for name in prediction if name in columns}
        left_out = {*prediction, label, timestamp}
        features = {name: values for name, values in columns.items() if name not in left_out}
        builder.add(rows, features, outputs)
    if not builder.rows:
        raise UsageError(f"{path}: has no rows")
    for name in [*prediction, *filter(None, (label, timestamp))]:
        if name not in seen:
            raise UsageError(f"{path}: has no column {name!r}; it has {', '.join(sorted(seen)[:20])}")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return builder.reference(created=created, timestamp=timestamp or "")


def one_role_each(predictions: Iterable[str], label: str | None, timestamp: str | None) -> None:
    """Raise UsageError when a column is said to be two things."""
    taken: dict[str, str] = {}
    given = [
        *(("--prediction", name) for name in predictions),
        ("--label", label),
        ("--timestamp", timestamp),
    ]
    for flag, name in given:
        if name and taken.setdefault(name, flag) != flag:
            raise UsageError(f"{flag}: {name!r} is the {taken[name]} already; a column is one of the two")


class _Meter:
    """Tells how far a file was read."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress | None) -> None:
        self._file, self._size, self._progress = file, size, progress

    def tell(self) -> None:
        if self._progress is not None:
            self._progress(min(self._file.tell(), self._size), self._size)


class _Reader(Protocol):
    def __call__(
        self, path: Path, file: BinaryIO, chunk_rows: int, meter: _Meter
    ) -> Iterator[tuple[int, Columns]]: ...


def _csv(path: Path, file: BinaryIO, chunk_rows: int, meter: _Meter) -> Iterator[tuple[int, Columns]]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    # utf-8-sig: spreadsheets begin their files with a byte order mark, which is no part of a name.
    rows = csv.reader(io.TextIOWrapper(_unpacked(path, file), encoding="utf-8-sig", newline=""))
    try:
        names = next(rows, [])
        _check_names(path, names)
        chunk: list[list[str]] = []
        for row in rows:
            if not row:
                continue  # a blank line, usually the last
            if len(row) != len(names):
                cells = counted(len(row), "cell")
                raise UsageError(f"{path}: line {rows.line_num}: {cells}, but the header names {len(names)}")
            chunk.append(row)
            if len(chunk) == chunk_rows:
                yield len(chunk), _cells(names, chunk)
                chunk = []
                meter.tell()
        if chunk:
            yield len(chunk), _cells(names, chunk)
        meter.tell()
    except csv.Error as error:
        raise UsageError(f"{path}: line {rows.line_num}: {error}") from error


def _cells(names: list[str], rows: list[list[str]]) -> Columns:
    columns = zip(*rows, strict=True)
    return {name: _values(column) for name, column in zip(names, columns, strict=True)}


def _values(cells: tuple[str, ...]) -> list[Any]:
    """What `_cell` says of each; a call each only where cells are neither all whole nor all numbers."""
    try:
        if max(map(len, cells)) < _LONGEST_WHOLE:
            return list(map(int, cells))
    except ValueError:
        pass
    try:
        return list(map(float, cells))
    except ValueError:
        values = {cell: _cell(cell) for cell in set(cells)}
        return [values[cell] for cell in cells]


def _cell(text: str) -> Any:
    """A csv cell's value: None, a number, a boolean, or the text itself."""
    if not text:
        return None
    try:
        return int(text) if len(text) < _LONGEST_WHOLE and text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        value = _BOOLEANS.get(text)
        return text if value is None else value


def _jsonl(path: Path, file: BinaryIO, chunk_rows: int, meter: _Meter) -> Iterator[tuple[int, Columns]]:
    lines = _unpacked(path, file)
    number = 0
    chunk: list[dict[str, Any]] = []
    while line := lines.readline(MAX_LINE_BYTES):
        number += 1
        if not line.strip():
            continue
        chunk.append(_object(path, number, line))
        if len(chunk) == chunk_rows:
            yield len(chunk), _by_name(path, chunk)
            chunk = []
            meter.tell()
    if chunk:
        yield len(chunk), _by_name(path, chunk)
    meter.tell()


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
        # readline cut it there: what is left of it is no document, and saying so would mislead.
        raise UsageError(f"{path}: line {number}: is longer than {MAX_LINE_BYTES // 1024**2} MiB")
    try:
        row = _loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: line {number}: is not JSON") from error
    if not isinstance(row, dict):
        raise UsageError(f"{path}: line {number}: is not an object; give one object a line")
    return row


def _loads(line: bytes) -> Any:
    """One document. Bare NaN and Infinity, which Python writes, are numbers; lone surrogates are no text."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()
        return row


def _by_name(path: Path, rows: list[dict[str, Any]]) -> Columns:
    names = list(dict.fromkeys(name for row in rows for name in row))
    _check_names(path, names)
    return {name: [row.get(name, MISSING) for row in rows] for name in names}


def _parquet(path: Path, file: BinaryIO, chunk_rows: int, meter: _Meter) -> Iterator[tuple[int, Columns]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UsageError(
            f"{path}: reading parquet needs pyarrow: pip install 'inference-sidecar[parquet]'"
        ) from error
    try:
        table = parquet.ParquetFile(file)
        _check_names(path, table.schema_arrow.names)
        nested = any(field.type.num_fields for field in table.schema_arrow)
        for batch in table.iter_batches(batch_size=min(chunk_rows, _NESTED_ROWS) if nested else chunk_rows):
            values = [_plain(column.to_pylist()) for column in batch.columns]
            yield batch.num_rows, dict(zip(batch.schema.names, values, strict=True))
            meter.tell()
    except ArrowException as error:
        raise UsageError(f"{path}: is not a parquet file that can be read") from error


def _plain(values: list[Any]) -> list[Any]:
    """Dates as ISO text, decimals as numbers, bytes as text, lists as they are: what a payload could hold."""
    kinds = {type(value) for value in values}
    if kinds <= {int, float, str, bool, type(None)}:
        return values
    return [_plain_value(value) for value in values]


def _plain_value(value: Any) -> Any:
    if value is None or isinstance(value, (int, float, str, bool, list)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "as_tuple"):
        return float(value)
    return str(value)


def _check_names(path: Path, names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise UsageError(f"{path}: {len(names)} columns; at most {MAX_COLUMNS} can be profiled")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise UsageError(f"{path}: the column {twice[0]!r} is there twice")


def _unpacked(path: Path, file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return name[name.rfind(".") :] if "." in name else ""


_READERS: dict[str, _Reader] = {
    ".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet,
}  # fmt: skip
