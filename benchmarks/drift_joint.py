"""Joint drift: false tickets, delays and cost where marginals stay as they were, beside what others say.

    nice .venv/bin/python -m benchmarks.drift_joint [--rows 1000000] [--repeats 13] [--seed 9100]
        [--only control|changes|marginals|rivals|cost]

30 features. In control: verdicts per million rows. Changes: after 9,984 rows, at the start of a micro-batch;
median rows to the ticket. Marginals: of changes of one column alone, how often a joint verdict was raised as
well. Rivals: the same streams (`drift_joint_rivals`). Seeded, no file; tuned on seeds 0-2. Results and the
machine: docs/drift.md.
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drift_streams import CYCLE, Piece, batch, monitor, reference
from sidecar.monitors.drift_verdict import Level, Verdict

COLUMNS, FACTORS, LOADING = 30, 4, 0.7
REFERENCE_ROWS, BEFORE, AFTER, CHUNK = 15_000, 156 * 64, 10_048, 4_992
Rows = np.ndarray


class JointStream:
    """Normal rows whose columns go together; `kind` says how, and what else is special.

    independent; pairs (f0 and f1 .9, f2 and f3 .5); factors (column i loads .7 on factor i mod 4); then, of
    factors: t3 (one chi-square a row: heavy, and dependent in its tails), ar.5, ar.9, season.
    """

    def __init__(self, kind: str, seed: int) -> None:
        self.kind = kind
        self.random = np.random.default_rng(seed)
        self.drawn = 0
        self._last = self.random.normal(size=COLUMNS + FACTORS)

    def draw(self, rows: int) -> Rows:
        """The next rows, shape (rows, 30)."""
        noise = self.random.normal(size=(rows, COLUMNS + FACTORS))
        at = np.arange(self.drawn, self.drawn + rows) / CYCLE
        self.drawn += rows
        if self.kind.startswith("ar"):
            noise = self._autoregress(noise, float(self.kind[2:]))
        own, factors = noise[:, :COLUMNS], noise[:, COLUMNS:]
        if self.kind == "pairs":
            own[:, 1] = 0.9 * own[:, 0] + np.sqrt(1 - 0.9**2) * own[:, 1]
            own[:, 3] = 0.5 * own[:, 2] + np.sqrt(1 - 0.5**2) * own[:, 3]
        elif self.kind != "independent":
            own = LOADING * factors[:, np.arange(COLUMNS) % FACTORS] + np.sqrt(1 - LOADING**2) * own
        if self.kind == "t3":
            own = own / np.sqrt(self.random.chisquare(3, size=(rows, 1)) / 3)
        if self.kind == "season":
            own = own + 0.5 * np.sin(2 * np.pi * at)[:, None]
        return own

    def _autoregress(self, noise: Rows, phi: float) -> Rows:
        noise *= np.sqrt(1 - phi**2)
        for at in range(len(noise)):
            self._last = noise[at] = phi * self._last + noise[at]
        return noise


Change = Callable[[Rows, np.random.Generator], None]


def parted(column: int) -> Change:
    """A column drawn from its own values: as it was, but together with nothing."""

    def change(rows: Rows, random: np.random.Generator) -> None:
        rows[:, column] = random.permutation(rows[:, column])

    return change


def flipped(column: int) -> Change:
    """A column with its sign turned; its distribution is symmetric."""

    def change(rows: Rows, _: np.random.Generator) -> None:
        rows[:, column] *= -1

    return change


def late(columns: int) -> Change:
    """The first columns come from the row before: a join that is off by one."""

    def change(rows: Rows, _: np.random.Generator) -> None:
        rows[:, :columns] = np.roll(rows[:, :columns], 1, axis=0)

    return change


def swapped(rows: Rows, _: np.random.Generator) -> None:
    """Two columns of different factors under each other's name."""
    rows[:, [0, 1]] = rows[:, [1, 0]]


def partly(share: float) -> Change:
    """In a share of the rows, one column comes from another row."""

    def change(rows: Rows, random: np.random.Generator) -> None:
        chosen = np.flatnonzero(random.random(len(rows)) < share)
        rows[chosen, 0] = random.permutation(rows[chosen, 0])

    return change


@dataclass(frozen=True, slots=True)
class Case:
    """A change of how columns go together."""

    name: str
    kind: str
    change: Change


CASES = [
    Case("a pair .9 -> 0", "pairs", parted(1)),
    Case("a pair .9 -> -.9", "pairs", flipped(1)),
    Case("a pair .5 -> 0", "pairs", parted(3)),
    Case("factors: one column parted", "factors", parted(0)),
    Case("factors: one column a row late", "factors", late(1)),
    Case("factors: 15 columns a row late", "factors", late(15)),
    Case("factors: two columns swapped", "factors", swapped),
    Case("factors: a third of one column parted", "factors", partly(1 / 3)),
    Case("t3 factors: one column parted", "t3", parted(0)),
    Case("AR .5 factors: one column parted", "ar.5", parted(0)),
    Case("AR .5 factors: one column a row late", "ar.5", late(1)),
    Case("AR .9 factors: one column parted", "ar.9", parted(0)),
]
CONTROL = ("independent", "factors", "t3", "ar.5", "ar.9", "season")


def _moved(column: int, by: float, scale: float) -> Change:
    def change(rows: Rows, _: np.random.Generator) -> None:
        rows[:, column] = rows[:, column] * scale + by

    return change


def _replaced(column: int, share: float, value: float) -> Change:
    def change(rows: Rows, random: np.random.Generator) -> None:
        rows[random.random(len(rows)) < share, column] = value

    return change


