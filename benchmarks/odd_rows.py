"""Single odd rows: what river's HalfSpaceTrees would add to the bounds that count them now.

    nice .venv/bin/python -m benchmarks.odd_rows [--rows 20000] [--seed 9200] [--only PART_OF_A_NAME]

Rows in control of which one in fifty is spoilt; the share of the spoilt that is found, by the shipped bounds,
by river's half-space trees and its LODA (as an observer would feed them) and, to show whether the rows could
be found at all, by Mahalanobis distance over normal scores. All but the bounds may flag one row in 1,000 in
control: the threshold is their own 99.9 % quantile of as many rows, which is kinder than anything that can be
known beforehand. The trap: positions in the reference are uniform, so what is past the end is at the end;
hence two scalings. Seeded, no file. Results and the machine: docs/drift.md.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from river.anomaly import LODA, HalfSpaceTrees

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drift_joint import JointStream
from benchmarks.drift_streams import Piece, batch, reference
from sidecar.monitors.out_of_distribution import OutOfDistribution
from sidecar.profiles.learn import LearntReferences
from sidecar.reference import ColumnProfile, Reference
from sidecar.registry import Registry

REFERENCE_ROWS, WARM_UP = 15_000, 5_000
ALLOWED, SPOILT = 0.001, 0.02
# Trees, height, window: river's own, then the authors', then what much memory and patience would buy.
SIZES = ((10, 8, 250), (25, 15, 250), (50, 10, 2_500))
Rows = np.ndarray
Score = Callable[[Rows], Rows]
Spoil = Callable[[Rows, Rows], None]  # the rows to spoil, and as many others to take values from


def far(rows: Rows, _: Rows) -> None:
    rows[:, 0] = 6.0


def broken(rows: Rows, _: Rows) -> None:
    """Both values are ordinary (one row in seven is further out), only not together."""
    rows[:, 0], rows[:, 1] = 1.5, -1.5


def parted(rows: Rows, others: Rows) -> None:
    rows[:, 0] = others[:, 0]


def mixed(rows: Rows, others: Rows) -> None:
    """Half of the columns come from another row: a join gone wrong, of each factor in about half of them."""
    rows[:, :15] = others[:, :15]


@dataclass(frozen=True, slots=True)
class Case:
    """What is wrong with a row, of which kind, and how many columns a row has."""

    name: str
    kind: str
    columns: int
    spoil: Spoil


CASES = [
    Case("one number of 30 at 6 sd", "independent", 30, far),
    Case("one number of 2 at 6 sd", "pairs", 2, far),
    Case("a pair of .9 broken, alone", "pairs", 2, broken),
    Case("a pair of .9 broken, of 5 columns", "pairs", 5, broken),
    Case("a pair of .9 broken, of 30 columns", "pairs", 30, broken),
    Case("factors: one column of another row", "factors", 30, parted),
    Case("factors: half of another row", "factors", 30, mixed),
]


class Positions:
    """Where numbers are in the reference: the share of it below each, interpolated within its bins."""

    def __init__(self, given: Reference) -> None:
        self._profiles = list(given.features.values())

    def __call__(self, rows: Rows) -> Rows:
        return np.column_stack([self._of(p, rows[:, i]) for i, p in enumerate(self._profiles)])

    @staticmethod
    def _of(profile: ColumnProfile, numbers: Rows) -> Rows:
        below = np.concatenate([[0.0], np.cumsum(profile.shares)])
        return np.interp(numbers, [profile.min or 0.0, *profile.edges, profile.max or 0.0], below)


class Ranges:
    """Where numbers are between the extremes of the reference, widened by half of its width on both sides."""

    def __init__(self, given: Reference) -> None:
        low = np.array([p.min for p in given.features.values()], float)
        high = np.array([p.max for p in given.features.values()], float)
        self._low, self._width = low - (high - low) / 2, 2 * (high - low)

    def __call__(self, rows: Rows) -> Rows:
        return np.clip((rows - self._low) / self._width, 0.0, 1.0)


class Streamed:
    """A detector of river that learnt rows in control; it goes on learning from what it scores."""

    def __init__(self, scale: Score, warm_up: Rows, detector: Any) -> None:
        self._scale, self._detector = scale, detector
        self.seconds, self.scored = 0.0, 0
        for row in self._dicts(warm_up):
            detector.learn_one(row)

    def _dicts(self, rows: Rows) -> Iterator[dict[int, float]]:
        return (dict(enumerate(row)) for row in self._scale(rows).tolist())

    def __call__(self, rows: Rows) -> Rows:
        """A score for each row; higher is odder."""
        begun, scores = time.process_time(), []
        for row in self._dicts(rows):
            scores.append(self._detector.score_one(row))
            self._detector.learn_one(row)
        self.seconds, self.scored = self.seconds + time.process_time() - begun, self.scored + len(rows)
        return np.array(scores)


class Distance:
    """Mahalanobis distance of the normal scores of positions."""

    def __init__(self, positions: Score, rows: Rows) -> None:
        inverse = NormalDist().inv_cdf
        self._grid = np.linspace(1e-5, 1 - 1e-5, 4001)
        self._normal = np.array([inverse(p) for p in self._grid])
        self._positions = positions
        scores = self._scores(rows)
        self._mean, self._precision = scores.mean(axis=0), np.linalg.inv(np.cov(scores, rowvar=False))

    def _scores(self, rows: Rows) -> Rows:
        return np.interp(self._positions(rows), self._grid, self._normal)

    def __call__(self, rows: Rows) -> Rows:
        off = self._scores(rows) - self._mean
        return np.einsum("ij,jk,ik->i", off, self._precision, off)


class Bounds:
    """The shipped monitor; the score is 1 for a row that it counts."""

    def __init__(self, given: Reference) -> None:
        self._registry = Registry()
        self._monitor = OutOfDistribution(self._registry, LearntReferences(default=given))

    def __call__(self, rows: Rows) -> Rows:
        return np.array([self._counts(row) for row in rows], float)

    def _counts(self, row: Rows) -> float:
        name = "inference_out_of_distribution_rows_total"
        before = self._registry.value(name)
        self._monitor.fold(batch(Piece(row[None, :])))
        return self._registry.value(name) - before


def found(
    score: Score, control: Rows, rows: Rows, spoilt: Rows, threshold: float | None
) -> tuple[float, float]:
    """The share of the spoilt rows that is found, and of the others that is flagged."""
    limit = float(np.quantile(score(control), 1 - ALLOWED)) if threshold is None else threshold
    flagged = score(rows) > limit
    return float(flagged[spoilt].mean()), float(flagged[~spoilt].mean())


def methods(
    given: Reference, warm_up: Rows, seed: int, only: str
) -> Iterator[tuple[str, Score, float | None]]:
    """The name of each, what scores rows, and from which score on one is odd (None: by its own quantile)."""
    positions, ranges = Positions(given), Ranges(given)
    detectors: list[tuple[str, Callable[[], Any]]] = [
        (f"{trees} trees of height {height}, window {window:,}",
         partial(HalfSpaceTrees, n_trees=trees, height=height, window_size=window, seed=seed))
        for trees, height, window in SIZES
    ]  # fmt: skip
    detectors.append(("LODA", partial(LODA, seed=seed)))
    if only in (name := "the bounds, as shipped"):
        yield name, Bounds(given), 0.5
    for of, make in detectors:
        for scaling, scale in (("positions", positions), ("ranges", ranges)):
            if only in (name := f"{of}, {scaling}"):
                yield name, Streamed(scale, warm_up, make()), None
    if only in (name := "Mahalanobis of normal scores"):
        yield name, Distance(positions, warm_up), None


def run(case: Case, rows: int, seed: int, only: str) -> None:
    """One line a method."""
    stream = JointStream(case.kind, seed)
    draw = lambda n: stream.draw(n)[:, : case.columns].copy()  # noqa: E731
    known, warm_up, control, fresh, others = (draw(n) for n in (REFERENCE_ROWS, WARM_UP, rows, rows, rows))
    given = reference(Piece(known))
    spoilt = np.random.default_rng(seed).random(rows) < SPOILT
    changed = fresh[spoilt]
    case.spoil(changed, others[spoilt])
    fresh[spoilt] = changed
    for name, score, threshold in methods(given, warm_up, seed, only):
        hit, false = found(score, control, fresh, spoilt, threshold)
        cost = f"{score.seconds / score.scored * 1e6:.0f}" if isinstance(score, Streamed) else ""
        print(f"| {case.name} | {name} | {hit:.1%} | {false:.2%} | {cost} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=9200)
    parser.add_argument("--only", default="", help="methods whose name has this in it")
    args = parser.parse_args()
    print("| the odd rows | method | found | of the others | us a row |\n|---|---|---|---|---|")
    for case in CASES:
        run(case, args.rows, args.seed, args.only)


if __name__ == "__main__":
    main()
