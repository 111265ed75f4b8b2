"""Drift by segment: false tickets, delays, cost and memory, on seeded synthetic streams.

    nice .venv/bin/python -m benchmarks.drift_segments [--rows 1000000] [--repeats 13] [--seed 9500]
        [--only control|changes|cost]

Ten tenants of 30 features each, every one usual in its own way: its rows are moved by up to a deviation and
stretched, tenant by tenant and feature by feature. In control: verdicts per million rows of the model, of the
whole and of the segments. Changes: one tenant's rows change after each has been judged for a while; rows of
that tenant to its ticket, and what the whole says meanwhile. What it is not: real data.
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drift_streams import CHUNK, Piece, Stream, batch, reference
from sidecar.batch import Batch, Division
from sidecar.monitors.drift import Drift
from sidecar.monitors.drift_judge import Settings
from sidecar.monitors.drift_pace import OFFLINE
from sidecar.monitors.drift_verdict import Level, Verdict
from sidecar.policy import Policies
from sidecar.profiles.learn import LearntReferences
from sidecar.registry import Registry

COLUMNS, TENANTS = 30, 10
REFERENCE_ROWS = 15_000
# Of each tenant: 16 micro-batches are learnt, 80 are burn-in, and some are judged.
BEFORE_OF_EACH = 8_000
EVEN = np.full(TENANTS, 1 / TENANTS)
# One has half of all rows, the last half a hundredth.
UNEVEN = np.array([0.5, 0.2, 0.1, 0.06, 0.05, 0.04, 0.02, 0.015, 0.01, 0.005])

Change = Callable[[Piece, np.ndarray], None]
"""Changes rows of a piece in place; the mask says which."""


class Tenants:
    """Rows of ten tenants, in control but for what `change` does."""

    def __init__(self, kind: str, seed: int, shares: np.ndarray = EVEN) -> None:
        self._stream = Stream(kind.removeprefix("own "), COLUMNS, seed)
        # Rows of one tenant resemble each other, not those of another.
        own = range(TENANTS) if kind.startswith("own ") else ()
        self._own = [Stream(kind.removeprefix("own "), COLUMNS, seed + 1_000 * i) for i in own] or None
        self._random = np.random.default_rng(seed + 10_000)
        self._shares = shares
        self._moved = self._random.uniform(-1, 1, (TENANTS, COLUMNS))
        self._stretched = self._random.uniform(0.7, 1.4, (TENANTS, COLUMNS))

    def draw(self, rows: int) -> tuple[Piece, np.ndarray]:
        """The next rows, and whose each is."""
        of = self._random.choice(TENANTS, rows, p=self._shares)
        piece = self._stream.draw(rows) if self._own is None else self._each(of)
        piece.numbers[:] = piece.numbers * self._stretched[of] + self._moved[of]
        return piece, of

    def _each(self, of: np.ndarray) -> Piece:
        numbers = np.empty((len(of), COLUMNS))
        for tenant, stream in enumerate(self._own or ()):
            numbers[of == tenant] = stream.draw(int(np.count_nonzero(of == tenant))).numbers
        return Piece(numbers)

    def shift(self, by: float, tenants: tuple[int, ...] = (3,)) -> Change:
        """Some tenants' f0 moves by so many of their own deviations."""

        def change(piece: Piece, of: np.ndarray) -> None:
            own = np.isin(of, tenants)
            piece.numbers[own, 0] += by * self._stretched[of[own], 0]

        return change


def nulls(share: float) -> Change:
    """A share of the fourth tenant's f0 is null."""

    def change(piece: Piece, of: np.ndarray) -> None:
        piece.nulls = (of == 3) & (np.random.default_rng(0).random(len(of)) < share)

    return change


def portion(piece: Piece, of: np.ndarray, first: int, *, divided: bool = True) -> Batch:
    """A batch divided by tenant, or not."""
    made = batch(piece, first)
    # A hundred a second, so that of an hour or 10,000 rows it is the rows that decide.
    made.first, made.last = first / 100, (first + len(of) - 1) / 100
    if divided:
        made.segments = (Division("tenant", [f"t{i}" for i in range(TENANTS)], of),)
    return made


class Run:
    """A monitor at offline pace, and what it said."""

    def __init__(self, tenants: Tenants, divided: bool = True) -> None:
        self.tenants, self.divided = tenants, divided
        self.said: list[Verdict] = []
        given = reference(self.tenants.draw(REFERENCE_ROWS)[0])
        references = LearntReferences(default=given)
        self.monitor = Drift(Registry(), references, Policies(), Settings(pace=OFFLINE), self.said.append)
        self.rows = 0
        self.seconds = 0.0
        self.of: list[np.ndarray] = []

    def feed(self, rows: int, change: Change | None = None, chunk: int = CHUNK) -> None:
        """So many rows more."""
        for at in range(0, rows, chunk):
            piece, of = self.tenants.draw(min(chunk, rows - at))
            if change is not None:
                change(piece, of)
                self.of.append(of)
            made = portion(piece, of, self.rows, divided=self.divided)
            began = time.process_time()
            self.monitor.fold(made)
            self.seconds += time.process_time() - began
            self.rows += len(of)


