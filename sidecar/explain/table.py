"""Explanations for a person's eyes: a block of text for each exchange, tables where there are columns.

Control characters of a payload never reach the terminal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

# A screen full; the rest is counted. --format json has all of them.
_COLUMNS_SHOWN = 20
_FROM = {
    "configuration": " (from the configuration)",
    "route": " (inferred: the only one that this route answered with in the last hour)",
}


def show(console: Console, number: int, said: Mapping[str, Any]) -> None:
    """Print one explanation."""
    head = f"{number}. {said['method']} {said['target']}"
    status = said.get("status")
    head = _plain(f"{head} → {status if status is not None else 'no answer'}")
    console.print(Text(head, style="bold"), soft_wrap=True)
    if not said["inference"]:
        _line(console, "not inference", f"counted as {said['kind']}")
    else:
        _inference(console, said)
    for sentence in said["advice"]:
        _line(console, "advice", sentence, "yellow")
    console.print()


def _inference(console: Console, said: Mapping[str, Any]) -> None:
    _line(console, "decoder", f"{said['protocol']}, {said['operation']}")
    _line(console, "because", said["evidence"])
    _line(console, "model", _model(said["model"]))
    if said["request_id"]:
        _line(console, "id", said["request_id"])
    _line(console, "rows", str(said["rows"]))
    _columns(console, "feature", said["features"])
    _columns(console, "output", said["outputs"])
    generation = said.get("generation")
    if generation:
        text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in generation.items())
        _line(console, "generated", text)
    if said["error"]:
        _line(console, "error", f"{said['error']} (inside a successful answer)", "red")
    for problem in said["problems"]:
        _line(console, "problem", problem, "red")
    if said["undecoded"]:
        _line(console, "counted", f'sidecar_exchanges_undecoded_total{{reason="{said["undecoded"]}"}}', "red")


def _model(model: Mapping[str, Any]) -> str:
    """Name and version, each with where it is from if the traffic does not say it."""
    name, version = model["name"] or "not named", model["version"] or "not said"
    by_name, by_version = (_FROM.get(model.get(key) or "", "") for key in ("name_from", "version_from"))
    if by_name == by_version:
        return f"{name}, version {version}{by_name}"
    return f"{name}{by_name}, version {version}{by_version}"


def _columns(console: Console, what: str, columns: Mapping[str, Sequence[Any]] | Sequence[str]) -> None:
    """A table of columns and samples; without samples (`--recent`) a list of names."""
    if not columns:
        _line(console, f"{what}s", "none")
        return
    if not isinstance(columns, Mapping):
        _line(console, f"{what}s", ", ".join(columns))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(f"{what} ({len(columns)})", style="cyan", overflow="fold")
    table.add_column("first values", overflow="fold")
    for name, sample in list(columns.items())[:_COLUMNS_SHOWN]:
        table.add_row(Text(_plain(name)), Text(_plain(", ".join(map(_value, sample)))))
    if len(columns) > _COLUMNS_SHOWN:
        table.add_row(Text(f"… and {len(columns) - _COLUMNS_SHOWN} more"), Text(""))
    console.print(Padding(table, (0, 0, 0, 2)))


def _line(console: Console, what: str, text: str, style: str = "") -> None:
    line = Text(f"  {what:<14}", style="dim")
    console.print(line.append(_plain(text), style=style or "default"), soft_wrap=True)


def _value(value: Any) -> str:
    return "null" if value is None else repr(value) if isinstance(value, str) else str(value)


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
