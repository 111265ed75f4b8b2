"""Data quality monitors on rows in control and on breakage: false alarms, delays, microseconds a row.

Seeded, no network. `python benchmarks/data_quality.py [--rows N]` prints the tables of docs/data-quality.md.
Times are processor time.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sidecar.batch import Batch, CleanColumn, State
from sidecar.monitors.out_of_distribution import OutOfDistribution
from sidecar.monitors.quality import DataQuality
from sidecar.monitors.quality_problems import Problems
from sidecar.profiles.build import ProfileBuilder
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnType, Reference
from sidecar.registry import Registry

FEATURES = 30
REFERENCE_ROWS = 5_000  # as many as are learnt from traffic
LEVELS = np.array([f"level {i}" for i in range(12)])
_SHARES = np.array([0.4, 0.2, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.006, 0.004])

Rows = np.ndarray
Draw = Callable[[np.random.Generator, int], Rows]


def _autoregressive(rng: np.random.Generator, rows: int) -> Rows:
    noise = rng.normal(size=(rows, FEATURES)) * np.sqrt(1 - 0.9**2)
    for at in range(1, rows):
        noise[at] += 0.9 * noise[at - 1]
    return noise


NUMBERS: dict[str, Draw] = {
    "normal": lambda rng, rows: rng.normal(size=(rows, FEATURES)),
    "lognormal": lambda rng, rows: rng.lognormal(size=(rows, FEATURES)),
    "t3": lambda rng, rows: rng.standard_t(3, size=(rows, FEATURES)),
    "AR(.9)": _autoregressive,
    "0 or 1, 20 %": lambda rng, rows: (rng.random((rows, FEATURES)) < 0.2).astype(float),
    "5 % null": lambda rng, rows: np.where(
        rng.random((rows, FEATURES)) < 0.05, np.nan, rng.normal(size=(rows, FEATURES))
    ),
}


def categories(rng: np.random.Generator, rows: int) -> Rows:
    """Levels of unequal frequency."""
    return LEVELS[np.searchsorted(np.cumsum(_SHARES), rng.random((rows, FEATURES)))]


def batches(rows: Rows, size: int) -> Iterator[Batch]:
    """The rows as `Rows` hands them on."""
    for at in range(0, len(rows) - size + 1, size):
        part = rows[at : at + size]
        columns = {f"f{i}": _column(f"f{i}", part[:, i]) for i in range(rows.shape[1])}
        yield Batch("m", "1", size, at * 0.01, (at + size - 1) * 0.01, columns, complete=size)


def _column(name: str, values: Rows) -> CleanColumn:
    if values.dtype.kind != "f":
        return CleanColumn(name, ColumnType.CATEGORY, np.zeros(len(values), np.uint8), levels=values.tolist())
    states = np.where(np.isnan(values), State.NULL, State.VALID).astype(np.uint8)
    return CleanColumn(name, ColumnType.NUMBER, states, numbers=np.ascontiguousarray(values))


def reference(rows: Rows) -> Reference:
    """The reference of features f0, f1 …"""
    builder = ProfileBuilder()
    builder.add(len(rows), {f"f{i}": rows[:, i] for i in range(rows.shape[1])})
    return builder.reference()


class Watch:
    """The monitors over one reference."""

    def __init__(self, given: Reference) -> None:
        references = LearntReferences(default=given)
        self.registry = Registry()
        self.problems = Problems(self.registry)
        self.quality = DataQuality(self.registry, references, self.problems)
        self.odd = OutOfDistribution(self.registry, references)
        self.seconds = self.odd_seconds = 0.0
        self.rows = 0

    def fold(self, batch: Batch) -> None:
        """Both monitors, timed."""
        start = time.process_time()
        self.quality.fold(batch)
        middle = time.process_time()
        self.odd.fold(batch)
        self.seconds += middle - start
        self.odd_seconds += time.process_time() - middle
        self.rows += batch.rows

    @property
    def begun(self) -> float:
        """How many problems began."""
        rows = self.registry.value("inference_row_problem")
        return self.registry.value("inference_feature_problems_total") + rows


def in_control(name: str, draw: Draw, rows: int, size: int, seed: int) -> None:
    """False alarms, odd rows and cost of one kind of rows."""
    rng = np.random.default_rng(seed)
    watch = Watch(reference(draw(rng, REFERENCE_ROWS)))
    at_a_time = 51_200
    for _ in range(max(rows // at_a_time, 1)):
        for batch in batches(draw(rng, at_a_time), size):
            watch.fold(batch)
    odd = watch.registry.value("inference_out_of_distribution_rows_total") / watch.rows
    print(
        f"| {name} | {size} | {watch.rows:,} | {watch.begun:.0f} | {odd:.4%} "
        f"| {watch.seconds / watch.rows * 1e6:.2f} | {watch.odd_seconds / watch.rows * 1e6:.2f} |"
    )


def _set(rows: Rows, value: float) -> None:
    rows[:, 3] = value


def _scale(rows: Rows, factor: float, offset: float = 0.0) -> None:
    rows[:, 3] = rows[:, 3] * factor + offset


def _nulls(rows: Rows, share: float) -> None:
    rows[: int(len(rows) * share), 3] = np.nan
    np.random.default_rng(1).shuffle(rows[:, 3])


BREAKS: dict[str, Callable[[Rows], None]] = {
    "constant": lambda rows: _set(rows, 7.25),
    "nulls 0 -> 20 %": lambda rows: _nulls(rows, 0.2),
    "nulls 0 -> 5 %": lambda rows: _nulls(rows, 0.05),
    "x 1,000": lambda rows: _scale(rows, 1_000),
    "x 0.001": lambda rows: _scale(rows, 0.001),
    "Celsius -> Fahrenheit": lambda rows: _scale(rows, 1.8, 32),
}


def broken(kind: str, size: int, runs: int = 50) -> None:
    """Rows until the first problem, by kind of breakage."""
    for name, spoil in BREAKS.items():
        delays: list[int] = []
        words = ""
        for seed in range(runs):
            rng = np.random.default_rng(1_000 + seed)
            watch = Watch(reference(NUMBERS[kind](rng, REFERENCE_ROWS)))
            rows = NUMBERS[kind](rng, 2_560)
            spoil(rows)
            for at, batch in enumerate(batches(rows, size)):
                watch.fold(batch)
                if found := list(watch.problems.standing()):
                    delays.append((at + 1) * size)
                    words = f"{found[0].problem}: {found[0].text}"
                    break
        median = np.median(delays) if delays else float("nan")
        worst = max(delays, default=0)
        print(f"| {name} | {kind} | {size} | {len(delays)}/{runs} | {median:.0f} | {worst} | {words} |")


def odd_rows(kind: str, deviations: float) -> None:
    """The share of rows found when one number of each is so many deviations out."""
    rng = np.random.default_rng(7)
    watch = Watch(reference(NUMBERS[kind](rng, REFERENCE_ROWS)))
    rows = NUMBERS[kind](rng, 51_200)
    rows[np.arange(len(rows)), rng.integers(0, FEATURES, len(rows))] = deviations
    for batch in batches(rows, 256):
        watch.fold(batch)
    found = watch.registry.value("inference_out_of_distribution_rows_total") / watch.rows
    print(f"| one of {FEATURES} numbers {deviations:g} deviations out | {kind} | {found:.1%} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in control, of each kind")
    parser.add_argument("--runs", type=int, default=50, help="runs of each kind of breakage")
    options = parser.parse_args()
    logging.disable()
    print(
        f"| in control, {FEATURES} features | batch | rows | problems | odd rows | us a row | us, odd rows |"
    )
    print("|---|---|---|---|---|---|---|")
    for seed, (name, draw) in enumerate(NUMBERS.items()):
        in_control(name, draw, options.rows, 256, seed)
    in_control("normal", NUMBERS["normal"], options.rows // 4, 64, 20)
    in_control("AR(.9)", NUMBERS["AR(.9)"], options.rows // 4, 64, 21)
    in_control("categories", categories, options.rows, 256, 22)
    print(
        "\n| breakage | rows | batch | found | median rows | at most | said |\n|---|---|---|---|---|---|---|"
    )
    for kind in ("normal", "lognormal"):
        for size in (64, 256):
            broken(kind, size, options.runs)
    print("\n| odd rows | rows | found |\n|---|---|---|")
    for deviations in (5.0, 6.0, 8.0):
        odd_rows("normal", deviations)


if __name__ == "__main__":
    main()
