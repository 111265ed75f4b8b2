"""Rows whose truth is known: streams in control, and what may happen to them. Seeded, no clock, no file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sidecar.batch import Batch, CleanColumn, State
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.drift_verdict import Verdict
from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnType, Reference
from sidecar.registry import Registry

Rows = np.ndarray

CHUNK = 4_992  # 78 micro-batches
DAY = 86_400.0
CYCLE = 20_000  # rows of a season's day
YEAR_OF_SECONDS = 365.25 * DAY
LEVELS = [f"l{i}" for i in range(10)]
ZIPF = 1 / np.arange(1, 11) / np.sum(1 / np.arange(1, 11))
DEVIATION = {"t3": np.sqrt(3.0), "lognormal": np.sqrt((np.e - 1) * np.e)}


@dataclass(slots=True)
class Piece:
    """Rows: numbers of shape (rows, columns), which of f0 are null, and levels of a category, if any."""

    numbers: Rows
    nulls: Rows | None = None
    levels: Rows | None = None


class Stream:
    """Rows of one kind, in control; autoregressive and seasonal kinds go on where they were."""

    def __init__(self, kind: str, columns: int, seed: int) -> None:
        self.kind = kind
        self.random = np.random.default_rng(seed)
        self.drawn = 0
        self._last = self.random.normal(size=columns)
        self._columns = columns

    def draw(self, rows: int) -> Piece:
        """The next rows."""
        shape, self.drawn = (rows, self._columns), self.drawn + rows
        if self.kind == "category":
            return Piece(self.random.normal(size=shape), levels=self.random.choice(10, rows, p=ZIPF))
        if self.kind == "t3":
            return Piece(self.random.standard_t(3, size=shape))
        if self.kind == "lognormal":
            return Piece(self.random.lognormal(size=shape))
        noise = self.random.normal(size=shape)
        if self.kind.startswith("ar"):
            return Piece(self._autoregress(noise, float(self.kind[2:])))
        if self.kind.startswith("season"):
            at = np.arange(self.drawn - rows, self.drawn) / CYCLE
            noise += 0.5 * np.sin(2 * np.pi * at)[:, None]
        if self.kind == "twins":  # f1 follows f0
            noise[:, 1] = 0.9 * noise[:, 0] + np.sqrt(1 - 0.9**2) * noise[:, 1]
        return Piece(noise)

    def _autoregress(self, noise: Rows, phi: float) -> Rows:
        noise *= np.sqrt(1 - phi**2)
        for at in range(len(noise)):
            self._last = noise[at] = phi * self._last + noise[at]
        return noise


def batch(piece: Piece, first_row: int = 0, outputs: int = 0) -> Batch:
    """A batch; the last `outputs` columns are outputs. Rows come at CYCLE a day."""
    numbers = piece.numbers
    columns = {}
    for i in range(numbers.shape[1]):
        states, values = np.zeros(len(numbers), dtype=np.uint8), numbers[:, i]
        if i == 0 and piece.nulls is not None:
            states[piece.nulls], values = State.NULL, np.where(piece.nulls, np.nan, values)
        columns[f"f{i}"] = CleanColumn(f"f{i}", ColumnType.NUMBER, states, numbers=values)
    if piece.levels is not None:
        found = [LEVELS[i] if i < 10 else "new" for i in piece.levels.tolist()]
        columns["c"] = CleanColumn(
            "c", ColumnType.CATEGORY, np.zeros(len(found), dtype=np.uint8), levels=found
        )
    answers = {n: columns.pop(n) for n in list(columns)[len(columns) - outputs :]} if outputs else {}
    first, last = (row / CYCLE * DAY for row in (first_row, first_row + len(numbers) - 1))
    return Batch("m", "1", len(numbers), first, last, columns, answers)


def reference(piece: Piece, outputs: int = 0) -> Reference:
    """The reference of these rows."""
    columns: dict[str, object] = {f"f{i}": piece.numbers[:, i] for i in range(piece.numbers.shape[1])}
    if piece.levels is not None:
        columns["c"] = [LEVELS[i] for i in piece.levels.tolist()]
    answers = {n: columns.pop(n) for n in list(columns)[len(columns) - outputs :]} if outputs else {}
    builder = ProfileBuilder()
    builder.add(len(piece.numbers), columns, answers)  # type: ignore[arg-type]
    return builder.reference()


def monitor(
    given: Reference, said: list[Verdict], *, slots: bool = False, seconds: float = YEAR_OF_SECONDS
) -> Drift:
    """The shipped monitor at offline pace; a batch is then a second of the budget."""
    settings = Settings(pace=OFFLINE, wall=float if slots else None)
    policies = Policies(default=ModelPolicy(drift_seconds_per_page=seconds))
    return Drift(Registry(), LearntReferences(default=given), policies, settings, said.append)


def in_pieces(stream: Stream, rows: int, chunk: int = CHUNK) -> "list[tuple[int, int]]":
    """(first row, rows) of chunks that make up the next rows of a stream."""
    return [(stream.drawn + at, min(chunk, rows - at)) for at in range(0, rows, chunk)]


Change = Callable[[Piece, np.random.Generator], Piece]


def shift(by: float, scale: float = 1.0, columns: int = 1, first: int = 0) -> Change:
    """Columns times `scale`, then moved."""

    def change(piece: Piece, _: np.random.Generator) -> Piece:
        own = slice(first, first + columns)
        piece.numbers[:, own] = piece.numbers[:, own] * scale + by
        return piece

    return change


def nulls(share: float) -> Change:
    """A share of f0 is null."""
    return lambda piece, random: Piece(piece.numbers, random.random(len(piece.numbers)) < share)


def ramp(to: float, rows: int) -> Change:
    """f0 moves to `to` within so many rows."""

    def change(piece: Piece, _: np.random.Generator) -> Piece:
        piece.numbers[:, 0] += to * np.minimum(np.arange(len(piece.numbers)) / rows, 1.0)
        return piece

    return change


def category(shares: Rows) -> Change:
    """Levels are drawn anew with these shares; an eleventh is a new level."""
    return lambda piece, random: Piece(
        piece.numbers, levels=random.choice(len(shares), len(piece.numbers), p=shares / shares.sum())
    )


def untwine(piece: Piece, random: np.random.Generator) -> Piece:
    """Of twins: each as it was, but no longer together."""
    piece.numbers[:, 1] = random.permutation(piece.numbers[:, 1])
    return piece


def more(level: int, by: float) -> Rows:
    """Zipf's shares with one level `by` more, the others less in proportion."""
    shares = ZIPF * (1 - by / (1 - ZIPF[level]))
    shares[level] = ZIPF[level] + by
    return shares


