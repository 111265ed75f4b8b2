"""Streams of rows for drift tests: a reference, and batches of it, without any file or clock."""

from collections.abc import Callable, Sequence

import numpy as np

from sidecar.batch import Batch, CleanColumn, State
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.policy import ModelPolicy, Policies
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnType, Reference
from sidecar.registry import Registry

Rows = np.ndarray

# How to draw rows: shape (rows, columns) from a seeded generator.
KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Rows]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "t3": lambda rng, shape: rng.standard_t(3, size=shape),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
}


def draw(kind: str, rows: int, columns: int, seed: int) -> Rows:
    """Rows in control."""
    return KINDS[kind](np.random.default_rng(seed), (rows, columns))


def reference(rows: Rows) -> Reference:
    """The reference of numeric features f0, f1 …"""
    builder = ProfileBuilder()
    builder.add(len(rows), {f"f{i}": rows[:, i] for i in range(rows.shape[1])})
    return builder.reference()


def column(name: str, values: Rows, nulls: Rows | None = None) -> CleanColumn:
    """A cleaned numeric column; NaN and infinity are given their states, `nulls` are null."""
    states = np.zeros(len(values), dtype=np.uint8)
    states[np.isnan(values)] = State.NAN
    states[np.isinf(values)] = State.INF
    if nulls is not None:
        states[nulls] = State.NULL
    return CleanColumn(name, ColumnType.NUMBER, states, numbers=np.where(states == 0, values, np.nan))


def levels(name: str, values: Sequence[str | None]) -> CleanColumn:
    """A cleaned categorical column."""
    states = np.array([State.NULL if v is None else State.VALID for v in values], dtype=np.uint8)
    return CleanColumn(name, ColumnType.CATEGORY, states, levels=list(values))


def batch(rows: Rows, at: float = 0.0, until: float | None = None, **changed: CleanColumn) -> Batch:
    """A batch of features f0, f1 …, some of them replaced."""
    features = {f"f{i}": column(f"f{i}", rows[:, i]) for i in range(rows.shape[1])} | changed
    return Batch("m", "1", len(rows), at, at if until is None else until, features)


OFFLINE_SETTINGS = Settings(pace=OFFLINE)


class Watch:
    """A drift monitor over one reference, and what it said. Offline: 64 rows are a micro-batch."""

    def __init__(self, given: Reference, *, page: bool = True, settings: Settings = OFFLINE_SETTINGS) -> None:
        self.registry = Registry()
        self.said: list[Verdict] = []
        policies = Policies(default=ModelPolicy(drift_page=page))
        self.monitor = Drift(
            self.registry, LearntReferences(default=given), policies, settings, self.said.append
        )

    def levels(self, since: int = 0) -> list[Level]:
        """The levels of what was said from a row on."""
        return [verdict.level for verdict in self.said if verdict.row >= since]

    def first(self, *levels: Level) -> Verdict:
        """The first verdict of one of these levels."""
        return next(verdict for verdict in self.said if verdict.level in levels)


LOUD = (Level.TICKET, Level.PAGE)