MARGINALS = [
    ("+.25 sd", _moved(0, 0.25, 1)), ("+.5 sd", _moved(0, 0.5, 1)), ("+1 sd", _moved(0, 1, 1)),
    ("+2 sd", _moved(0, 2, 1)), ("sd x.5", _moved(0, 0, 0.5)), ("sd x2", _moved(0, 0, 2)),
    ("constant", _moved(0, 0.3, 0)), ("x1000", _moved(0, 0, 1000)), ("20 % null", _replaced(0, 0.2, np.nan)),
    ("20 % at -999", _replaced(0, 0.2, -999)), ("5 % at -999", _replaced(0, 0.05, -999)),
    ("half at the mean", _replaced(0, 0.5, 0.0)), ("a third at the mean", _replaced(0, 0.33, 0.0)),
]  # fmt: skip


def joint(said: list[Verdict], level: Level = Level.TICKET) -> list[Verdict]:
    """The joint verdicts of a level."""
    return [v for v in said if v.kind == "joint" and v.level is level]


def in_control(kind: str, rows: int, seed: int) -> str:
    """Events and tickets per million rows."""
    stream, said = JointStream(kind, seed), list[Verdict]()
    drift = monitor(reference(Piece(stream.draw(2 * CYCLE))), said, slots=kind == "season")
    first = stream.drawn
    while stream.drawn - first < rows:
        at = stream.drawn
        drift.fold(batch(Piece(stream.draw(CHUNK)), at))
    million = 1e6 / (stream.drawn - first)
    events, tickets = (len(joint(said, level)) * million for level in (Level.EVENT, Level.TICKET))
    return f"{kind:<40}{events:>8.1f}{tickets:>8.1f}"


def _after(case: Case, seed: int) -> tuple[list[Verdict], int]:
    stream, said = JointStream(case.kind, seed), list[Verdict]()
    drift = monitor(reference(Piece(stream.draw(REFERENCE_ROWS))), said)
    for at in range(0, BEFORE, CHUNK):
        drift.fold(batch(Piece(stream.draw(min(CHUNK, BEFORE - at))), at))
    rows = stream.draw(AFTER)
    case.change(rows, stream.random)
    piece = Piece(rows, np.isnan(rows[:, 0]) if np.isnan(rows).any() else None)
    drift.fold(batch(piece, BEFORE))
    return said, BEFORE


def delays(case: Case, repeats: int, seed: int) -> str:
    """Median and 90 % of the rows to the ticket, how often it came, whom it names, and marginal verdicts."""
    found, marginal, named = list[float](), 0, 0
    for repeat in range(repeats):
        said, begin = _after(case, seed + repeat)
        tickets = [v for v in joint(said) if v.row >= begin]
        found.append(tickets[0].row - begin + 1 if tickets else inf)
        marginal += any(v.kind != "joint" and v.level is not Level.EVENT for v in said)
        named += bool(tickets) and any(f"f{i} " in f"{tickets[0].signal} " for i in range(15))
    median, worst = np.quantile(found, [0.5, 0.9], method="higher")
    share = np.mean(np.isfinite(found))
    return f"{case.name:<40}{median:>8,.0f}{worst:>8,.0f}{share:>7.0%}{marginal:>6}{named:>6}"


def marginals(repeats: int, seed: int) -> str:
    """Of changes of one column of factors: in how many of the repeats joint drift had something to say."""
    lines = []
    for name, change in MARGINALS:
        spoke = [joint(_after(Case(name, "factors", change), seed + at)[0]) for at in range(repeats)]
        said = sum(bool(tickets) for tickets in spoke)
        stood = sum(any(v.ended_row is None for v in tickets) for tickets in spoke)
        lines.append(f"{name:<40}{said:>4} of {repeats} raised, {stood} of them still stand")
    return "\n".join(lines)


def cost(seed: int) -> str:
    """Microseconds a row and bytes, with and without the joint part."""
    lines = []
    for columns, pairs in ((COLUMNS, 435), (1, 0)):
        stream = JointStream("factors", seed)
        given = reference(Piece(stream.draw(REFERENCE_ROWS)[:, :columns]))
        tracemalloc.start()
        drift = monitor(given, [])
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        drift.fold(batch(Piece(stream.draw(BEFORE)[:, :columns]), 0))
        spent = 0.0
        for at in range(BEFORE, BEFORE + 20 * CHUNK, CHUNK):
            portion = batch(Piece(stream.draw(CHUNK)[:, :columns]), at)
            began = time.process_time()
            drift.fold(portion)
            spent += time.process_time() - began
        lines.append(
            f"{columns} columns, {pairs} pairs: {spent / (20 * CHUNK) * 1e6:.2f} us a row, {size:,} bytes"
        )
    return "\n".join(lines)


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=13)
    parser.add_argument("--seed", type=int, default=9100)
    parser.add_argument("--only", default="control,changes,marginals,rivals,cost")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if "control" in wanted:
        print("in control, per million rows                events tickets")
        for kind in CONTROL:
            print(in_control(kind, options.rows, options.seed), flush=True)
    if "changes" in wanted:
        print("\nrows to the ticket                        median     p90  found  marginal verdicts, named")
        for case in CASES:
            print(delays(case, options.repeats, options.seed), flush=True)
    if "marginals" in wanted:
        print(
            "\nchanges of one column of factors: joint tickets\n" + marginals(options.repeats, options.seed)
        )
    if "rivals" in wanted:
        from benchmarks.drift_joint_rivals import table

        print(table(options.repeats, options.seed))
    if "cost" in wanted:
        print("\n" + cost(options.seed))


if __name__ == "__main__":
    main()