@dataclass(frozen=True, slots=True)
class Case:
    """A change and when it should be found: rows to the first verdict, or to a page; None for never."""

    name: str
    change: Change
    target: int | None
    kind: str = "normal"
    pages: bool = False
    rows: int = 10_000
    outputs: int = 0
    after_slots: bool = True
    note: str = ""


SWAPPED = ZIPF[[1, 0, *range(2, 10)]]
CASES = [
    Case("+.1 sd", shift(0.1), None, rows=10_000, note="below the gate: no target"),
    Case("+.25 sd", shift(0.25), 1_400),
    Case("+.5 sd", shift(0.5), 700),
    Case("+1 sd", shift(1.0), 200),
    Case("+2 sd", shift(2.0), 64),
    Case("sd x1.25", shift(0.0, 1.25), 1_200),
    Case("sd x1.5", shift(0.0, 1.5), 600),
    Case("sd x2", shift(0.0, 2.0), 320),
    Case("sd x.5", shift(0.0, 0.5), 600),
    Case("nulls 0 -> 1 %", nulls(0.01), 600),
    Case("nulls 0 -> 5 %", nulls(0.05), 192),
    Case("nulls 0 -> 20 %", nulls(0.2), 64),
    Case("constant", shift(0.3, 0.0), 64),
    Case("unit x1000", shift(0.0, 1000.0), 64),
    Case("category +10 pp", category(more(2, 0.1)), 1_000, "category"),
    Case("category +5 pp", category(more(2, 0.05)), 2_500, "category"),
    Case("new category 2 %", category(np.append(ZIPF * 0.98, 0.02)), 256, "category"),
    Case("top two swapped", category(SWAPPED), 900, "category"),
    Case("ramp to +.5 sd in 20,000", ramp(0.5, 20_000), 7_000, rows=20_000),
    Case("t3, +.5 sd", shift(0.5 * DEVIATION["t3"]), 600, "t3"),
    Case("lognormal, +.5 sd", shift(0.5 * DEVIATION["lognormal"]), 600, "lognormal"),
    Case("AR .5, +.5 sd", shift(0.5), 1_000, "ar.5"),
    Case("AR .9, +.5 sd", shift(0.5), 3_500, "ar.9"),
    Case("AR .9, +1 sd", shift(1.0), 1_000, "ar.9"),
    Case("season with slots, +.5 sd", shift(0.5), 750, "season"),
    Case("season with slots, +1 sd", shift(1.0), 256, "season"),
    Case("season on its second day, +1 sd", shift(1.0), 600, "season", after_slots=False),
    Case("season on its second day, +2 sd", shift(2.0), 64, "season", after_slots=False),
    Case("3 of 30, +.25 sd: page", shift(0.25, columns=3), 1_500, pages=True),
    Case("3 of 30, +.5 sd: page", shift(0.5, columns=3), 700, pages=True),
    Case("3 of 30, +1 sd: page", shift(1.0, columns=3), 200, pages=True),
    Case("a prediction, +.5 sd", shift(0.5, first=29), 700, outputs=1),
    Case("feature and prediction, +.5 sd: page", shift(0.5, first=28, columns=2), 700, outputs=1, pages=True),
    Case(
        "twins, both +.5 sd: page", shift(0.5, columns=2), None, "twins", pages=True, note="one cause: none"
    ),
    Case("twins no longer alike", untwine, None, "twins", note="marginals stay: not covered"),
]
