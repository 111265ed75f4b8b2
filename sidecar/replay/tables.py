"""What a replay found, for people: the verdicts, and the largest distances of each column."""

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidecar.catalog_labels import RATIOS, VALUES
from sidecar.counting import counted
from sidecar.names import clean
from sidecar.replay.findings import SCORES, Findings

# More lines than this help nobody; the JSON has them all.
MAX_LINES = 200


def show(head: dict[str, Any], findings: Findings) -> None:
    """Print to stdout."""
    console = Console(highlight=False, markup=False)
    loud = [d for d in head["detections"] if d["level"] != "event"]
    if loud:
        console.print(_detections(loud[:MAX_LINES]))
    if head["problems"]:
        console.print(_problems(head["problems"][:MAX_LINES]))
    if findings.chunks:
        console.print(_distances(findings))
    if head.get("quality"):
        console.print(_quality(head["quality"][:MAX_LINES]))
    for change in head.get("quality_changes", ()):
        what = "fell" if change["fell"] else "is back"
        console.print(
            f"row {change['row']}: quality {what}, error {change['error_before']} to {change['error_now']}"
        )
    rate = head["rows"] / max(head["seconds"], 1e-9)
    said = (
        counted(len(loud), loud[0]["level"], "tickets and pages") if loud else "no ticket, no page",
        counted(len(head["detections"]) - len(loud), "event"),
        f"{counted(len(head['problems']), 'problem') if head['problems'] else 'no problem'} with the data",
    )
    rows = counted(head["rows"], "row")
    console.print(f"{rows} in {head['seconds']:.2f} s ({rate:,.0f} rows/s):", *said, sep="\n  ")


def _detections(detections: list[dict[str, Any]]) -> Table:
    divided = any("segment" in found for found in detections)
    titles = ("row", "level", "kind", "name", "signal", "score", *(["where"] if divided else []))
    table = _table(titles, right={"row", "score"})
    for found in detections:
        score = "" if found["score"] is None else f"{found['score']:+.3f}"
        cells = (str(found["row"]), found["level"], found["kind"], found["name"], found["signal"], score)
        where = f"{found['segment']} = {found['value']}" if "segment" in found else ""
        table.add_row(*(Text(clean(cell)) for cell in (*cells, *([where] if divided else []))))
    return table


def _quality(chunks: list[dict[str, Any]]) -> Table:
    metrics = [m for m in (*RATIOS, *VALUES) if any(m in chunk for chunk in chunks)]
    table = _table(("at row", "labelled", "task", *metrics), right={"at row", "labelled", *metrics})
    for chunk in chunks:
        figures = (f"{chunk[metric]:.4g}" if metric in chunk else "" for metric in metrics)
        table.add_row(str(chunk["row"]), str(chunk["labelled"]), chunk["task"], *figures)
    return table


def _problems(problems: list[dict[str, Any]]) -> Table:
    table = _table(("row", "until", "feature", "problem", "in words"), right={"row", "until"})
    for found in problems:
        until = "" if found["until"] is None else str(found["until"])
        cells = (str(found["row"]), until, found["feature"] or "(rows)", found["problem"], found["text"])
        table.add_row(*(Text(clean(cell)) for cell in cells))
    return table


def _distances(findings: Findings) -> Table:
    """The largest score of each column over all chunks, and where its PSI was."""
    table = _table(("largest", "kind", *SCORES, "at row"), right={*SCORES, "at row"})
    lines: dict[tuple[str, str, str], list[tuple[int, list[float]]]] = {}
    for chunk in findings.chunks:
        for column, scores in zip(chunk.layout.columns, chunk.scores.tolist(), strict=True):
            lines.setdefault((chunk.model, column.kind, column.name), []).append((chunk.row, scores))
    for (_, kind, name), of_chunks in list(lines.items())[:MAX_LINES]:
        scores = np.array([s for _, s in of_chunks])
        largest = [_figure(column) for column in scores.T]
        row = of_chunks[int(np.argmax(scores[:, 0]))][0]
        table.add_row(*(Text(cell) for cell in (name, kind, *largest, str(row))))
    return table


def _figure(values: Any) -> str:
    known = values[np.isfinite(values)]
    # z: a PSI freed of its bias may be just below zero, which is 0.000 and not -0.000.
    return f"{float(known.max()):z.3f}" if len(known) else ""


def _table(titles: tuple[str, ...], right: set[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left")
    return table