def in_control(rows: int, seed: int) -> Iterator[str]:
    """Verdicts per million rows, the whole's and the segments', and what a row costs with and without."""
    for name, kind, shares in (
        ("normal", "normal", EVEN), ("normal, uneven", "normal", UNEVEN), ("t3", "t3", EVEN),
        ("lognormal", "lognormal", EVEN), ("AR .5", "ar.5", EVEN), ("AR .9", "ar.9", EVEN),
        ("AR .5 of each", "own ar.5", EVEN), ("AR .9 of each", "own ar.9", EVEN),
    ):  # fmt: skip
        run = Run(Tenants(kind, seed, shares))
        run.feed(rows)
        per = 1e6 / rows
        counted = []
        for within in (False, True):
            levels = [v.level for v in run.said if bool(v.segment) is within]
            counted += [levels.count(level) * per for level in Level]
        yield f"{name:<20}" + "".join(f"{n:>9.1f}" for n in counted) + f"{run.seconds / rows * 1e6:>9.2f}"


def delays(name: str, make: Callable[[Tenants], Change], repeats: int, seed: int, rows: int = 60_000) -> str:
    """Median rows to the tenant's name in a ticket (its own rows), and to what the whole says (all rows).

    The ticket may be its own, or that of the whole, which its verdict is folded into.
    """
    own, whole, alone, others = list[float](), list[float](), 0, 0
    for repeat in range(repeats):
        run = Run(Tenants("normal", seed + repeat))
        run.feed(BEFORE_OF_EACH * TENANTS)
        begin = run.rows
        run.feed(rows, make(run.tenants))
        late = [v for v in run.said if v.row >= begin and v.level is not Level.EVENT]
        mine = np.concatenate(run.of) == 3
        told = [v for v in late if v.value == "t3"]
        found = [v for v in run.monitor.verdicts() if v.value == "t3" and v.folded and v.standing]
        own.append(min((int(mine[: v.row - begin + 1].sum()) for v in (*told, *found)), default=inf))
        alone += bool(told)
        whole.append(min((v.row - begin + 1 for v in late if not v.segment), default=inf))
        others += sum(bool(v.segment) and v.value != "t3" for v in late)
    medians = [float(np.quantile(n, q, method="higher")) for n in (own, whole) for q in (0.5, 0.9)]
    shown = "".join(f"{n:>9,.0f}" if n < inf else f"{'-':>9}" for n in medians)
    shares = np.mean(np.isfinite(own)), alone / repeats, np.mean(np.isfinite(whole))
    return f"{name:<38}{shown}" + "".join(f"{share:>8.0%}" for share in shares) + f"{others:>8}"


def state_bytes(values: int) -> int:
    """Memory of a model's monitor after 100,000 rows of which all belong to so many values, or to none."""
    tenants = Tenants("normal", 1)
    given, (piece, of) = reference(tenants.draw(REFERENCE_ROWS)[0]), tenants.draw(100_000)
    tracemalloc.start()
    monitor = Drift(Registry(), LearntReferences(default=given), Policies(), Settings(pace=OFFLINE))
    monitor.fold(portion(piece, of % max(values, 1), 0, divided=values > 0))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used


CASES: tuple[tuple[str, Callable[[Tenants], Change]], ...] = (
    ("one of ten tenants, +.25 sd", lambda t: t.shift(0.25)),
    ("one of ten tenants, +.5 sd", lambda t: t.shift(0.5)),
    ("one of ten tenants, +1 sd", lambda t: t.shift(1.0)),
    ("one of ten tenants, +2 sd", lambda t: t.shift(2.0)),
    ("one of ten tenants, nulls 5 %", lambda t: nulls(0.05)),
    ("one of ten tenants, all null", lambda t: nulls(1.0)),
    ("all tenants, +.5 sd", lambda t: t.shift(0.5, tuple(range(TENANTS)))),
    ("all tenants, +1 sd", lambda t: t.shift(1.0, tuple(range(TENANTS)))),
)


def control(options: argparse.Namespace) -> None:
    """Print what is said where nothing changes."""
    titles = ("events", "tickets", "pages", "in: ev.", "tickets", "pages", "us/row")
    print(f"{'per 1M rows x 30':<20}" + "".join(f"{title:>9}" for title in titles))
    for line in in_control(options.rows, options.seed):
        print(line, flush=True)


def changes(options: argparse.Namespace) -> None:
    """Print when changes are found."""
    titles = ("own rows", "p90", "whole", "p90")
    print(
        f"\n{'median rows to':<38}" + "".join(f"{t:>9}" for t in titles) + "   named   alone   whole  others"
    )
    for name, make in CASES:
        print(delays(name, make, options.repeats, options.seed), flush=True)


def cost(options: argparse.Namespace) -> None:
    """Print memory and time of a row."""
    alone = state_bytes(0)
    each = (state_bytes(TENANTS) - alone) / TENANTS
    print(f"\nstate: {alone / 1024:.0f} kB of the whole, {each / 1024:.0f} kB a value ({COLUMNS} columns)")
    for chunk in (CHUNK, 256):
        taken = []
        for divided in (False, True):
            run = Run(Tenants("normal", options.seed), divided)
            run.feed(100_000, chunk=chunk)
            run.seconds = 0.0
            run.feed(100_000, chunk=chunk)
            taken.append(run.seconds / 100_000 * 1e6)
        print(f"us a row, batches of {chunk}: {taken[0]:.2f} undivided, {taken[1]:.2f} by {TENANTS} tenants")


TABLES = {"control": control, "changes": changes, "cost": cost}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=13)
    parser.add_argument("--seed", type=int, default=9500)
    parser.add_argument("--only", choices=tuple(TABLES))
    options = parser.parse_args()
    for part in [options.only] if options.only else list(TABLES):
        TABLES[part](options)


if __name__ == "__main__":
    main()
