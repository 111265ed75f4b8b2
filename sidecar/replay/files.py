"""Recorded rows of a file, divided into what a model was asked and what it answered.

Says which column is what, by the reference or, without one, by what the user says; reads nothing itself
(`profiles.read` does). The trap: a file holds columns that are neither feature nor output (ids, labels, the
truth); with a reference only its own columns count, without one all that are not named otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from sidecar.errors import UsageError
from sidecar.profiles.read import Columns, Progress, first_line, one_role_each, read_columns
from sidecar.profiles.vectors import described
from sidecar.reference import Reference
from sidecar.replay.times import Clock
from sidecar.texts import sent

NOTHING: Columns = {}


class Portion(NamedTuple):
    """Some rows of a file, as `RowReplay.feed` takes them."""

    rows: int
    features: Columns
    outputs: Columns
    times: Sequence[float] | None
    predictions: Columns = NOTHING
    """What is compared with the labels: the outputs, or the columns that were named."""
    labels: Sequence[Any] | None = None
    names: str = ""
    """The columns of the file, as a sentence has them."""
    segments: Columns = NOTHING
    """What the rows are divided by, features or not."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column is what. `partial`: columns of the reference that the file lacks are no mistake."""

    predictions: Sequence[str] = ()
    label: str | None = None
    timestamp: str | None = None
    partial: bool = False
    segments: Sequence[str] = ()


def read_rows(
    path: str | Path,
    reference: Reference | None,
    roles: Roles,
    chunk_rows: int,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Iterator[Portion]:
    """Yield a file's rows in portions. Raises UsageError, one sentence, also when a column is missing.

    `clock` reads the times, and can say afterwards how well it could.
    """
    one_role_each(roles.predictions, roles.label, roles.timestamp)
    clock = clock or Clock()
    timestamp, timed = timestamp_of(reference, roles), False
    for at, (rows, columns) in enumerate(read_columns(path, chunk_rows=chunk_rows, progress=progress)):
        if at == 0:
            _check(path, columns, reference, roles)
        features = {n: columns[n] for n in _features(columns, reference, roles) if n in columns}
        outputs = _outputs(columns, reference) if reference else _named(roles.predictions, columns)
        timed = timed or timestamp in columns
        times = clock.times(columns.get(timestamp) or [None] * rows) if timed else None
        predictions = _named(roles.predictions, columns) or outputs
        labels = columns.get(roles.label) if roles.label else None
        segments = _named(roles.segments, columns)
        yield Portion(rows, features, outputs, times, predictions, labels, _some(columns), segments)


def timestamp_of(reference: Reference | None, roles: Roles) -> str:
    """The column that says when a row was; "" if none is known to."""
    return roles.timestamp or (reference.timestamp if reference else "")


def holds_exchanges(path: str | Path) -> bool:
    """Whether a file's first line is a recorded exchange, and no row. Raises UsageError."""
    line = first_line(path)
    if line is None:
        return False
    try:
        found = orjson.loads(line)
    except ValueError:
        return False
    # A row may well have a column named target, but no model is asked under its value.
    target = found.get("target") if isinstance(found, dict) else None
    return isinstance(target, str) and target.startswith(("/", "http://", "https://"))


def absent_outputs(reference: Reference, seen: Sequence[str]) -> list[str]:
    """Outputs of the reference that the recording does not have."""
    return [name for name in reference.outputs if name not in seen]


def _features(columns: Columns, reference: Reference | None, roles: Roles) -> list[str]:
    if reference is not None:
        return list(reference.features)
    others = {*roles.predictions, *roles.segments, roles.label, roles.timestamp}
    return [name for name in columns if name not in others]


def _named(names: Iterable[str], columns: Columns) -> Columns:
    return {name: columns[name] for name in names if name in columns}


def _outputs(columns: Columns, reference: Reference) -> Columns:
    """The reference's outputs, of columns of embeddings the numbers that stand for them."""
    found: Columns = {}
    for name, values in columns.items():
        numbers = described(name, values, reference.outputs)
        found |= {n: column.tolist() for n, column in numbers.items() if n in reference.outputs}
    return found | _named(reference.outputs, columns)


def _check(path: str | Path, columns: Columns, reference: Reference | None, roles: Roles) -> None:
    named = [name for name in (roles.label, roles.timestamp, *roles.segments) if name]
    if reference is None:
        named += roles.predictions
    for name in named:
        if name not in columns:
            raise UsageError(f"{path}: has no column {name!r}; it has {_some(columns)}")
    if reference is None:
        return
    missing = [name for name in sent(reference.features) if name not in columns]
    known = {*reference.features, *reference.outputs}
    if not known & columns.keys():
        raise UsageError(f"{path}: has no column of the reference; it has {_some(columns)}")
    if missing and not roles.partial:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UsageError(
            f"{path}: has no column {missing[0]!r}{more}, which the reference has as a feature; "
            "give --partial to judge those that are there"
        )


def _some(columns: Columns) -> str:
    names = sorted(columns)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
