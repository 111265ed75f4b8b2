"""A reference as a file: JSON that people can read, review and correct.

Validated on load: every problem is one sentence that begins with the file and the key. The trap: a file is
written aside and then renamed, so that a reader never finds half of one.
"""

import json
import math
import os
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import numpy as np

from sidecar.centroid import MAX_DIMENSIONS
from sidecar.errors import ConfigError
from sidecar.profiles.build import MAX_COLUMNS, increasing
from sidecar.reference import ColumnProfile, ColumnType, Reference
from sidecar.words import MAX_WORDS

SCHEMA = "inference-sidecar/reference/v1"
# 5,000 columns with 20 bins are 5 MB; larger than this is another file.
MAX_BYTES = 64 * 1024 * 1024
MAX_BINS = 1_000
# Shares are rounded when written.
_SHARE_TOLERANCE = 1e-3


def save(reference: Reference, path: str | Path) -> None:
    """Write the reference, replacing what was there in one step. Raises OSError.

    A pipe or device is written to, and a link stays one: only plain files are replaced.
    """
    path = Path(path)
    text = json.dumps(to_json(reference), indent=2, ensure_ascii=False) + "\n"
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_text(text, encoding="utf-8")
        return
    path = Path(os.path.realpath(path))
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def load(path: str | Path) -> Reference:
    """Read and validate a reference. Raises ConfigError with one sentence per problem."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {(error.strerror or str(error)).lower()}"]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([f"{path}: larger than {MAX_BYTES} bytes; this is no reference"])
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        # Not `-o {path}`: it may be the data that was given here by mistake.
        make = "make a reference with: sidecar profile DATA -o reference.json"
        raise ConfigError([f"{path}: is not JSON; {make}"]) from error
    return from_json(document, str(path))


def to_json(reference: Reference) -> dict[str, Any]:
    """The document of a reference."""
    return {
        "schema": SCHEMA,
        "profile": reference.profile,
        "model": reference.model,
        "source": reference.source,
        "created": reference.created,
        "rows": reference.rows,
        **({"timestamp": reference.timestamp} if reference.timestamp else {}),
        "features": {name: _column(column) for name, column in reference.features.items()},
        "outputs": {name: _column(column) for name, column in reference.outputs.items()},
    }


def from_json(document: Any, where: str = "reference") -> Reference:
    """The reference of a document. Raises ConfigError with one sentence per problem."""
    reader = _Reader(where)
    reference = reader.reference(document)
    if reader.problems:
        raise ConfigError(reader.problems)
    return reference


def _column(profile: ColumnProfile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": profile.type.value,
        "rows": profile.rows,
        "null_ratio": profile.null_ratio,
    }
    if profile.type is ColumnType.NUMBER:
        bounds = {"min": profile.min, "max": profile.max, "mean": profile.mean, "stddev": profile.stddev}
        entry.update(bounds, edges=list(profile.edges), shares=list(profile.shares))
    if profile.levels:
        entry["levels"] = dict(profile.levels)
    if profile.words:
        entry["words"] = b64encode(profile.words).decode()
    if profile.centroid:
        entry["centroid"] = b64encode(profile.centroid).decode()
    return entry


class _Reader:
    """Reads a document and remembers everything wrong with it."""

    def __init__(self, where: str) -> None:
        self.problems: list[str] = []
        self._where = where

    def reference(self, document: Any) -> Reference:
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            found = document.get("schema") if isinstance(document, dict) else document
            self._wrong("schema", found, f'"{SCHEMA}"')
            return Reference(0, {})
        features = self._columns(document, "features")
        outputs = self._columns(document, "outputs")
        if not features and not outputs and not self.problems:
            self._wrong("features", document.get("features"), "at least one feature or output")
        source = self._text(document, "source") or "given"
        if source not in ("given", "learnt"):
            self._wrong("source", source, '"given" or "learnt"')
        rows = self._number(document, "rows", "rows", 0.0, whole=True) or 0.0
        created, model = self._text(document, "created"), self._text(document, "model")
        timestamp = self._text(document, "timestamp")
        return Reference(int(rows), features, outputs, source, created, model, timestamp)

    def _columns(self, document: dict[str, Any], key: str) -> dict[str, ColumnProfile]:
        columns = document.get(key, {})
        if not isinstance(columns, dict) or len(columns) > MAX_COLUMNS:
            self._wrong(key, columns, f"an object with at most {MAX_COLUMNS} columns")
            return {}
        return {name: self._profile(name, entry, f"{key}.{name}") for name, entry in columns.items()}

    def _profile(self, name: str, entry: Any, key: str) -> ColumnProfile:
        types = [type.value for type in ColumnType]
        if not isinstance(entry, dict) or entry.get("type") not in types:
            found = entry.get("type") if isinstance(entry, dict) else entry
            self._wrong(
                f"{key}.type" if isinstance(entry, dict) else key, found, f"one of {', '.join(types)}"
            )
            return ColumnProfile(name, ColumnType.TEXT, 0)
        type = ColumnType(entry["type"])
        rows = int(self._number(entry, "rows", f"{key}.rows", 0.0, whole=True) or 0)
        nulls = self._number(entry, "null_ratio", f"{key}.null_ratio", 0.0, 1.0) or 0.0
        edges = self._numbers(entry, "edges", key)
        if not increasing(edges):
            self._wrong(f"{key}.edges", "edges out of order", "each edge greater than the one before")
        shares = self._shares(entry, key, len(edges)) if type is ColumnType.NUMBER else ()
        levels = self._levels(entry, key)
        low, high, mean, stddev = (
            self._number(entry, k, f"{key}.{k}", needed=False) for k in ("min", "max", "mean", "stddev")
        )
        if low is not None and high is not None and low > high:
            self._wrong(f"{key}.min", low, f"at most max ({high})")
        words = self._words(entry, key)
        centroid = self._centroid(entry, key)
        return ColumnProfile(
            name, type, rows, nulls, edges, shares, levels, low, high, mean, stddev, words, centroid
        )

    def _words(self, entry: dict[str, Any], key: str) -> bytes:
        """A vocabulary: sorted, because it is searched."""
        try:
            words = b64decode(entry.get("words", ""), validate=True)
            hashes = np.frombuffer(words, "<u4")
            if len(hashes) <= MAX_WORDS and (hashes[1:] > hashes[:-1]).all():
                return words
        except (ValueError, TypeError):
            pass
        self._wrong(f"{key}.words", "no vocabulary", "what `sidecar profile` writes, or nothing")
        return b""

    def _centroid(self, entry: dict[str, Any], key: str) -> bytes:
        """A direction: nothing else is a cosine to."""
        try:
            centroid = b64decode(entry.get("centroid", ""), validate=True)
            numbers = np.frombuffer(centroid, "<f4").astype(np.float64)
            if not centroid or (len(numbers) <= MAX_DIMENSIONS and abs(numbers @ numbers - 1) < 0.01):
                return centroid
        except (ValueError, TypeError):
            pass
        self._wrong(f"{key}.centroid", "no unit vector", "what a reference that was learnt holds, or nothing")
        return b""

    def _shares(self, entry: dict[str, Any], key: str, edges: int) -> tuple[float, ...]:
        shares = self._numbers(entry, "shares", key)
        if len(shares) != edges + 1:
            self._wrong(f"{key}.shares", f"{len(shares)} shares", f"{edges + 1}, one more than edges")
        elif min(shares) < 0 or abs(sum(shares) - 1) > _SHARE_TOLERANCE:
            self._wrong(f"{key}.shares", "shares that are not shares", "numbers from 0 that add up to 1")
        return shares

    def _levels(self, entry: dict[str, Any], key: str) -> dict[str, float]:
        levels = entry.get("levels", {})
        if not isinstance(levels, dict) or len(levels) > MAX_BINS:
            self._wrong(f"{key}.levels", levels, f"an object with at most {MAX_BINS} levels")
            return {}
        read = {name: self._number(levels, name, f"{key}.levels.{name}", 0.0, 1.0) or 0.0 for name in levels}
        if sum(read.values()) > 1 + _SHARE_TOLERANCE:
            self._wrong(f"{key}.levels", "shares that add up to more than 1", "shares of all non-null rows")
        return read

    def _numbers(self, entry: dict[str, Any], name: str, key: str) -> tuple[float, ...]:
        values = entry.get(name, [])
        if not isinstance(values, list) or len(values) > MAX_BINS or not all(map(_is_number, values)):
            self._wrong(f"{key}.{name}", values, f"a list of at most {MAX_BINS} finite numbers")
            return ()
        return tuple(map(float, values))

    def _number(
        self, entry: dict[str, Any], name: str, key: str, low: float = -math.inf, high: float = math.inf,
        *, needed: bool = True, whole: bool = False,
    ) -> float | None:  # fmt: skip
        value: Any = entry.get(name)
        if value is None and not needed:
            return None
        if _is_number(value) and low <= value <= high and (not whole or value == int(value)):
            return float(value)
        kind = "a whole number" if whole else "a number"
        bounds = (
            f" from {low:g} to {high:g}" if math.isfinite(high) else f" from {low:g}" * math.isfinite(low)
        )
        self._wrong(key, value, kind + bounds)
        return None

    def _text(self, entry: dict[str, Any], name: str) -> str:
        value = entry.get(name, "")
        if not isinstance(value, str):
            self._wrong(name, value, "text")
            return ""
        return value

    def _wrong(self, key: str, found: Any, right: str) -> None:
        shown = found if isinstance(found, str) else json.dumps(found, default=str)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        self.problems.append(f"{self._where}: {key}: found {shown}; give {right}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
