"""What a replay found: verdicts as they were raised, and how far each stretch of rows is from the reference.

Hears the drift monitor; judges nothing itself. Memory is five numbers a column and chunk, so that a file of
any length can be replayed. The trap: verdicts count the rows they judged, and the rows a reference was learnt
from are not among them; here a row is always one of the recording.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Judge
from sidecar.monitors.drift_layout import Counts, DriftLayout
from sidecar.monitors.drift_scores import distances, kolmogorov_smirnov
from sidecar.monitors.drift_verdict import Verdict
from sidecar.reference import Reference, References

SCORES = ("psi", "js", "tv", "ks", "null_ratio")
# Scores rest on some thousand rows: a seventh digit is noise.
_DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive rows of one model: `scores` has shape (columns of the layout, SCORES)."""

    model: str
    row: int
    rows: int
    layout: DriftLayout
    scores: npt.NDArray[np.float32]


@dataclass(slots=True, eq=False)
class _Open:
    judge: Judge
    row: int
    counts: Counts
    rows: int = 0


@dataclass(slots=True)
class Findings:
    """Collects from a drift monitor. A chunk holds at least `chunk_rows`; feed no more to have it exact."""

    references: References
    chunk_rows: int
    verdicts: list[Verdict] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    _open: dict[str, _Open] = field(default_factory=dict)

    def listen(self, drift: Drift) -> None:
        """Hear everything that this monitor finds."""
        drift.on_verdict = self.verdicts.append
        drift.on_counts = self._counted

    def close(self) -> None:
        """The recording is over: what is left is a chunk too."""
        for model in list(self._open):
            self._close(model)

    def row(self, verdict: Verdict) -> int:
        """The 0-based row of the recording (of its model's rows) at which a verdict was raised."""
        return verdict.row + _learnt_from(self.references.of(verdict.model))

    def detections(self, *, models: bool) -> list[dict[str, Any]]:
        """Every verdict, in the order it was raised; with its model where there are several."""
        # Rows are judged within segments after all of a portion are judged together.
        verdicts = self.verdicts if models else sorted(self.verdicts, key=lambda verdict: verdict.row)
        return [self._detection(verdict, models) for verdict in verdicts]

    def shown_chunks(self, *, models: bool) -> Iterator[dict[str, Any]]:
        """Every chunk, as JSON has it."""
        for chunk in self.chunks:
            shown: dict[str, Any] = {"row": chunk.row, "n": chunk.rows, "feature": {}, "output": {}}
            if models:
                shown["model"] = chunk.model
            for column, scores in zip(chunk.layout.columns, chunk.scores.tolist(), strict=True):
                shown[column.kind][column.name] = dict(zip(SCORES, map(_short, scores), strict=True))
            yield shown

    def _detection(self, verdict: Verdict, models: bool) -> dict[str, Any]:
        detection = {
            "row": self.row(verdict),
            "kind": verdict.kind,
            "name": verdict.name,
            "level": verdict.level.value,
            "signal": verdict.signal,
            "score": _short(verdict.score),
        }
        if verdict.segment:
            detection |= {"segment": verdict.segment, "value": verdict.value}
        return {**detection, "model": verdict.model} if models else detection

    def _counted(self, model: str, judge: Judge, counts: Counts, rows: int) -> None:
        chunk = self._open.get(model)
        if chunk is None or chunk.judge is not judge:
            self._close(model)
            before = chunk.row + chunk.rows if chunk else _learnt_from(judge.reference)
            chunk = self._open[model] = _Open(judge, before, np.zeros_like(counts))
        chunk.counts += counts
        chunk.rows += rows
        if chunk.rows >= self.chunk_rows:
            self._close(model)
            self._open[model] = _Open(judge, chunk.row + chunk.rows, np.zeros_like(counts))

    def _close(self, model: str) -> None:
        chunk = self._open.pop(model, None)
        if chunk is not None and chunk.rows:
            layout = chunk.judge.layout
            self.chunks.append(Chunk(model, chunk.row, chunk.rows, layout, _scores(layout, chunk.counts)))


def as_json(head: dict[str, Any], chunks: Iterator[dict[str, Any]]) -> Iterator[str]:
    """One object in pieces: `head` and, under `chunks`, one chunk a line."""
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "chunks": ['
    before = "\n"
    for chunk in chunks:
        yield before + json.dumps(chunk, ensure_ascii=False)
        before = ",\n"
    yield "]}\n"


def _learnt_from(reference: Reference | None) -> int:
    """How many rows of the recording a reference was learnt from: none when it was given."""
    return reference.rows if reference is not None and reference.source == "learnt" else 0


def _scores(layout: DriftLayout, counts: Counts) -> npt.NDArray[np.float32]:
    far = distances(layout, counts)
    rows = np.add.reduceat(counts, layout.starts) if layout.columns else np.empty(0)
    nulls = counts[[column.start + column.binning.null for column in layout.columns]]
    ks = kolmogorov_smirnov(layout, counts)
    return np.column_stack([far.psi, far.js, far.tv, ks, nulls / np.maximum(rows, 1)]).astype(np.float32)


def _short(value: float) -> float | None:
    """A score as JSON can hold it."""
    return round(value, _DIGITS) if math.isfinite(value) else None
