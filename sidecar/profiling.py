"""`sidecar profile`: reads a data set, writes the reference, shows people what it found.

With "-" the reference goes to stdout and everything for people to stderr, so that it can be piped.
"""

import json
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from sidecar.counting import counted
from sidecar.errors import UsageError
from sidecar.names import clean
from sidecar.profiles.read import build_profile
from sidecar.profiles.store import save, to_json
from sidecar.reference import ColumnProfile, Reference


def profile(
    data: str, output: str, prediction: Sequence[str], label: str | None, timestamp: str | None
) -> int:
    """Build a reference from the file `data` and write it to `output`. Raises SidecarError."""
    console = Console(stderr=output == "-", highlight=False, markup=False)
    reference = _build(data, list(prediction), label, timestamp)
    if output == "-":
        json.dump(to_json(reference), sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        _save(reference, output)
    console.print(_table("feature", reference.features))
    if reference.outputs:
        console.print(_table("output", reference.outputs))
    wrote = "" if output == "-" else f"wrote {output}, "
    console.print(f"{counted(reference.rows, 'row')}; {wrote}bins {reference.profile}")
    return 0


def _save(reference: Reference, output: str) -> None:
    try:
        save(reference, output)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{output}: cannot be written: {reason}") from error


def _build(data: str, prediction: list[str], label: str | None, timestamp: str | None) -> Reference:
    """On a terminal with a bar, which leaves no trace."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return build_profile(data, prediction, label, timestamp, None)
    columns = TextColumn("reading {task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(data, total=None)
        return build_profile(
            data,
            prediction,
            label,
            timestamp,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def _table(kind: str, columns: Mapping[str, ColumnProfile]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in (kind, "type", "null", "required", "values"):
        table.add_column(title, justify="right" if title == "null" else "left")
    for column in columns.values():
        required = "yes" if column.required else "no"
        cells = clean(column.name), column.type, f"{column.null_ratio:.2%}", required, _values(column)
        table.add_row(*(Text(cell) for cell in cells))  # Text: nothing of the data is taken for markup
    return table


def _values(column: ColumnProfile) -> str:
    """Range or most frequent levels, in a few words."""
    if column.min is not None and column.max is not None:
        return f"{column.min:g} to {column.max:g}"
    frequent = sorted(column.levels, key=lambda level: -column.levels[level])
    return ", ".join(clean(level) for level in frequent[:4]) + (
        f" and {len(frequent) - 4} more" if len(frequent) > 4 else ""
    )
