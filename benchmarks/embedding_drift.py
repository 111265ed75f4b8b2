"""Embeddings: rows to a ticket, by the signals that stand for a vector, and what a cosine costs.

Seeded, no file. `python -m benchmarks.embedding_drift [--repeats N]` prints the tables of
docs/data-quality.md. Vectors of 384 numbers: .4 a common direction, .6 one of 20 topics, .7 their own.
Normalised, as most encoders do, or then of lengths .8 to 1.2. Times are processor time.
"""

import argparse
import sys
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drift_streams import Piece, batch, monitor, reference
from sidecar.centroid import TEACHING, Centroid
from sidecar.decoders import summaries
from sidecar.monitors.drift_verdict import Level, Verdict

DIMENSIONS, TOPICS = 384, 20
REFERENCE_ROWS, BEFORE, AFTER = 4_000, 5_056, 5_056
SIGNALS = ("norm", "mean", "sparsity", "dimension", "cosine")
Vectors = np.ndarray


class Encoder:
    """Texts of 20 topics, the more common ones first, as vectors."""

    def __init__(self, seed: int, *, normalised: bool) -> None:
        self.random = np.random.default_rng(seed)
        self._normalised = normalised
        self.common = _unit(self.random.normal(size=(1, DIMENSIONS)))
        self.topics = _unit(self.random.normal(size=(TOPICS, DIMENSIONS)))
        self.shares = 1 / np.arange(2, TOPICS + 2)
        self.turn: Vectors | None = None

    def draw(self, rows: int) -> Vectors:
        """The next rows, shape (rows, 384)."""
        topic = self.random.choice(TOPICS, rows, p=self.shares / self.shares.sum())
        own = _unit(self.random.normal(size=(rows, DIMENSIONS)))
        found = _unit(0.4 * self.common + 0.6 * self.topics[topic] + 0.7 * own)
        if self.turn is not None:
            found = found @ self.turn
        return found if self._normalised else found * self.random.uniform(0.8, 1.2, (rows, 1))


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _topic_moved(encoder: Encoder) -> None:
    encoder.topics[0] = _unit(encoder.random.normal(size=(1, DIMENSIONS)))[0]


def _topic_nearer(encoder: Encoder) -> None:
    encoder.topics[0] = _unit(encoder.topics[:1] - 0.5 * encoder.common)[0]


def _new_topic(share: float) -> Callable[[Encoder], None]:
    def change(encoder: Encoder) -> None:
        encoder.topics = np.vstack([encoder.topics[:-1], _unit(encoder.random.normal(size=(1, DIMENSIONS)))])
        encoder.shares = np.append(encoder.shares[:-1] / encoder.shares[:-1].sum() * (1 - share), share)

    return change


def _rotated(encoder: Encoder) -> None:
    encoder.turn = np.linalg.qr(encoder.random.normal(size=(DIMENSIONS, DIMENSIONS)))[0]


def _noise(encoder: Encoder) -> None:
    encoder.common, encoder.topics = 0 * encoder.common, 0 * encoder.topics


def _permuted(encoder: Encoder) -> None:
    encoder.turn = np.eye(DIMENSIONS)[encoder.random.permutation(DIMENSIONS)]


def _unchanged(_: Encoder) -> None:
    pass


CHANGES: dict[str, Callable[[Encoder], None]] = {
    "none": _unchanged,
    "the most common topic (18 %) elsewhere": _topic_moved,
    "the same, further from the centroid": _topic_nearer,
    "a new topic, 10 % of rows": _new_topic(0.1),
    "a new topic, half of the rows": _new_topic(0.5),
    "another encoder (rotated)": _rotated,
    "dimensions in another order": _permuted,
    "random directions": _noise,
}


def numbers(vectors: Vectors, centroid: Centroid) -> Piece:
    """The signals of each vector, shape (rows, 5)."""
    cosines = centroid.cosines(vectors)
    assert cosines is not None
    found = [column.values for column in summaries.of_array("e", vectors)]
    found[0] = np.array([float(f"{norm:.3g}") for norm in found[0]])  # as embeddings have it
    return Piece(np.column_stack([*found, cosines]))


def after(change: Callable[[Encoder], None], seed: int, *, normalised: bool) -> dict[str, float]:
    """Rows from the change to the first ticket or page of each signal."""
    encoder, centroid, said = Encoder(seed, normalised=normalised), Centroid(), list[Verdict]()
    centroid.learn(encoder.draw(TEACHING))
    drift = monitor(reference(numbers(encoder.draw(REFERENCE_ROWS), centroid)), said)
    drift.fold(batch(numbers(encoder.draw(BEFORE), centroid)))
    change(encoder)
    drift.fold(batch(numbers(encoder.draw(AFTER), centroid), BEFORE))
    found = dict.fromkeys(SIGNALS, inf)
    for verdict in said:
        if verdict.level is not Level.EVENT and verdict.name.startswith("f"):
            name = SIGNALS[int(verdict.name[1:])]
            found[name] = min(found[name], verdict.row - BEFORE + 1)
    return found


def cost(dimensions: int, rows: int) -> str:
    """Microseconds a row of a cosine, in answers of so many vectors."""
    random = np.random.default_rng(1)
    centroid, vectors = Centroid(), random.normal(size=(TEACHING, dimensions))
    centroid.learn(vectors)
    part, best = vectors[:rows], inf
    for _ in range(5):
        began = time.process_time()
        for _ in range(4_000 // rows):
            centroid.cosines(part)
        best = min(best, (time.process_time() - began) / (4_000 // rows * rows))
    return f"| {dimensions:,} | {rows} | {best * 1e6:.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=13)
    parser.add_argument("--seed", type=int, default=7000)
    options = parser.parse_args()
    print("| change | vectors |", " | ".join(SIGNALS), "|  (median rows, found)")
    for normalised in (True, False):
        for name, change in CHANGES.items():
            seeds = range(options.seed, options.seed + options.repeats)
            runs = [after(change, seed, normalised=normalised) for seed in seeds]
            cells = []
            for signal in SIGNALS:
                rows = [run[signal] for run in runs]
                median, found = np.quantile(rows, 0.5, method="higher"), int(np.isfinite(rows).sum())
                cells.append(f"{median:,.0f} ({found})" if found else "-")
            kind = "unit" if normalised else "any length"
            print(f"| {name} | {kind} | {' | '.join(cells)} |", flush=True)
    print("\n| dimensions | vectors an answer | us a vector |\n|---|---|---|")
    for dimensions in (384, 1_024):
        for rows in (1, 16, 250):
            print(cost(dimensions, rows))


if __name__ == "__main__":
    main()
