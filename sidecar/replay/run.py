"""The command: opens the recording, replays it, shows what was found as JSON or as tables.

Only what was asked for goes to stdout; remarks and the progress bar go to stderr.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sidecar.config import Settings
from sidecar.counting import counted
from sidecar.errors import UsageError
from sidecar.ingest.files import read_exchanges
from sidecar.observer.pipeline import load_references
from sidecar.policy import Policies
from sidecar.profiles.learn import LEARN_ROWS, LearntReferences
from sidecar.profiles.store import load
from sidecar.reference import Reference
from sidecar.replay.exchanges import ExchangeReplay
from sidecar.replay.files import Roles, absent_outputs, holds_exchanges, read_rows, timestamp_of
from sidecar.replay.findings import Findings, as_json
from sidecar.replay.labelled import LabelledRows
from sidecar.replay.quality import Found
from sidecar.replay.rows import RowReplay
from sidecar.replay.tables import show
from sidecar.replay.times import Clock

# What one row monitor takes a fraction of a second for, and the portion in which a file is read.
_READ_ROWS = 5_000
# Why no row could be judged by its label, and what would help.
_UNCLEAR = {
    "labels": "no row has a label in {!r}, so there is nothing to judge; give another --label",
    "predictions": "no prediction that has a label in {!r} is a value; give another --prediction",
    "classes": "predictions are fractions and the labels in {!r} texts, so nobody can tell which are right; "
    "name the class that a score is the probability of (quality.positive), or give another --label",
}


class Replayed(NamedTuple):
    """What a replay gives: `head` is the JSON object but for its chunks."""

    head: dict[str, Any]
    findings: Findings
    models: bool  # whether findings are of several models


def replay(
    data: str, settings: Settings, reference: str | None, model: str, roles: Roles, chunk_rows: int, form: str
) -> int:
    """Replay the file `data` and print what was found. Raises SidecarError.

    `reference` is a path that counts whatever the settings say of `model` ("": the settings' own model).
    """
    if holds_exchanges(data):
        if unused := _of_columns(roles):
            _say(f"{data} holds exchanges, which have no columns: {', '.join(unused)} says nothing here")
        done = _exchanges(data, settings, chunk_rows)
    else:
        name = model or settings.policies().model.name
        references = LearntReferences(default=load(reference)) if reference else _configured(settings)
        done = _rows(data, references, settings.policies(), name, roles, chunk_rows)
    if form == "json":
        for piece in as_json(done.head, done.findings.shown_chunks(models=done.models)):
            sys.stdout.write(piece)
    else:
        show(done.head, done.findings)
    return 0


def _of_columns(roles: Roles) -> list[str]:
    """The flags that were given and are about the columns of rows."""
    given = {"--prediction": roles.predictions, "--label": roles.label, "--timestamp": roles.timestamp}
    given["--segment"] = roles.segments
    return [flag for flag, value in given.items() if value]


def _configured(settings: Settings) -> LearntReferences:
    given, default = load_references(settings)
    return LearntReferences(given, default)


def _rows(
    data: str, references: LearntReferences, policies: Policies, model: str, roles: Roles, chunk_rows: int
) -> Replayed:
    reference = references.of(model)
    replaying = RowReplay(references, policies, model, chunk_rows, roles.segments)
    labelled = LabelledRows(policies.of(model), chunk_rows)
    seen: set[str] = set()
    names = ""
    clock = Clock()
    began = time.perf_counter()
    with _bar(data) as progress:
        for portion in read_rows(data, reference, roles, min(chunk_rows, _READ_ROWS), progress, clock):
            replaying.feed(portion.rows, portion.features, portion.outputs, portion.times, portion.segments)
            seen.update(portion.outputs)
            names = portion.names
            if portion.labels is not None:
                labelled.feed(portion.rows, portion.predictions, portion.labels)
    replaying.finish()
    labelled.finish()
    seconds = time.perf_counter() - began
    if not replaying.rows:
        raise UsageError(f"{data}: has no rows")
    if reference is not None and (absent := absent_outputs(reference, list(seen))):
        _say(f"{data} has no column {', '.join(absent)}: of the outputs these are not judged")
    if reference is None:
        _say(_learnt(replaying.learning))
    timestamp = timestamp_of(reference, roles)
    for remark in _of_times(data, timestamp, clock):
        _say(remark)
    head = _head(replaying.rows, seconds, references.of(model), replaying.findings.detections(models=False))
    head |= {"problems": _shown(replaying.problems), "timestamp": timestamp if clock.known else None}
    if roles.label:
        if not labelled.chunks:
            _say(f"there is no prediction to compare the labels with; give --prediction: {data} has {names}")
        elif labelled.unclear:
            _say(f"{_UNCLEAR[labelled.unclear].format(roles.label)}: {data} has {names}")
        head |= {"quality": labelled.chunks, "quality_changes": labelled.changes}
    return Replayed(head, replaying.findings, models=False)


def _shown(problems: list[Found], *, models: bool = False) -> list[dict[str, Any]]:
    return [problem.shown(models=models) for problem in problems]


def _of_times(data: str, timestamp: str, clock: Clock) -> Iterator[str]:
    """What somebody should know of the rows' times, a sentence each."""
    unknown = "hours of the day are unknown, so a daily rhythm may count as drift"
    if not timestamp:
        yield f"no --timestamp was given: {unknown}"
    elif not clock.rows:
        yield f"{data} has no column {timestamp!r}, the reference's timestamp: {unknown}"
    elif not clock.known:
        yield f"no value of {timestamp} says a time (ISO 8601, or a number since 1970): {unknown}"
    elif clock.unread:
        says, rows = f"value of {timestamp} says no time: its row counts", "their rows count"
        says = counted(clock.unread, says, f"values of {timestamp} say no time: {rows}")
        yield f"{says} as of the time before"
    if clock.back:
        older = "more than an hour older than one before"
        back = counted(clock.back, f"row is {older} it and counts", f"rows are {older} them and count")
        yield (f"{back} as of the latest time so far; live rows come in order: sort the file by {timestamp}")


def _exchanges(data: str, settings: Settings, chunk_rows: int) -> Replayed:
    replaying = ExchangeReplay(settings, chunk_rows)
    began = time.perf_counter()
    for exchange in read_exchanges(data):
        replaying.feed(exchange)
    replaying.finish()
    seconds = time.perf_counter() - began
    for model, rows in replaying.learning.items():
        _say(f"{model}: {_learnt(rows)}")
    if replaying.undecoded:
        _say(f"{replaying.undecoded} of {counted(replaying.exchanges, 'exchange')} could not be read")
    head = _head(replaying.rows, seconds, None, replaying.findings.detections(models=True))
    head |= {"problems": _shown(replaying.problems, models=True)}
    head |= {"exchanges": replaying.exchanges, "undecoded": replaying.undecoded}
    return Replayed(head, replaying.findings, models=True)


def _head(
    rows: int, seconds: float, reference: Reference | None, detections: list[dict[str, Any]]
) -> dict[str, Any]:
    head: dict[str, Any] = {"rows": rows, "seconds": round(seconds, 6)}
    if reference is not None:
        said = {"profile": reference.profile, "source": reference.source, "rows": reference.rows}
        head["reference"] = said
    return {**head, "detections": detections}


def _learnt(learning: int) -> str:
    if learning:
        rows = counted(learning, "row is", "rows are")
        return f"no reference, and {rows} too few to learn one ({LEARN_ROWS}): nothing was judged"
    return f"no reference was given: the first {LEARN_ROWS} rows are it, right or wrong; the rest was judged"


def _say(remark: str) -> None:
    print(remark, file=sys.stderr)


@contextlib.contextmanager
def _bar(data: str) -> Iterator[Callable[[int, int], None] | None]:
    """On a terminal a bar, which leaves no trace."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = TextColumn("replaying {task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(data, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
